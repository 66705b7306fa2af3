"""Both models' answers to some training examples, for people to rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from finllm.answering.asking import Asked, ask, own_questions
from finllm.answering.predicting import load_answerer
from finllm.instruct import splits
from finllm.instruct.chat import prompt_sha256, render_example
from finllm.model.choice import NO_ADAPTER, weights_of
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import base_folder, checkpoint_root, weights_sha256
from finllm.rating.answered import Answered, keep_answered, read_answered
from finllm.records import Example
from finllm.settings.params import Params


def answered_examples(
    params: Params, examples: Sequence[Example], ratings: Path, *, count: int, adapter: Path | None
) -> tuple[list[Example], list[Answered]]:
    """Return some examples and both models' answers to them; only missing answers are generated.

    Answers are saved with the ratings. Each call draws the same examples, so a rater can continue
    where they stopped. When prompts or weights have changed, the answers are generated again.

    Parameters
    ----------
    count
        Number of examples, spread over the companies; 0 for all.
    adapter
        Folder of the adapter, if not the tuned model's own.
    """
    drawn = splits.cap(examples, count, np.random.default_rng(params.predict.seed))
    weights = weights_of("tuned", adapter)
    m, system = params.model, params.templatize.system_prompt
    base = base_folder(m)
    tokenizer, sha256 = (
        load_tokenizer(base, revision=m.revision),
        weights_sha256(base, m.revision, weights),
    )
    prompts = {row.id: prompt_sha256(render_example(tokenizer, row, system)) for row in drawn}
    kept = _current(read_answered(ratings), prompts, sha256)
    missing = [row for row in drawn if row.id not in kept]
    if missing:
        asked = [
            _asked(params, name, missing, folder)
            for name, folder in (("base", NO_ADAPTER), ("tuned", weights))
        ]
        more = [
            Answered(
                row.id,
                prompts[row.id],
                sha256,
                base.text,
                tuned.text,
                base_cut=base.hit_limit,
                tuned_cut=tuned.hit_limit,
            )
            for row, base, tuned in zip(missing, *(one.own for one in asked), strict=True)
        ]
        keep_answered(ratings, more)
        for one in asked:
            one.journal.remove()
        kept |= {row.example_id: row for row in more}
    return drawn, [kept[row.id] for row in drawn]


def _current(
    answered: Sequence[Answered], prompts: Mapping[str, str], weights: str
) -> dict[str, Answered]:
    return {
        row.example_id: row
        for row in answered
        if row.prompt_sha256 == prompts.get(row.example_id) and row.weights_sha256 == weights
    }


def _asked(params: Params, name: str, examples: Sequence[Example], weights: Path) -> Asked:
    """Return a model's answers, generated as in the stage `predict`."""
    answerer = load_answerer(params, weights=weights)
    questions = own_questions(answerer, {"": examples}, params.templatize.system_prompt)
    return ask(answerer, questions, name=name, root=checkpoint_root())
