"""A call, the loaded models, and their answers with each figure checked against the call."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finllm.answering.predicting import Answerer, load_answerer
from finllm.commands.predict.answer_folder import questions
from finllm.instruct import chat, templates
from finllm.model.choice import weights_of
from finllm.records import Example, Transcript, write_jsonl
from finllm.report.marked import CONTRADICTED, INVENTED, SUPPORTED, Piece, marked
from finllm.settings.params import Params


@dataclass(frozen=True)
class Reply:
    """The answer of one model."""

    text: str
    pieces: tuple[Piece, ...]  # the text, with figures marked by comparison with the whole call
    figures: dict[str, int]  # how many are supported, contradicted, invented
    n_new_tokens: int
    hit_limit: bool  # stopped by the length limit and not by the end-of-turn token
    seconds: float


@dataclass(frozen=True)
class Exchange:
    """One question and each model's reply."""

    template: str
    question: str  # the template's own wording if none was given
    excerpt: str  # the part of the call that the prompt shows
    prompt_sha256: str
    n_prompt_tokens: int
    replies: dict[str, Reply]  # by model


class Session:
    """A session that asks several models about one call, with the prompts of `predict`.

    Parameters
    ----------
    call
        The call; it is cleaned, cut and put into the chat format as in the pipeline.
    answerers
        The models by name; all must have the same tokenizer.
    """

    def __init__(self, call: Transcript, answerers: Mapping[str, Answerer], params: Params) -> None:
        self.call = call
        self.answerers = answerers
        self.params = params
        self._examples: dict[str, Example] = {}

    def ask(self, template: str, question: str = "") -> Exchange:
        """Return each model's greedy answer to a question, or to the template's own if it is empty.

        Raises
        ------
        ValueError
            If the template is unknown, no part of the call fits the prompt, or the question leaves
            no room for an answer.
        """
        if template not in self._examples:
            self._examples[template] = example_of(self.call, self.params, template)
        example = self._examples[template]
        if question:
            example = replace(example, instruction=question)
        first = next(iter(self.answerers.values()))
        prompt = chat.render_example(first.tokenizer, example, self.params.templatize.system_prompt)
        ids = chat.encode_prompt(first.tokenizer, prompt)
        context = first.model.config.max_position_embeddings
        if len(ids) + first.max_new_tokens > context:
            raise ValueError(
                f"the prompt has {len(ids)} tokens; the model reads {context}, of which the "
                f"answer needs {first.max_new_tokens}; shorten the question"
            )
        return Exchange(
            template=template,
            question=example.instruction,
            excerpt=example.excerpt,
            prompt_sha256=chat.prompt_sha256(prompt),
            n_prompt_tokens=len(ids),
            replies={
                name: _reply(answerer, ids, example.excerpt, self.call.text)
                for name, answerer in self.answerers.items()
            },
        )


def example_of(call: Transcript, params: Params, template: str) -> Example:
    """Return the template's question about a call, as `predict` makes it for a folder of calls.

    Raises
    ------
    ValueError
        If the template is unknown, or no question can be made from the call.
    """
    if template not in templates.TEMPLATES:
        raise ValueError(f"template {template!r}; allowed: {', '.join(templates.TEMPLATES)}")
    with tempfile.TemporaryDirectory() as folder:
        write_jsonl(Path(folder) / "calls.jsonl", [call])
        try:
            (example,), _ = questions(Path(folder), params=params, template=template)
        except ValueError as error:
            raise ValueError(f"{call.id}: {str(error).replace(folder, 'the call')}") from None
    return example


def load_models(
    names: Sequence[str], *, adapter: Path | None, params: Params
) -> dict[str, Answerer]:
    """Load models by name (see ``finllm.model.choice``); all are in memory at the same time.

    Raises
    ------
    ValueError
        If a model is unknown, or has not been trained yet; the message says how to train it.
    """
    weights = {name: weights_of(name, adapter) for name in names}  # check all before loading any
    return {name: load_answerer(params, weights=folder) for name, folder in weights.items()}


def _reply(answerer: Answerer, ids: Sequence[int], excerpt: str, known: str) -> Reply:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        journal = answerer.journal(Path(folder), [ids], [excerpt])
        (answer,) = answerer.answer([ids], [excerpt], journal)
    seconds = time.perf_counter() - started
    text = answerer.text(answer)
    pieces = tuple(marked(text, [known]))
    counts = Counter(piece.mark for piece in pieces)
    return Reply(
        text=text,
        pieces=pieces,
        figures={mark: counts[mark] for mark in (SUPPORTED, CONTRADICTED, INVENTED)},
        n_new_tokens=len(answer.ids),
        hit_limit=answer.hit_limit,
        seconds=seconds,
    )
