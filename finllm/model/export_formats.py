"""Export formats of a model: merged weights, a GGUF file, or the adapter with its card."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from bitsandbytes.nn import Int8Params, Params4bit
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from finllm.model import attention

FORMATS = ("merged", "gguf", "adapter")


@dataclass(frozen=True)
class GreedyAgreement:
    """Agreement of two models' greedy answers to the same prompts."""

    n_prompts: int
    exact_share: float  # share of prompts whose whole answers have the same tokens
    token_share: float  # share of the longer answers' tokens before the first difference
    # the first model's logit of its own token less that of the other's, at the first difference
    lead_at_differences: tuple[float, ...] = ()
    usual_lead: float | None = None  # median lead of a token over the second best in all answers


def greedy_agreement(
    ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]
) -> GreedyAgreement:
    """Compare answers, given as token ids, prompt by prompt.

    After the first difference two greedy answers are different texts, so only the tokens before it
    count as agreeing.

    >>> found = greedy_agreement([[1, 2, 3, 4], [5]], [[1, 2, 9, 4], [5]])
    >>> found.exact_share, found.token_share
    (0.5, 0.6)
    """
    same = total = exact = 0
    for a, b in zip(ours, theirs, strict=True):
        same += _n_same(a, b)
        total += max(len(a), len(b))
        exact += list(a) == list(b)
    return GreedyAgreement(len(ours), exact / len(ours), same / total if total else 1.0)


def _n_same(a: Sequence[int], b: Sequence[int]) -> int:
    """Return the number of tokens before the first difference."""
    differs = (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    return next(differs, min(len(a), len(b)))


@torch.no_grad()
def leads(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    ours: Sequence[Sequence[int]],
    theirs: Sequence[Sequence[int]],
    *,
    stop_id: int,
) -> tuple[tuple[float, ...], float | None]:
    """Compute the lead in logit of the tokens of ``ours``, at differences and overall.

    A lead much smaller than the usual one is a near tie, which sixteen-bit rounding decides; a lead
    as large as usual means that the weights are not the same. It can be slightly below 0, since the
    answers may have been decoded by other kernels.

    Returns
    -------
    tuple
        For each pair of answers that differ, the logit of our token less that of theirs at the
        first difference (``stop_id`` if an answer ends there); and the median lead of all tokens of
        ``ours`` over the second best, or None without a token.
    """
    found, usual = [], []
    for prompt, a, b in zip(prompts, ours, theirs, strict=True):
        ids = torch.tensor([[*prompt, *a]], device=model.device)
        logits = model(ids, use_cache=False).logits[0, len(prompt) - 1 :].float()
        best = logits[: len(a)].topk(2).values
        usual.append(best[:, 0] - best[:, 1])
        if list(a) != list(b):
            at = _n_same(a, b)
            own, other = ([*answer, stop_id][at] for answer in (a, b))
            found.append(float(logits[at, own] - logits[at, other]))
    every = torch.cat(usual) if usual else torch.empty(0)
    return tuple(found), float(every.median()) if len(every) else None


@contextlib.contextmanager
def new_folder(output: Path, *, force: bool) -> Iterator[Path]:
    """Yield a temporary folder that replaces ``output`` once everything is written.

    Raises
    ------
    ValueError
        If ``output`` is a file, or a folder that is not empty and ``force`` is false.
    """
    if output.is_file():
        raise ValueError(f"{output} is a file; name a folder")
    if output.is_dir() and any(output.iterdir()) and not force:
        raise ValueError(f"{output} is not empty; --force replaces it, or name another folder")
    temporary = output.with_name(output.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(output, ignore_errors=True)
        os.replace(temporary, output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_merged(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write safetensors, tokenizer, chat template and settings for plain ``from_pretrained``."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)


@contextlib.contextmanager
def set_aside(model: PreTrainedModel) -> Iterator[None]:
    """Move a model off the GPU while another one uses it; a quantized model stays there."""
    device = model.device
    if device.type == "cpu" or any(
        isinstance(p, (Int8Params, Params4bit)) for p in model.parameters()
    ):
        yield
        return
    model.to("cpu")
    torch.cuda.empty_cache()
    try:
        yield
    finally:
        torch.cuda.empty_cache()
        model.to(device)


def reload(
    folder: Path, *, dtype: torch.dtype, device: torch.device, gguf_file: str = ""
) -> PreTrainedModel:
    """Load an exported model as any user would (a GGUF file with transformers' own reader).

    Use the device that wrote the answers to compare with, since another device rounds differently.
    """
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        attn_implementation=attention.NAME if device.type == "cpu" else attention.READING,
        **({"gguf_file": gguf_file} if gguf_file else {}),
    )
    return model.to(device).eval()
