"""Export formats of the tuned model: merged weights, a GGUF file, or the adapter with its card."""

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
    """How far two models' greedy answers to the same prompts are the same."""

    n_prompts: int
    exact_share: float  # of the prompts: the whole answer is the same, token by token
    token_share: float  # of the longer answer's tokens: those before the first that differs
    # by how much the first model's logit of its own token leads the other's, where two answers part
    lead_at_differences: tuple[float, ...] = ()
    usual_lead: float | None = None  # of a token over the second best: the median of all answers


def greedy_agreement(
    ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]
) -> GreedyAgreement:
    """Compare answers as token ids, prompt by prompt.

    A greedy answer that has gone another way once is another text from there on, so tokens count
    as agreeing up to the first difference.

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
    """Tokens before the first that differs."""
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
    """How sure the model that wrote ``ours`` was where ``theirs`` parts from it, and usually.

    A small lead, beside the usual one, is a near tie, which the rounding of sixteen bits decides; a
    lead as large as usual means that the weights are not the same. Slightly below 0 is possible:
    the answers may have been decoded by other kernels.

    Returns
    -------
    tuple
        For each pair of answers that differ, the logit of our token less that of theirs at the
        first difference (``stop_id`` where an answer ends there); and the median lead of all
        tokens of ``ours`` over the second best, None if there is no token.
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
    """A temporary folder that takes the place of ``output`` when all is written.

    Raises
    ------
    ValueError
        If ``output`` holds something already, or is a file.
    """
    if output.is_file() or (output.is_dir() and any(output.iterdir()) and not force):
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
    """What plain ``from_pretrained`` loads: safetensors, tokenizer, chat template, settings."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)


@contextlib.contextmanager
def set_aside(model: PreTrainedModel) -> Iterator[None]:
    """Leave the room of a model on a GPU to another one; quantized weights stay where they are."""
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
    """What was exported, loaded as anyone would (a GGUF file by transformers' own reader).

    On the device that wrote the answers to compare with: another one rounds otherwise.
    """
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        attn_implementation=attention.NAME if device.type == "cpu" else attention.READING,
        **({"gguf_file": gguf_file} if gguf_file else {}),
    )
    return model.to(device).eval()
