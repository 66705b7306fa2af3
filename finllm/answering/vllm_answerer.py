"""Answers from vLLM on a GPU: greedy, without this project's decoding rules."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import torch
from transformers import PreTrainedTokenizerBase

from finllm.answering.answerer import Answering
from finllm.answering.efficiency import Stopwatch
from finllm.answering.generate import Answer
from finllm.instruct import chat
from finllm.instruct.chat import Encoded
from finllm.model import arithmetic
from finllm.model.compute_type import resolved
from finllm.model.full import is_full
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import base_folder, weights_sha256
from finllm.runtime.provenance import Provenance, provenance
from finllm.settings.params import Params


@dataclass(frozen=True)
class VllmAnswerer(Answering):
    """A model in vLLM's engine, with any adapter as a LoRA request."""

    vllm: ModuleType
    engine: object
    lora: object  # request for the adapter; None for the base model and for whole models
    tokenizer: PreTrainedTokenizerBase
    weights_sha256: str
    max_new_tokens: int
    batch_size: int
    compute_dtype: str
    context: int
    grounding: str = "none"
    repetition: str = "allow"
    stop_penalty: float = 0.0

    @property
    def decoding(self) -> str:
        """Strategy, limit, engine and compute type."""
        engine = f"vLLM {version('vllm')}"
        return f"greedy, {self.max_new_tokens} tokens at most, {engine}, {self.compute_dtype}"

    @property
    def identity(self) -> Mapping[str, object]:
        """Everything that an answer depends on besides its prompt, except for vLLM's batches."""
        return {
            "weights": self.weights_sha256,
            "decoding": self.decoding,
            "stops": chat.stop_ids(self.tokenizer),
            "device": torch.cuda.get_device_name(),
            "arithmetic": arithmetic.kind(),
            "libraries": arithmetic.libraries(),
        }

    def free(self) -> VllmAnswerer:
        """Return this answerer, since it has no rules."""
        return self

    def provenance(self) -> Provenance:
        """Return the provenance of the answers (``finllm.runtime.provenance``)."""
        return provenance(processor=torch.cuda.get_device_name(), dtype=self.compute_dtype)

    def generated(
        self,
        ids: Sequence[Sequence[int]],
        excerpts: Sequence[str],
        parts: Sequence[str],
        done: Collection[int],
        watch: Stopwatch | None,
    ) -> Iterator[Answer]:
        """Yield the answers that are not ``done``, ``batch_size`` prompts at a time, no rules."""
        left, stops = [i for i in range(len(ids)) if i not in done], chat.stop_ids(self.tokenizer)
        for start in range(0, len(left), self.batch_size):
            batch = left[start : start + self.batch_size]
            found = self._run(
                [ids[i] for i in batch], max_tokens=self.max_new_tokens, stop_token_ids=stops
            )
            for i, output in zip(batch, found, strict=True):
                one = output.outputs[0]
                written = list(one.token_ids)
                if written and written[-1] in stops:
                    written.pop()
                yield Answer(i, written, one.finish_reason == "length")

    def losses(self, rows: Sequence[Encoded]) -> Iterator[float]:
        """Yield the nats of each reference, from log-probabilities of its tokens in a prompt."""
        for row in rows:
            (output,) = self._run([row.input_ids], max_tokens=1, prompt_logprobs=0)
            places = range(row.n_prompt, len(row.input_ids))
            yield -sum(output.prompt_logprobs[i][row.input_ids[i]].logprob for i in places)

    def alone(self, ids: Sequence[Sequence[int]], excerpts: Sequence[str]) -> dict[str, float]:
        """Return {}: the latency of vLLM is better measured through its server."""
        return {}

    def _run(self, prompts: Sequence[Sequence[int]], **sampling: object) -> list:
        settings = self.vllm.SamplingParams(temperature=0.0, detokenize=False, **sampling)
        asked = [{"prompt_token_ids": list(prompt)} for prompt in prompts]
        return self.engine.generate(asked, settings, lora_request=self.lora, use_tqdm=False)


def vllm_answerer(params: Params, *, weights: Path) -> VllmAnswerer:
    """Load the base model in vLLM with the weights in a folder: an adapter, a whole model, or none.

    Raises
    ------
    ValueError
        If CUDA or the package is missing.
    """
    check_vllm()
    import vllm
    from vllm.lora.request import LoRARequest

    m, p = resolved(params.model), params.predict
    base, full = base_folder(m), is_full(weights)
    adapter = weights if weights.is_dir() and not full else None
    rank = json.loads((adapter / "adapter_config.json").read_text())["r"] if adapter else 16
    engine = vllm.LLM(
        model=str(weights) if full else base,
        tokenizer=base,
        revision=None if full else m.revision or None,
        dtype=m.compute_dtype,
        enable_lora=adapter is not None,
        max_lora_rank=rank,
        seed=p.seed,
    )
    return VllmAnswerer(
        vllm=vllm,
        engine=engine,
        lora=LoRARequest("tuned", 1, str(adapter.absolute())) if adapter else None,
        tokenizer=load_tokenizer(base, revision=m.revision),
        weights_sha256=weights_sha256(base, m.revision, weights),
        max_new_tokens=p.max_new_tokens,
        batch_size=p.batch_size,
        compute_dtype=m.compute_dtype,
        context=engine.llm_engine.model_config.max_model_len,
    )


def check_vllm() -> None:
    """Raise an error unless this machine has a GPU and vLLM.

    Raises
    ------
    ValueError
        If one of them is missing; the message tells what to do.
    """
    if not torch.cuda.is_available():
        raise ValueError(
            "predict.backend is vllm, which needs a GPU; this machine has none; use auto"
        )
    if importlib.util.find_spec("vllm") is None:
        raise ValueError("predict.backend is vllm, but vllm is not installed; use auto")
