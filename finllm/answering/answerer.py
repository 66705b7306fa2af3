"""Interface of a model that answers questions, on any backend."""

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
    """Base class of answerers, with the parts shared by this project's decoder, Ray and vLLM.

    ``generated`` yields the answers that are not ``done``, each once, in any order. ``losses``
    yields the nats of each reference (``finllm.answering.perplexity``). ``alone`` measures the
    latency of requests sent one at a time. ``free`` returns the same model without rules.
    """

    tokenizer: PreTrainedTokenizerBase
    weights_sha256: str
    max_new_tokens: int
    batch_size: int
    grounding: str  # none, figures (finllm.answering.rules)
    repetition: str  # allow, bullets, figures
    stop_penalty: float  # nats
    decoding: str  # strategy, limit, batch plan, compute type, rules
    compute_dtype: str  # as in params.yaml
    context: int  # maximum tokens of prompt and answer together
    identity: Mapping[str, object]  # everything that an answer depends on besides its prompt

    @abstractmethod
    def free(self) -> Answering:
        """Return this answerer with plain greedy decoding, without rules."""

    @abstractmethod
    def provenance(self) -> Provenance:
        """Return the provenance of the answers (``finllm.runtime.provenance``)."""

    @abstractmethod
    def generated(
        self,
        ids: Sequence[Sequence[int]],
        excerpts: Sequence[str],
        parts: Sequence[str],
        done: Collection[int],
        watch: Stopwatch | None,
    ) -> Iterator[Answer]:
        """Yield the answers that are not ``done``; see ``answer``."""

    @abstractmethod
    def losses(self, rows: Sequence[Encoded]) -> Iterator[float]:
        """Yield the nats of each reference, in order."""

    @abstractmethod
    def alone(self, ids: Sequence[Sequence[int]], excerpts: Sequence[str]) -> dict[str, float]:
        """Measure the latency of these prompts sent one at a time (``efficiency.time_alone``)."""

    @property
    def has_rules(self) -> bool:
        """Whether any rule besides the length limit applies to answers."""
        return (self.grounding, self.repetition, self.stop_penalty) != ("none", "allow", 0)

    def journal(
        self,
        root: Path,
        ids: Sequence[Sequence[int]],
        excerpts: Sequence[str],
        parts: Sequence[str] = (),
    ) -> Journal:
        """Return the journal to which the answers to these encoded prompts are written."""
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
        """Yield the answer to each encoded prompt: first those in the journal, then the rest.

        ``excerpts`` are the excerpts of calls in the prompts. ``parts`` name the purpose of each
        prompt; those named ``FREE`` are answered without rules.
        """
        done = journal.read()
        yield from done.values()
        for answer in journal.keep(self.generated(ids, excerpts, parts, done, watch)):
            if watch:
                watch.ended(answer.index)
            yield answer

    def text(self, answer: Answer) -> str:
        """Return the text of an answer, without special tokens."""
        return self.tokenizer.decode(answer.ids, skip_special_tokens=True).strip()
