"""Schedules, optimizers, decay and clipping do what params.yaml says of them."""

import math
from types import SimpleNamespace

import pytest
import torch
from bounds import assert_rounded, assert_within, gamma, n_roundings
from conftest import tiny_llama
from test_batching import examples
from test_trainer import SETTINGS, Log, lora
from transformers import TrainerCallback
from trl import SFTConfig

from finllm.model import attention
from finllm.model.loading import add_lora
from finllm.training import arguments
from finllm.training.arguments import training_arguments
from finllm.training.trainer import fit

STEPS, WARMUP = 12, 3


@pytest.fixture
def run(chatml, tmp_path):
    """A fit on four random examples: the model after it and the callback that watched."""

    def done(watch, *, model=None, **changes):
        rows, model = examples([9, 30, 17, 5]), model or lora()
        arguments = training_arguments(output_dir=str(tmp_path), **{**SETTINGS, **changes})
        fit(
            model,
            chatml,
            train=rows,
            val=rows[:1],
            arguments=arguments,
            patience=0,
            min_improvement=0.0,
            callbacks=[watch],
        )
        return model, watch

    return done


def cosine(share):
    return 0.5 * (1 + math.cos(math.pi * share))


@pytest.mark.parametrize(
    ("schedule", "restarts", "factor"),
    [
        ("constant", 1, lambda share: 1.0),
        ("linear", 1, lambda share: 1 - share),
        ("cosine", 1, cosine),
        ("cosine_with_restarts", 1, cosine),
        ("cosine_with_restarts", 3, lambda share: cosine(share * 3 % 1)),
    ],
)
def test_the_learning_rate_warms_up_and_then_follows_its_schedule(run, schedule, restarts, factor):
    _, log = run(
        Log(),
        learning_rate=2e-3,
        warmup_share=WARMUP / STEPS,
        schedule=schedule,
        restarts=restarts,
        max_steps=STEPS,
    )
    expected = [2e-3 * step / WARMUP for step in range(WARMUP)]
    expected += [2e-3 * factor((s - WARMUP) / (STEPS - WARMUP)) for s in range(WARMUP, STEPS)]
    assert log.of("learning_rate") == pytest.approx(expected, rel=1e-6, abs=1e-12)


class Optimizer(TrainerCallback):
    """Keeps the optimizer, and the norm of the gradient that it is given."""

    def on_pre_optimizer_step(self, args, state, control, model=None, optimizer=None, **_):
        self.optimizer = optimizer.optimizer
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        self.norm = torch.linalg.vector_norm(torch.cat([g.ravel() for g in gradients])).item()
        self.gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}


def test_eight_bit_adamw_keeps_bytes_and_goes_the_way_of_the_exact_one(run):
    changes = {"max_steps": 3, "learning_rate": 1e-3}
    exact, _ = run(Optimizer(), model=wide_lora(), **changes)
    model, watch = run(Optimizer(), model=wide_lora(), optimizer="adamw_8bit", **changes)
    states = [state["state1"].dtype for state in watch.optimizer.state.values()]
    assert set(states) == {torch.uint8}
    start = dict(wide_lora().named_parameters())
    for (name, ours), theirs in zip(model.named_parameters(), exact.parameters(), strict=True):
        if ours.requires_grad:
            one, other = (x.detach() - start[name].detach() for x in (ours, theirs))
            assert torch.nn.functional.cosine_similarity(one.ravel(), other.ravel(), dim=0) > 0.9


def wide_lora():
    """Rank 64: bitsandbytes keeps tensors of fewer than 4096 values in 32 bits."""
    options = {"dropout": 0.0, "targets": "all-linear", "checkpoint_layers": 0, "seed": 0}
    return add_lora(tiny_llama(attention.NAME, kv_heads=4), r=64, alpha=8, **options)


def test_weight_decay_shrinks_every_trained_weight_and_no_other(run):
    changes = {"learning_rate": 1e-2, "max_steps": 1}
    plain, _ = run(Log(), **changes)
    decayed, _ = run(Log(), weight_decay=0.5, **changes)
    start = dict(lora().named_parameters())
    for (name, ours), theirs in zip(decayed.named_parameters(), plain.parameters(), strict=True):
        shrunk = 1e-2 * 0.5 * start[name] if ours.requires_grad else 0 * start[name]
        allowed = gamma(4, torch.float32) * (ours.abs() + theirs.abs())
        assert_within(theirs - ours, shrunk, allowed)


@pytest.mark.parametrize("limit", [0.01, 1e6])
def test_gradients_are_clipped_to_the_norm_that_is_asked_for(run, limit):
    _, log = run(Log())
    (norm,) = log.of("grad_norm")
    _, watch = run(Optimizer(), max_grad_norm=limit)
    assert watch.norm == pytest.approx(min(norm, limit), rel=1e-3)


@pytest.mark.parametrize(("batch", "accumulation"), [(2, 2), (1, 4)])
def test_accumulation_gives_the_gradient_of_the_whole_batch(run, batch, accumulation):
    _, whole = run(Optimizer(), batch_size=4, accumulation=1)
    _, parts = run(Optimizer(), batch_size=batch, accumulation=accumulation)
    n = n_roundings(lora(), 9 + 30 + 17 + 5, backward=True)
    for name, gradient in whole.gradients.items():
        assert_rounded(parts.gradients[name], gradient, n)


def test_float16_is_scaled_on_a_gpu_and_refused_in_words_on_a_cpu(tmp_path, monkeypatch):
    given = {**SETTINGS, "output_dir": str(tmp_path), "float16": True}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="model.compute_dtype is float16.*use bfloat16"):
        training_arguments(**given)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        arguments, "SFTConfig", lambda **options: SimpleNamespace(n_gpu=1, **options)
    )
    found = training_arguments(**given)
    assert found.fp16 and not found.bf16  # accelerate scales the loss for fp16


def on_gpus(monkeypatch, tmp_path, *, n, **changed):
    """The trainer's settings where transformers counts ``n`` GPUs as this process's own."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    fake = lambda **options: SimpleNamespace(n_gpu=n, _n_gpu=n, **options)  # noqa: E731
    monkeypatch.setattr(arguments, "SFTConfig", fake)
    given = {**SETTINGS, "bfloat16": True, **changed}
    return training_arguments(**{**given, "output_dir": str(tmp_path)})


def test_of_several_gpus_a_process_without_a_launch_trains_on_one(monkeypatch, tmp_path):
    assert on_gpus(monkeypatch, tmp_path, n=4)._n_gpu == 1  # what DataParallel is chosen by
    assert on_gpus(monkeypatch, tmp_path, n=1)._n_gpu == 1


def test_transformers_takes_the_count_that_is_set(tmp_path):  # as training_arguments does
    found = SFTConfig(
        output_dir=str(tmp_path), use_cpu=True, bf16=False, activation_checkpointing=False
    )
    found._n_gpu = 2
    assert (found.n_gpu, found.train_batch_size) == (2, 2 * found.per_device_train_batch_size)
    found._n_gpu = 1
    assert (found.n_gpu, found.train_batch_size) == (1, found.per_device_train_batch_size)


def test_bfloat16_on_a_gpu_is_no_mixed_precision_but_for_deepspeed(monkeypatch, tmp_path):
    assert not on_gpus(monkeypatch, tmp_path, n=1).bf16  # FSDP would reduce in it
    assert on_gpus(monkeypatch, tmp_path, n=1, deepspeed=True).bf16
