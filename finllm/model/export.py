"""The tuned model as others load it: merged weights, a GGUF file, or the adapter with its card."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from finllm.model import attention

FORMATS = ("merged", "gguf", "adapter")


@dataclass(frozen=True)
class Agreement:
    """How far two models' greedy answers to the same prompts are the same."""

    n_prompts: int
    exact_share: float  # of the prompts: the whole answer is the same, token by token
    token_share: float  # of the longer answer's tokens: those before the first that differs


def agreement(ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> Agreement:
    """Compare answers as token ids, prompt by prompt.

    A greedy answer that has gone another way once is another text from there on, so tokens count
    as agreeing up to the first difference.

    >>> agreement([[1, 2, 3, 4], [5]], [[1, 2, 9, 4], [5]])
    Agreement(n_prompts=2, exact_share=0.5, token_share=0.6)
    """
    same = total = exact = 0
    for a, b in zip(ours, theirs, strict=True):
        differs = (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
        same += next(differs, min(len(a), len(b)))
        total += max(len(a), len(b))
        exact += list(a) == list(b)
    return Agreement(len(ours), exact / len(ours), same / total if total else 1.0)


@contextlib.contextmanager
def new_folder(output: Path, *, force: bool) -> Iterator[Path]:
    """A temporary folder that takes the place of ``output`` when all is written.

    Raises
    ------
    ValueError
        Where ``output`` holds something already, or is a file.
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


def tuned(base: PreTrainedModel, adapter: Path) -> PeftModel:
    """The adapter on its base.

    Raises
    ------
    ValueError
        Where there is no adapter.
    """
    if not (adapter / "adapter_config.json").is_file():
        raise ValueError(f"{adapter}: no adapter there; run `dvc repro train` first")
    return PeftModel.from_pretrained(base, str(adapter)).eval()


def write_merged(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """What plain ``from_pretrained`` loads: safetensors, tokenizer, chat template, settings."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)


def reload(folder: Path, *, gguf_file: str = "") -> PreTrainedModel:
    """What was exported, loaded as anyone would (a GGUF file by transformers' own reader)."""
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.bfloat16,
        attn_implementation=attention.NAME,
        **({"gguf_file": gguf_file} if gguf_file else {}),
    )
    return model.eval()
