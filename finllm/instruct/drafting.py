"""Draft candidate examples from batches of calls: the work of one ``templatize`` process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from finllm.instruct import chat
from finllm.instruct.examples import Budget, candidates, question
from finllm.languages.lexicons import Lexicons
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import base_folder
from finllm.records import Example, Line, Reject, to_json
from finllm.runtime.hashing import text_hash
from finllm.settings.params import Model, Templatize


@dataclass(frozen=True, slots=True)
class Key:
    """The facts about a candidate that stay in memory while the candidate itself is on disk."""

    id: str
    template: str
    provenance: str
    source: str
    n_prompt_tokens: int
    n_answer_tokens: int
    call: int  # the line number of its call


@dataclass
class Drafts:
    """The candidates of a batch of calls, as lines with their keys, and the rejects."""

    lines: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def token_budget(
    folder: str,
    *,
    revision: str,
    system_prompt: str,
    max_tokens: int,
    max_answer_tokens: int,
    sentences: str,
) -> Budget:
    """Return a budget in tokens of the model in a folder, including its chat format."""
    tokenizer = load_tokenizer(folder, revision=revision)

    def count_tokens(texts: list[str]) -> list[int]:
        rows = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        return [len(row) for row in rows]

    def count_prompt(instruction: str, excerpt: str) -> int:
        prompt = chat.render_prompt(
            tokenizer, system_prompt=system_prompt, instruction=instruction, excerpt=excerpt
        )
        return len(chat.encode_prompt(tokenizer, prompt))

    return Budget(count_tokens, count_prompt, max_tokens, max_answer_tokens, sentences)


def budget_maker(model: Model, templatize: Templatize) -> Callable[[], Budget]:
    """Return a factory for the ``token_budget`` of these sections of the parameters.

    The base model is found, and converted if necessary, before the first process builds a budget.
    """
    return partial(
        token_budget,
        base_folder(model),
        revision=model.revision,
        system_prompt=templatize.system_prompt,
        max_tokens=templatize.max_tokens,
        max_answer_tokens=templatize.max_answer_tokens,
        sentences=templatize.sentences,
    )


def call_generator(seed: int, call_id: str) -> np.random.Generator:
    """Return the random generator of one call, so that its examples do not depend on other calls.

    They are the same in any order, for any number of processes, and with another filter.
    """
    return np.random.default_rng([seed, text_hash(call_id)])


def drafter(
    *, budget: Callable[[], Budget], lexicon: str, paraphrases: bool, seed: int
) -> Callable[[Sequence[Line]], Drafts]:
    """Build a function that drafts every candidate of a batch of calls.

    Parameters
    ----------
    budget
        Builds the budget, once in each process; see ``budget_maker``.
    lexicon
        A file of additional terms, or "" for none.
    """
    tokens, terms = budget(), Lexicons(lexicon)

    def draft(batch: Sequence[Line]) -> Drafts:
        drafts = Drafts()
        for line in batch:
            call = line.transcript()
            rng = call_generator(seed, call.id)
            for row in candidates(
                call,
                lexicon=terms.of(call.language),
                budget=tokens,
                paraphrases=paraphrases,
                rng=rng,
            ):
                if isinstance(row, Reject):
                    drafts.rejects.append(row)
                    continue
                drafts.lines.append(to_json(row))
                drafts.keys.append(
                    Key(
                        row.id, row.template, row.provenance, row.source, row.n_prompt_tokens,
                        row.n_answer_tokens, line.number,
                    )
                )  # fmt: skip
        return drafts

    return draft


def asker(
    *, budget: Callable[[], Budget], lexicon: str, template: str, seed: int
) -> Callable[[Sequence[Line]], list[Example | Reject]]:
    """Build a function that makes one template's question about each call; see ``drafter``."""
    tokens, terms = budget(), Lexicons(lexicon)

    def ask(batch: Sequence[Line]) -> list[Example | Reject]:
        calls = [line.transcript() for line in batch]
        return [
            question(
                call,
                template,
                lexicon=terms.of(call.language),
                budget=tokens,
                rng=call_generator(seed, call.id),
            )
            for call in calls
        ]

    return ask
