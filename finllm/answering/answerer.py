"""What a model that answers questions offers, whatever computes its answers."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from finllm.answering.efficiency import Stopwatch
from finllm.answering.generate import Answer
from finllm.answering.journal import Journal
from finllm.instruct.chat import Encoded
from finllm.runtime.provenance import Provenance


class Answering(ABC):
    """The part that is the same for this project's own decoder, Ray and vLLM.

    ``generated`` gives the answers that are not ``done``, each once, in any order; ``losses`` the
    nats of each reference (``finllm.answering.perplexity``); ``alone`` the latency of requests that
    come one at a time; ``free`` the same model without rules.
    """

    tokenizer: PreTrainedTokenizerBase
    weights_sha256: str
    max_new_tokens: int
    batch_size: int
    grounding: str  # none, figures (finllm.answering.rules)
    repetition: str  # allow, bullets, figures
    stop_penalty: float  # nats
    decoding: str  # strategy, limit, batch plan, compute type, rules
    compute_dtype: str  # in the words of params.yaml
    context: int  # tokens of prompt and answer together
    identity: Mapping[str, object]  # all that an answer depends on beside its prompt

    @abstractmethod
    def free(self) -> Answering:
        """The same model, writing what it finds most probable."""

    @abstractmethod
    def provenance(self) -> Provenance:
        """What the answers are made with."""

    @abstractmethod
    def generated(
        self,
        ids: Sequence[Sequence[int]],
        excerpts: Sequence[str],
        parts: Sequence[str],
        done: Collection[int],
        watch: Stopwatch | None,
    ) -> Iterator[Answer]:
        """The answers that are not ``done``; see ``answer``."""

    @abstractmethod
    def losses(self, rows: Sequence[Encoded]) -> Iterator[float]:
        """The nats of each reference, in order."""

    @abstractmethod
    def alone(self, ids: Sequence[Sequence[int]], excerpts: Sequence[str]) -> dict[str, float]:
        """What these prompts take when they come one at a time (``efficiency.time_alone``)."""

    @property
    def has_rules(self) -> bool:
        """Whether anything but the length limit holds while an answer is written."""
        return (self.grounding, self.repetition, self.stop_penalty) != ("none", "allow", 0)

    def journal(
        self,
        root: Path,
        ids: Sequence[Sequence[int]],
        excerpts: Sequence[str],
        parts: Sequence[str] = (),
    ) -> Journal:
        """Where the answers to these encoded prompts are written as they come."""
        named_by = [self.identity, [list(row) for row in ids], list(excerpts), list(parts)]
        digest = hashlib.sha256(json.dumps(named_by, sort_keys=True, default=str).encode())
        return Journal(root / f"answers-{digest.hexdigest()[:16]}.jsonl")

    def answer(
        self,
        ids: Sequence[Sequence[int]],
        excerpts: Sequence[str],
        journal: Journal,
        watch: Stopwatch | None = None,
        parts: Sequence[str] = (),
    ) -> Iterator[Answer]:
        """The answer to each encoded prompt; those of the journal first, then the rest.

        ``excerpts`` are what the prompts show of their calls; ``parts`` name what each prompt is
        asked for, and those named ``FREE`` are answered without rules.
        """
        done = journal.read()
        yield from done.values()
        for answer in journal.keep(self.generated(ids, excerpts, parts, done, watch)):
            if watch:
                watch.ended(answer.index)
            yield answer

    def text(self, answer: Answer) -> str:
        """What was written, without special tokens."""
        return self.tokenizer.decode(answer.ids, skip_special_tokens=True).strip()
