"""A model that answers prompts: loaded, asked, and its answers recorded with what they rest on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finllm.instruct import chat
from finllm.model.adapter import with_adapter
from finllm.model.compute_type import resolved
from finllm.model.full import is_full
from finllm.model.fused_decoder import can_decode
from finllm.model.loading import load_base
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import base_folder, file_sha256
from finllm.params import Model
from finllm.scoring.efficiency import Stopwatch, time_alone
from finllm.scoring.generate import Answer, answers
from finllm.scoring.journal import Journal


@dataclass(frozen=True)
class Answerer:
    """A model, its tokenizer, and how it decodes."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    weights_sha256: str
    max_new_tokens: int
    batch_size: int

    @property
    def decoding(self) -> str:
        """Strategy, limit, batch plan and compute type, in words that can be compared."""
        plan = "fused and packed, any company" if can_decode(self.model) else "batches by length"
        limits = f"{self.max_new_tokens} tokens at most, {self.batch_size} rows"
        return f"greedy, {limits}, {plan}, {self.compute_dtype}"

    @property
    def compute_dtype(self) -> str:
        """What the model computes in, in the words of params.yaml."""
        return str(self.model.dtype).removeprefix("torch.")

    def journal(self, root: Path, prompts: Sequence[str]) -> Journal:
        """Where the answers to these prompts are written as they come."""
        digest = hashlib.sha256(self.weights_sha256.encode())
        for text in (self.decoding, *prompts):
            digest.update(chat.prompt_sha256(text).encode())
        return Journal(root / f"answers-{digest.hexdigest()[:16]}.jsonl")

    def answer(
        self,
        ids: Sequence[Sequence[int]],
        journal: Journal,
        watch: Stopwatch | None = None,
    ) -> Iterator[Answer]:
        """The answer to each encoded prompt; those of the journal first, then the rest."""
        done = journal.read()
        yield from done.values()
        rest = answers(
            self.model,
            ids,
            max_new_tokens=self.max_new_tokens,
            stop_ids=chat.stop_ids(self.tokenizer),
            pad_id=self.tokenizer.pad_token_id,
            batch_size=self.batch_size,
            done=done,
            on_read=watch.read if watch else None,
        )
        for answer in journal.keep(rest):
            if watch:
                watch.ended(answer.index)
            yield answer

    def alone(self, ids: Sequence[Sequence[int]]) -> dict[str, float]:
        """What these prompts take when they come one at a time (``efficiency.time_alone``)."""
        return time_alone(
            self.model,
            ids,
            max_new_tokens=self.max_new_tokens,
            stop_ids=chat.stop_ids(self.tokenizer),
            pad_id=self.tokenizer.pad_token_id,
        )

    def text(self, answer: Answer) -> str:
        """What was written, without special tokens."""
        return self.tokenizer.decode(answer.ids, skip_special_tokens=True).strip()


def load_answerer(
    m: Model, *, weights: Path, quantization: str, max_new_tokens: int, batch_size: int
) -> Answerer:
    """The base model, tuned by what is in ``weights``: an adapter, a whole model, or nothing."""
    m = resolved(m)
    base = base_folder(m)
    full = is_full(weights)
    model = load_base(
        str(weights) if full else base,
        revision="" if full else m.revision,
        quantization=quantization,
        double_quantization=m.double_quantization,
        compute_dtype=m.compute_dtype,
        attention_kernel="matmul",
    ).eval()
    if weights.is_dir() and not full:
        model = with_adapter(model, weights, merge=quantization == "none")
    tokenizer = load_tokenizer(base, revision=m.revision)
    sha256 = weights_sha256(base, m.revision, weights)
    return Answerer(model, tokenizer, sha256, max_new_tokens, batch_size)


def weights_sha256(base: str, revision: str, weights: Path) -> str:
    """One hash of the safetensors of base and tuned; of a base on the Hub, its id and revision."""
    digest = hashlib.sha256(f"{base}@{revision}".encode() if not Path(base).is_dir() else b"")
    for folder in (Path(base), weights):
        for file in sorted(folder.glob("*.safetensors")):
            digest.update(file_sha256(file).encode())
    return digest.hexdigest()
