"""Answers by this project's decoder: loading of the model, generation with recorded settings."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

import finllm.languages
import finllm.model
import finllm.numbers
import finllm.scoring
from finllm.answering.answerer import Answering
from finllm.answering.efficiency import Stopwatch, time_alone
from finllm.answering.generate import Answer, answers
from finllm.answering.perplexity import reference_nats
from finllm.answering.rules import Rules
from finllm.instruct import chat
from finllm.instruct.chat import Encoded
from finllm.model import arithmetic
from finllm.model.adapter import with_adapter
from finllm.model.compute_type import resolved
from finllm.model.full import is_full
from finllm.model.fused_decoder import can_decode
from finllm.model.loading import load_base
from finllm.model.process_memory import is_out_of_memory, peak_memory_gb
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import base_folder, file_sha256, weights_sha256
from finllm.records import FREE
from finllm.runtime.provenance import Provenance, provenance
from finllm.settings.params import Params

READ = (".py", ".tsv", ".json")  # code and word lists


@dataclass(frozen=True)
class Answerer(Answering):
    """A model in this process, its tokenizer, and its decoding settings.

    ``loaded_as`` has settings that the weights' hash does not cover: their quantization, and the
    configuration of the adapter or tuned model.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    weights_sha256: str
    max_new_tokens: int
    batch_size: int
    grounding: str  # none, figures (finllm.answering.rules)
    repetition: str  # allow, bullets, figures
    stop_penalty: float  # nats
    loaded_as: Mapping[str, object]

    @property
    def decoding(self) -> str:
        """Strategy, limit, batch plan, compute type and rules, as a text that can be compared."""
        plan = "fused and packed, any company" if can_decode(self.model) else "batches by length"
        limits = f"{self.max_new_tokens} tokens at most, {self.batch_size} rows"
        rules = ", figures of the excerpt alone" if self.grounding == "figures" else ""
        rules += {"allow": "", "bullets": ", no bullet twice", "figures": ", no figure twice"}[
            self.repetition
        ]
        rules += f", {self.stop_penalty:g} nats against ending" if self.stop_penalty else ""
        return f"greedy, {limits}, {plan}, {self.compute_dtype}{rules}"

    def free(self) -> Answerer:
        """Return this answerer with plain greedy decoding, without rules."""
        return replace(self, grounding="none", repetition="allow", stop_penalty=0.0)

    @property
    def stop_ids(self) -> list[int]:
        """Ids that end an answer, from the chat template, the tokenizer and the model's settings.

        Llama-3-Instruct's generation settings name two, but its tokenizer only one of them.
        """
        own = self.model.generation_config.eos_token_id
        own = own if isinstance(own, list) else [own]
        return sorted({*chat.stop_ids(self.tokenizer), *(i for i in own if i is not None)})

    @property
    def compute_dtype(self) -> str:
        """Compute type of the model, as in params.yaml."""
        return str(self.model.dtype).removeprefix("torch.")

    @property
    def identity(self) -> dict[str, object]:
        """Everything that an answer depends on besides its prompt, as JSON values.

        ``decoding`` tells whether fused or plain layers are used. Plain layers round differently
        with another number of threads, fused ones do not.
        """
        config = self.model.config.to_dict()
        config.pop("_name_or_path", None)  # location of the weights, which are hashed themselves
        plain = not can_decode(self.model)
        return {
            "weights": self.weights_sha256,
            "loaded as": dict(self.loaded_as),
            "config": config,
            "commit": vars(self.model.config).get("_commit_hash"),  # of a base on the Hub
            "dtypes": sorted({str(parameter.dtype) for parameter in self.model.parameters()}),
            "attention": self.model.config._attn_implementation,
            "device": self.model.device.type,
            "decoding": self.decoding,
            "stops": self.stop_ids,
            "threads": torch.get_num_threads() if plain else 0,
            "arithmetic": arithmetic.kind(),
            "libraries": arithmetic.libraries(),
            "code": _code_sha256(ruled=self.has_rules),
            "grounding": self.grounding,
            "repetition": self.repetition,
            "stop penalty": self.stop_penalty,
        }

    def provenance(self) -> Provenance:
        """Return the provenance of the answers (``finllm.runtime.provenance``)."""
        processor = arithmetic.processor_in_words()
        return provenance(processor=processor, dtype=str(self.model.config.dtype))

    @property
    def context(self) -> int:
        """Maximum number of tokens of a prompt and its answer together."""
        return self.model.config.max_position_embeddings

    def losses(self, rows: Sequence[Encoded]) -> Iterator[float]:
        """Yield the nats of each reference, in order."""
        return reference_nats(self.model, rows)

    def generated(
        self,
        ids: Sequence[Sequence[int]],
        excerpts: Sequence[str],
        parts: Sequence[str],
        done: Collection[int],
        watch: Stopwatch | None = None,
    ) -> Iterator[Answer]:
        """Yield the answers that are not ``done``.

        Raises
        ------
        ValueError
            If memory runs out; the message tells which parameter to change.
        """
        try:
            yield from answers(
                self.model,
                ids,
                max_new_tokens=self.max_new_tokens,
                stop_ids=self.stop_ids,
                pad_id=self.tokenizer.pad_token_id,
                batch_size=self.batch_size,
                done=done,
                on_read=watch.read if watch else None,
                rules=self._rules(excerpts, [i for i, part in enumerate(parts) if part == FREE]),
                parts=parts,
            )
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            n, longest = min(self.batch_size, len(ids)), max(len(prompt) for prompt in ids)
            raise ValueError(
                f"out of memory, at a peak of {peak_memory_gb():.1f} GB so far, with "
                f"{n} prompts of up to {longest} tokens and answers of up to "
                f"{self.max_new_tokens} in a batch; halve predict.batch_size, or set "
                "predict.quantization to nf4"
            ) from None

    def alone(self, ids: Sequence[Sequence[int]], excerpts: Sequence[str]) -> dict[str, float]:
        """Measure the latency of these prompts sent one at a time (``efficiency.time_alone``)."""
        return time_alone(
            self.model,
            ids,
            max_new_tokens=self.max_new_tokens,
            stop_ids=self.stop_ids,
            pad_id=self.tokenizer.pad_token_id,
            rules=[self._rules([excerpt]) for excerpt in excerpts],
        )

    def _rules(self, excerpts: Sequence[str], free: Sequence[int] = ()) -> Rules:
        return Rules(
            self.tokenizer,
            stop_ids=self.stop_ids,
            excerpts=excerpts,
            grounding=self.grounding,
            repetition=self.repetition,
            stop_penalty=self.stop_penalty,
            free=free,
        )


def load_answerer(params: Params, *, weights: Path) -> Answerer:
    """Load the base model with the weights in a folder: an adapter, a whole model, or none."""
    m, p = resolved(params.model), params.predict
    base = base_folder(m)
    full = is_full(weights)
    model = load_base(
        str(weights) if full else base,
        revision="" if full else m.revision,
        quantization=p.quantization,
        double_quantization=m.double_quantization,
        compute_dtype=m.compute_dtype,
        attention_kernel="answers",
    ).eval()
    if weights.is_dir() and not full:
        model = with_adapter(model, weights, merge=p.quantization == "none")
    tokenizer = load_tokenizer(base, revision=m.revision)
    loaded_as = {
        "quantization": p.quantization,
        "double_quantization": m.double_quantization,
        "tuned": _settings_of(weights),
    }
    sha256 = weights_sha256(base, m.revision, weights)
    decoding = p.max_new_tokens, p.batch_size, p.grounding, p.repetition, p.stop_penalty
    return Answerer(model, tokenizer, sha256, *decoding, loaded_as)


def _settings_of(weights: Path) -> dict[str, str]:
    """Return the hash of each JSON file next to tuned weights, such as the adapter's settings."""
    return {file.name: file_sha256(file) for file in sorted(weights.glob("*.json"))}


def _code_sha256(*, ruled: bool) -> str:
    """Return a hash of the code that computes answers, with that of the rules if ``ruled``."""
    files = [
        *sorted(Path(finllm.model.__path__[0]).glob("*.py")),
        Path(inspect.getfile(answers)),
    ]
    if ruled:
        files += sorted(Path(inspect.getfile(answers)).parent.glob("*.py"))
        for package in (finllm.numbers, finllm.languages, finllm.scoring):
            every = Path(package.__path__[0]).rglob("*.*")
            files += sorted(file for file in every if file.suffix in READ)
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
