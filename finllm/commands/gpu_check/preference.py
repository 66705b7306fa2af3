"""A step on preference pairs by the project's own ``fit_pairs``, against the exact gradients."""

from __future__ import annotations

import tempfile

import torch
from peft import PeftModel
from torch.nn.functional import logsigmoid
from transformers import TrainerCallback, TrainerControl, TrainerState
from trl import SFTConfig

from finllm.commands.gpu_check import models
from finllm.commands.gpu_check.bounds import allowed, distance
from finllm.commands.gpu_check.finding import Finding, bounded
from finllm.commands.gpu_check.fits import short_arguments
from finllm.model.compute_type import DTYPES
from finllm.preference.encoding import EncodedPair
from finllm.preference.losses import DPO, PreferenceLoss
from finllm.preference.trainer import fit_pairs

N_PROMPT, N_ANSWER = (16, 24, 32), (8, 12)  # tokens; other lengths, so that rows are padded
BETA = 0.1


class _Gradients(TrainerCallback):
    """Callback that keeps the gradients of the adapter, in float32 on the CPU, by name."""

    def __init__(self, model: PeftModel) -> None:
        self.model, self.found = model, {}

    def on_pre_optimizer_step(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.found = _gradients(self.model)


def step_agrees(name: str, folder: str, dtype: str) -> Finding:
    """Compare the gradients of a step of DPO on recomputed four-bit layers with the exact ones."""
    model, reference = models.loaded(folder, dtype, quantization="nf4"), models.exact(folder)
    models.copy_dequantized(model, reference)
    pairs = _pairs(reference.config.vocab_size)
    exact = _exact(models.with_lora(reference).train(), pairs)
    found = _of_a_step(models.with_lora(model, checkpoint_layers=1), pairs, dtype)
    n_tokens = max(N_PROMPT) + max(N_ANSWER)
    bound = allowed(reference.config, n_tokens, DTYPES[dtype], backward=True)
    return bounded(name, distance(found, exact), bound)


def _pairs(vocabulary: int) -> list[EncodedPair]:
    ids = models.random_ids(len(N_PROMPT), max(N_PROMPT) + sum(N_ANSWER), vocabulary).tolist()
    return [
        EncodedPair(row[:n], (row[n : n + N_ANSWER[0]], row[-N_ANSWER[1] :]))
        for row, n in zip(ids, N_PROMPT, strict=True)
    ]


def _of_a_step(model: PeftModel, pairs: list[EncodedPair], dtype: str) -> dict[str, torch.Tensor]:
    kept = _Gradients(model)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = short_arguments(
            scratch,
            len(pairs),
            dtype=dtype,
            optimizer="adamw",
            learning_rate=1e-5,
            n_steps=1,
            batch_size=len(pairs),
            max_grad_norm=1e9,  # no clipping
        )
        fit_pairs(
            model,
            models.tokenizer(model.config.vocab_size),
            PreferenceLoss(DPO, beta=BETA, margin=0.0),
            train=pairs,
            val=pairs,
            reference="none",  # otherwise the leads would be 0 whatever the model computes
            arguments=arguments,
            patience=0,
            callbacks=[kept],
        )
    return kept.found


def _exact(model: PeftModel, pairs: list[EncodedPair]) -> dict[str, torch.Tensor]:
    """Return the gradients of the mean of -log sigmoid(beta d), each answer read on its own."""
    losses = []
    for pair in pairs:
        chosen, rejected = (_nats(model, pair.prompt, answer) for answer in pair.answers)
        losses.append(-logsigmoid(BETA * (chosen - rejected)))
    torch.stack(losses).mean().backward()
    return _gradients(model)


def _nats(model: PeftModel, prompt: list[int], answer: list[int]) -> torch.Tensor:
    before = torch.tensor([prompt + answer[:-1]])
    log_probs = model(before, use_cache=False).logits[0, len(prompt) - 1 :].log_softmax(dim=-1)
    return log_probs.gather(1, torch.tensor(answer)[:, None]).sum()


def _gradients(model: PeftModel) -> dict[str, torch.Tensor]:
    return {n: p.grad.float().cpu() for n, p in model.named_parameters() if p.requires_grad}
