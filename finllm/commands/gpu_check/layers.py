"""Checks of logits, gradients, dropout and merged weights of a small model against exact ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from peft import PeftModel
from transformers import PreTrainedModel

from finllm.commands.gpu_check import models
from finllm.commands.gpu_check.bounds import SIGMAS, allowed, distance
from finllm.commands.gpu_check.finding import Finding, bounded
from finllm.model import export_formats
from finllm.model.compute_type import DTYPES
from finllm.model.lora_linear import keep_mask
from finllm.training.trainer import LabelledLossTrainer

N_ROWS, N_TOKENS = 3, 48
BLOCK, NESTED = 64, 256  # weights per constant; constants per nested constant


@torch.no_grad()
def logits(model: PreTrainedModel, ids: torch.Tensor) -> torch.Tensor:
    """Return the logits of all tokens, in float32 on the CPU."""
    return model(ids.to(model.device), use_cache=False).logits.float().cpu()


def logits_agree(name: str, folder: str, dtype: str, *, kernel: str = "sdpa") -> Finding:
    """Compare the logits of the model with those of the exact model.

    The model is loaded as in the stages, in the type ``dtype`` with the attention ``kernel``.
    """
    reference = models.exact(folder)
    ids = models.random_ids(N_ROWS, N_TOKENS, reference.config.vocab_size)
    found = logits(models.loaded(folder, dtype, kernel=kernel), ids)
    bound = allowed(reference.config, N_TOKENS, DTYPES[dtype])
    return bounded(name, distance(found, logits(reference, ids)), bound)


def quantized(device: torch.device) -> Finding:
    """Check that NF4 with double quantization changes no weight by more than half the widest step.

    The constants of the blocks are quantized as well, after their mean is subtracted, in steps
    relative to the largest of each 256 constants.
    """
    generator = torch.Generator().manual_seed(models.SEED)
    weight = torch.randn(512, 512, generator=generator).to(device)
    values, state = quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
    back = dequantize_4bit(values, state)
    constants = weight.reshape(-1, BLOCK).abs().amax(1)
    centred = (constants - state.offset).reshape(-1, min(NESTED, len(constants))).abs().amax(1)
    half_step, half_nested = (
        float(code.sort().values.diff().max()) / 2 for code in (state.code, state.state2.code)
    )
    off = half_nested * centred.repeat_interleave(len(constants) // len(centred))
    most = (half_step * (constants + off) + off)[:, None] * (1 + 4 * torch.finfo(torch.float32).eps)
    error = (back - weight).reshape(-1, BLOCK).abs()
    return bounded("NF4, double: error, of the widest step", float((error / most).max()), 1.0)


def four_bit_logits_agree(name: str, folder: str, dtype: str, *, n_tokens: int) -> Finding:
    """Compare the logits of four-bit weights with those of the same weights dequantized.

    A single token uses another kernel than many tokens.
    """
    model, reference = models.loaded(folder, dtype, quantization="nf4"), models.exact(folder)
    models.copy_dequantized(model, reference)
    ids = models.random_ids(1, n_tokens, reference.config.vocab_size)
    found = distance(logits(model, ids), logits(reference, ids))
    return bounded(name, found, allowed(reference.config, n_tokens, DTYPES[dtype]))


def gradients(model: PeftModel, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the adapter's gradients of the trainer's loss, in float32 on the CPU, by name."""
    ids = ids.to(model.device)
    labels = ids.clone()
    labels[:, : ids.shape[1] // 2] = -100
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    plain = SimpleNamespace(fused=None)
    nats = LabelledLossTrainer._summed_nats(plain, model.get_base_model(), inputs)
    nats.backward()
    return {n: p.grad.float().cpu() for n, p in model.named_parameters() if p.requires_grad}


def gradients_agree(name: str, folder: str, dtype: str) -> Finding:
    """Compare the gradients of an adapter on recomputed four-bit layers with the exact ones."""
    model, reference = models.loaded(folder, dtype, quantization="nf4"), models.exact(folder)
    models.copy_dequantized(model, reference)
    ids = models.random_ids(N_ROWS, N_TOKENS, reference.config.vocab_size)
    exact = gradients(models.with_lora(reference).train(), ids)
    found = gradients(models.with_lora(model, checkpoint_layers=1).train(), ids)
    bound = allowed(reference.config, N_TOKENS, DTYPES[dtype], backward=True)
    return bounded(name, distance(found, exact), bound)


def recomputed_gradients_agree(folder: str) -> Finding:
    """Check that recomputed layers use the dropout masks of the forward pass, on this device."""
    found = []
    for every in (0, 1):
        model = models.with_lora(
            models.loaded(folder, "float32"), dropout=0.25, checkpoint_layers=every
        )
        torch.manual_seed(models.SEED)
        ids = models.random_ids(N_ROWS, N_TOKENS, model.config.vocab_size)
        found.append(gradients(model.train(), ids))
    bound = allowed(model.config, N_TOKENS, torch.float32, backward=True)
    return bounded("float32, checkpointing: gradients", distance(*reversed(found)), bound)


def dropout_share(device: torch.device) -> Finding:
    """Check the share of values that the lean adapter drops; masks are drawn 64 bits at a time."""
    n, threshold = 2**20, 64
    like = torch.empty(1, device=device)
    torch.manual_seed(models.SEED)
    dropped = 1 - float((keep_mask(torch.Size([n]), threshold, like) != 0).double().mean())
    share = threshold / 256
    bound = SIGMAS * math.sqrt(share * (1 - share) / n)
    return bounded("dropout: share off by", abs(dropped - share), bound)


def merged_and_exported(folder: str, dtype: str, output: Path) -> Iterator[Finding]:
    """Check the logits of merged weights, then weights and logits after export and reload."""
    ids = models.random_ids(N_ROWS, N_TOKENS, models.tiny_config().vocab_size)
    reference = models.with_lora(models.exact(folder)).eval()
    tuned = models.with_lora(models.loaded(folder, dtype, kernel="answers")).eval()
    merged = tuned.merge_and_unload()
    found = logits(merged, ids)
    bound = allowed(reference.config, N_TOKENS, DTYPES[dtype])
    yield bounded(f"{dtype}, merged: logits", distance(found, logits(reference, ids)), bound)
    export_formats.write_merged(merged, models.tokenizer(reference.config.vocab_size), output)
    again = export_formats.reload(output, dtype=merged.dtype, device=merged.device)
    off = distance(dict(again.named_parameters()), dict(merged.named_parameters()))
    yield bounded(f"{dtype}, exported: weights read again", off, 0.0)
    yield bounded(f"{dtype}, exported: logits", distance(logits(again, ids), found), bound)
