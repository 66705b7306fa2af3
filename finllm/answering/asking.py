"""Answering of the test questions and their variants, and losses on the references."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finllm.answering.answerer import Answering
from finllm.answering.efficiency import Stopwatch, latency, phases, spread
from finllm.answering.journal import Journal
from finllm.instruct import chat
from finllm.instruct.fewshot import few_shot_prompt
from finllm.model.process_memory import peak_memory_gb
from finllm.records import FREE, Example, Prediction, ReferenceLoss
from finllm.runtime import screen


@dataclass(frozen=True)
class Question:
    """An example and its rendered prompt for a model."""

    example: Example
    prompt: str
    asked: str = ""  # how the prompt differs from the example's own, as in ``Prediction``


@dataclass(frozen=True)
class Asked:
    """Answers to some questions, in the order of the questions, and their cost."""

    predictions: list[Prediction]
    ids: list[list[int]]  # of the prompts
    excerpts: list[str]  # in the prompts
    journal: Journal  # to be removed once the predictions are saved elsewhere
    n_before: int  # answers left by a killed run
    seconds: float
    watch: Stopwatch

    @property
    def own(self) -> list[Prediction]:
        """Answers to the unchanged examples, under the rules of the answerer."""
        return [row for row in self.predictions if not row.asked]

    @property
    def changed(self) -> list[Prediction]:
        """All other answers: to changed prompts, or without the decoding rules."""
        return [row for row in self.predictions if row.asked]


def ask(answerer: Answering, questions: Sequence[Question], *, name: str, root: Path) -> Asked:
    """Ask a model all questions, and record its answers under ``name``.

    Answers are saved under ``root`` as they are completed, so that a killed run can resume. All
    questions are decoded together if the model allows it, which is faster than set by set.
    """
    ids = [chat.encode_prompt(answerer.tokenizer, question.prompt) for question in questions]
    excerpts = [question.example.excerpt for question in questions]
    parts = [question.asked for question in questions]
    journal = answerer.journal(root, ids, excerpts, parts)
    n_before, watch = len(journal.read()), Stopwatch()
    started = time.perf_counter()
    found = answerer.answer(ids, excerpts, journal, watch, parts)
    bar = screen.Bar(found, total=len(ids), desc=f"predict@{name}", unit="answer")
    ruled, free = answerer.decoding, answerer.free().decoding
    predictions = [
        Prediction(
            example_id=questions[answer.index].example.id,
            model=name,
            text=answerer.text(answer),
            prompt_sha256=chat.prompt_sha256(questions[answer.index].prompt),
            n_prompt_tokens=len(ids[answer.index]),
            n_new_tokens=len(answer.ids),
            hit_limit=answer.hit_limit,
            decoding=free if parts[answer.index] == FREE else ruled,
            weights_sha256=answerer.weights_sha256,
            asked=parts[answer.index],
        )
        for answer in sorted(bar, key=lambda answer: answer.index)
    ]
    return Asked(
        predictions, ids, excerpts, journal, n_before, time.perf_counter() - started, watch
    )


def own_questions(
    answerer: Answering, sets: Mapping[str, Sequence[Example]], system_prompt: str
) -> list[Question]:
    """Return the examples as questions with the prompts of training.

    The keys of ``sets`` tell how the examples differ from the test examples, as in ``Prediction``.
    """
    return [
        Question(row, chat.render_example(answerer.tokenizer, row, system_prompt), asked)
        for asked, rows in sets.items()
        for row in rows
    ]


def ask_with_shots(
    answerer: Answering,
    examples: Sequence[Example],
    train: Sequence[Example],
    *,
    k: int,
    system_prompt: str,
    seed: int,
    name: str,
    root: Path,
) -> tuple[Asked, dict[str, object]]:
    """Ask as ``ask`` does, with ``k`` answered training examples per prompt, or as many as fit.

    Also return ``few_shot`` for the stage's metrics: ``k`` and the mean number of examples shown.
    """
    room = answerer.context - answerer.max_new_tokens
    prompts = [
        few_shot_prompt(
            answerer.tokenizer,
            example,
            train,
            k=k,
            system_prompt=system_prompt,
            max_tokens=room,
            seed=seed,
        )
        for example in examples
    ]
    questions = [
        Question(example, prompt.text) for example, prompt in zip(examples, prompts, strict=True)
    ]
    n_shown = sum(len(prompt.shot_ids) for prompt in prompts)
    shown = {"few_shot": {"k": k, "mean_shown": n_shown / len(prompts)}}
    return ask(answerer, questions, name=name, root=root), shown


def reference_losses(
    answerer: Answering, examples: Sequence[Example], system_prompt: str, *, name: str
) -> list[ReferenceLoss]:
    """Compute the loss of each example's reference given its prompt, encoded as in training."""
    tokenizer = answerer.tokenizer
    rows = [
        chat.encode_example(
            tokenizer, chat.render_example(tokenizer, row, system_prompt), row.answer
        )
        for row in examples
    ]
    nats = screen.Bar(
        answerer.losses(rows),
        total=len(rows),
        desc=f"{name} references",
        unit="example",
    )
    return [
        ReferenceLoss(example.id, name, len(row.input_ids) - row.n_prompt, value)
        for example, row, value in zip(examples, rows, nats, strict=True)
    ]


def summary(answerer: Answering, asked: Asked, *, n_alone: int) -> dict[str, object]:
    """Summarise the answers, with the values that vary from run to run under ``cost``.

    ``n_alone`` prompts are asked again, one at a time, for the latency of a single request. The
    other latency is that of an answer in its batch, from the start of reading its prompt. Costs
    cover all answers, the other values only ``asked.own``.
    """
    rows = asked.own
    prompt_tokens = [row.n_prompt_tokens for row in asked.predictions]
    new_tokens = [row.n_new_tokens for row in asked.predictions]
    few = spread([row.n_prompt_tokens for row in rows], n_alone)  # these are asked first
    alone = [asked.ids[i] for i in few], [asked.excerpts[i] for i in few]
    return {
        "answers": len(rows),
        "empty": sum(not row.text for row in rows),
        "hit_limit_share": sum(row.hit_limit for row in rows) / len(rows),
        "mean_new_tokens": sum(row.n_new_tokens for row in rows) / len(rows),
        "weights_sha256": answerer.weights_sha256,
        "decoding": {
            "strategy": "greedy",
            "batch_size": answerer.batch_size,
            "grounding": answerer.grounding,
            "repetition": answerer.repetition,
            "stop_penalty": answerer.stop_penalty,
        },
        "provenance": dataclasses.asdict(answerer.provenance()),
        "cost": {
            "answers_before_a_kill": asked.n_before,
            "seconds": asked.seconds,
            "new_tokens_per_second": sum(new_tokens) / asked.seconds,
            "prompt_tokens_per_second": sum(prompt_tokens) / asked.seconds,
            "peak_memory_gb": peak_memory_gb(),
            **phases(
                asked.watch,
                seconds=asked.seconds,
                prompt_tokens=prompt_tokens,
                new_tokens=new_tokens,
            ),
            "latency": {
                "in_batch": latency(list(asked.watch.seconds.values())),
                "alone": answerer.alone(*alone),
            },
        },
    }
