"""Checks of greedy answers on this device against the exact model and ``generate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from finllm.answering.generate import greedy_batch
from finllm.commands.gpu_check import models
from finllm.commands.gpu_check.bounds import allowed
from finllm.commands.gpu_check.finding import Finding, bounded
from finllm.model.compute_type import DTYPES

N_NEW = 24
LENGTHS = (5, 33, 64)  # of the prompts of a batch


def prompts(vocabulary: int) -> list[list[int]]:
    """Return prompts of several lengths, so that rows of a batch are padded."""
    ids = models.random_ids(len(LENGTHS), max(LENGTHS), vocabulary).tolist()
    return [row[:length] for row, length in zip(ids, LENGTHS, strict=True)]


def written(model: PreTrainedModel, asked: Sequence[list[int]], n_new: int) -> list[list[int]]:
    """Return the answers of the plain layers, which a GPU uses, in the order of the prompts."""
    found = greedy_batch(model, asked, max_new_tokens=n_new, stop_ids=[], pad_id=2)
    return [answer.ids for answer in sorted(found, key=lambda answer: answer.index)]


@torch.no_grad()
def generated(model: PreTrainedModel, ids: torch.Tensor, n_new: int) -> torch.Tensor:
    """Return the greedy answers of transformers' ``generate`` to prompts of one length.

    Takes ids of shape (prompts, tokens); returns ids of shape (prompts, n_new) on the model's
    device.
    """
    every = model.generate(
        ids.to(model.device),
        attention_mask=torch.ones_like(ids, device=model.device),
        do_sample=False,
        max_new_tokens=n_new,
        min_new_tokens=n_new,
        pad_token_id=2,
    )
    return every[:, ids.shape[1] :]


@torch.no_grad()
def largest_lead(reference: PreTrainedModel, prompt: Sequence[int], answer: Sequence[int]) -> float:
    """Return the largest lead in logits of another token over the written one.

    The lead is relative to the root mean square of the logits; 0 if every token was the most
    probable. Each token is judged given the tokens before it, so after a near tie that was decided
    the other way, the answer is judged by its own continuation.
    """
    ids = torch.tensor([[*prompt, *answer]])
    logits = reference(ids, use_cache=False).logits[0, len(prompt) - 1 : -1].double()
    own = logits.gather(1, torch.tensor(answer)[:, None])[:, 0]
    norms = logits.square().mean(1).sqrt()
    return float(((logits.amax(1) - own) / norms).max())


def answers_agree(name: str, folder: str, dtype: str) -> Finding:
    """Check that each written token is the exact model's most probable one, up to rounding."""
    model, reference = models.loaded(folder, dtype, kernel="answers"), models.exact(folder)
    asked = prompts(reference.config.vocab_size)
    return _judged(name, reference, asked, written(model, asked, N_NEW), model.dtype)


def vllm_agrees(name: str, folder: str, dtype: str, adapter: Path) -> Finding:
    """Check that each token of vLLM with an adapter is the exact model's, up to rounding.

    The adapter is written to the folder ``adapter``, and vLLM loads it as a LoRA request, as
    ``predict.backend: vllm`` does.
    """
    import vllm
    from vllm.lora.request import LoRARequest

    reference = models.with_lora(models.exact(folder)).eval()
    reference.save_pretrained(adapter)
    engine = vllm.LLM(
        model=folder, dtype=dtype, enable_lora=True, max_lora_rank=models.RANK, enforce_eager=True,
        skip_tokenizer_init=True, gpu_memory_utilization=0.3, seed=models.SEED,
    )  # fmt: skip
    settings = vllm.SamplingParams(
        temperature=0.0, max_tokens=N_NEW, ignore_eos=True, detokenize=False
    )
    asked = prompts(reference.config.vocab_size)
    found = engine.generate(
        [{"prompt_token_ids": prompt} for prompt in asked],
        settings,
        lora_request=LoRARequest("tuned", 1, str(adapter)),
        use_tqdm=False,
    )
    answers = [list(output.outputs[0].token_ids) for output in found]
    return _judged(name, reference, asked, answers, DTYPES[dtype])


def _judged(
    name: str,
    reference: PreTrainedModel,
    asked: Sequence[list[int]],
    answers: Sequence[list[int]],
    dtype: torch.dtype,
) -> Finding:
    """Compare the largest lead of another token in any answer with what rounding allows."""
    leads = [
        largest_lead(reference, prompt, answer)
        for prompt, answer in zip(asked, answers, strict=True)
    ]
    # for two logits, each with an error relative to the size of all
    bound = 2 * allowed(reference.config, max(LENGTHS) + N_NEW, dtype)
    return bounded(name, max(leads), bound)


def as_generate(folder: str) -> Finding:
    """Check that answers in float32 equal ``generate``'s, by the share of tokens that differ."""
    model, stock = (models.loaded(folder, "float32", kernel=k) for k in ("answers", "sdpa"))
    asked = prompts(model.config.vocab_size)
    ours = written(model, asked, N_NEW)
    theirs = [generated(stock, torch.tensor([prompt]), N_NEW)[0].tolist() for prompt in asked]
    same = sum(a == b for x, y in zip(ours, theirs, strict=True) for a, b in zip(x, y, strict=True))
    return bounded("float32, answers: unlike generate's", 1 - same / (N_NEW * len(asked)), 0.0)
