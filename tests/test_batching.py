import math
import random
from itertools import pairwise

import pytest
import torch
from bounds import assert_rounded, gamma, n_roundings
from conftest import tiny_llama
from test_trainer import SETTINGS, Log, lora, loss_by_hand

from finllm.instruct.chat import Encoded
from finllm.model import attention
from finllm.model.fused import FusedLlama
from finllm.training.arguments import training_arguments
from finllm.training.batching import Batching, TokenBatches, cut_mask, pack, plan
from finllm.training.trainer import LabelledLossTrainer, _dataset, fit

LENGTHS = [3, 50, 8, 8, 21, 40, 8, 13, 30, 5, 44, 8, 17, 29, 8, 2]
KINDS = ("token_budget", "packing")
F32 = torch.float32


def examples(lengths, seed=0):
    """Random examples of these lengths; the last third of each is labelled."""
    draw = random.Random(seed)
    return [
        Encoded([draw.randrange(3, 300) for _ in range(n)], max(1, n - max(1, n // 3)))
        for n in lengths
    ]


@pytest.fixture
def settings(tmp_path):
    def made(**changes):
        return training_arguments(output_dir=str(tmp_path), **{**SETTINGS, **changes})

    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_example_is_in_one_batch_and_no_batch_exceeds_the_budget(kind, seed):
    batches = plan(LENGTHS, Batching(kind, 4, 60), seed=seed)
    assert sorted(i for batch in batches for i in batch) == list(range(len(LENGTHS)))
    for batch in batches:
        lengths = [LENGTHS[i] for i in batch]
        used = sum(lengths) if kind == "packing" else len(batch) * max(lengths)
        assert used <= 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_follows_its_seed_and_its_size_does_not(kind):
    batching = Batching(kind, 4, 60)
    plans = [plan(LENGTHS, batching, seed=seed) for seed in range(20)]
    assert plan(LENGTHS, batching, seed=3) == plans[3]
    assert {len(found) for found in plans} == {batching.count(LENGTHS)}
    assert len({str(found) for found in plans}) == 20


def test_packing_wastes_little_and_a_budget_of_tokens_fills_short_batches_too():
    draw = random.Random(0)
    lengths = [draw.randrange(20, 200) for _ in range(500)]
    packed = Batching("packing", 4, 512).count(lengths)
    assert packed <= math.ceil(sum(lengths) / 512) * 1.02
    sizes = {len(batch) for batch in plan(lengths, Batching("token_budget", 4, 512), seed=0)}
    assert min(sizes) == 2 and max(sizes) >= 12


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_longer_than_the_budget_is_an_error_that_says_what_to_change(kind):
    with pytest.raises(ValueError, match="train.tokens_per_batch is 49.*has 50 tokens"):
        Batching(kind, 4, 49).count(LENGTHS)


def test_passes_of_a_number_of_examples_are_counted():
    assert Batching("length_buckets", 4, 60).count(LENGTHS) == 4
    assert Batching("shuffle", 5, 60).count(LENGTHS) == 4
    assert Batching("shuffle", 5, 60).effective(LENGTHS, 3) == 15
    packed = Batching("packing", 5, 60)
    assert packed.effective(LENGTHS, 2) == 2 * len(LENGTHS) / packed.count(LENGTHS)


def test_two_processes_share_the_batches_of_an_epoch():
    def of(rank, n_processes):
        return TokenBatches(
            LENGTHS, Batching("packing", 4, 60), seed=7, rank=rank, n_processes=n_processes
        )

    alone, first, second = list(of(0, 1)), list(of(0, 2)), list(of(1, 2))
    assert len(first) == len(second) == len(of(0, 2)) == math.ceil(len(alone) / 2)
    both = [batch for pair in zip(first, second, strict=True) for batch in pair]
    assert both == [*alone, *alone[: len(both) - len(alone)]]


def test_the_next_epoch_has_another_order_and_set_epoch_brings_one_back():
    sampler = TokenBatches(LENGTHS, Batching("packing", 4, 60), seed=7, rank=0, n_processes=1)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_a_packed_row_restarts_positions_and_never_labels_a_first_token():
    rows = [
        {"input_ids": [5, 6, 7], "labels": [5, 6, 7]},
        {"input_ids": [8, 9], "labels": [-100, 9]},
    ]
    packed = {name: value.tolist() for name, value in pack(rows).items()}
    assert packed == {
        "input_ids": [[5, 6, 7, 8, 9]],
        "labels": [[-100, 6, 7, -100, 9]],
        "attention_mask": [[1, 1, 1, 1, 1]],
        "position_ids": [[0, 1, 2, 0, 1]],
    }


def test_the_cut_lets_a_token_see_its_own_example_up_to_itself():
    mask = cut_mask(torch.tensor([[0, 1, 2, 0, 1]]), torch.float32)
    assert mask.shape == (1, 1, 5, 5)
    assert (mask[0, 0] == 0).int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 1, 1],
    ]


class Logits(LabelledLossTrainer):
    """Keeps the decoder's output of every training batch."""

    def compute_loss(self, model, inputs, *args, **kwargs):
        decoder = model.get_base_model().model
        kept = decoder.register_forward_hook(
            lambda _, __, output: self.kept.append((inputs["input_ids"], output[0].detach()))
        )
        loss = super().compute_loss(model, inputs, *args, **kwargs)
        kept.remove()
        return loss


@pytest.mark.parametrize("kernel", [attention.NAME, "sdpa", "eager"])
@pytest.mark.parametrize("checkpointing", [0, 1])
def test_packed_logits_are_those_of_each_example_alone(chatml, settings, kernel, checkpointing):
    rows = examples([7, 12, 4, 9])
    model = lora(model=tiny_llama(kernel), checkpointing=checkpointing)
    trainer = Logits(
        model=model,
        args=settings(),
        train_dataset=_dataset(rows),
        eval_dataset=_dataset(rows),
        processing_class=chatml,
    )
    trainer.batching, trainer.kept = Batching("packing", 1, 32), []
    alone = {}
    with torch.no_grad():
        for row in rows:
            ids = torch.tensor([row.input_ids])
            alone[tuple(row.input_ids)] = tiny_llama(kernel)(ids, use_cache=False).logits[0]
    trainer.train()
    ids, hidden = next((i, h) for i, h in trainer.kept if i.shape == (1, 32))
    logits = model.get_base_model().lm_head(hidden)[0].detach()  # B is 0: the base's own
    start, ids = 0, ids[0].tolist()
    while start < 32:
        (n,) = [len(k) for k in alone if tuple(ids[start : start + len(k)]) == k]
        expected = alone[tuple(ids[start : start + n])]
        assert_rounded(logits[start : start + n], expected, n_roundings(model, 32))
        start += n


@pytest.mark.parametrize("kind", ["length_buckets", "shuffle", *KINDS])
def test_the_loss_is_that_of_the_labelled_tokens_however_they_are_batched(chatml, settings, kind):
    rows, log = examples([7, 12, 4, 9, 15, 11]), Log()
    batching = Batching(kind, 2, 24)
    passes = batching.count([len(row.input_ids) for row in rows])
    model = lora().eval()
    expected, close = loss_by_hand(model, rows), {"rel": 2 * gamma(n_roundings(model, 64), F32)}
    done = fit(
        lora(),
        chatml,
        train=rows,
        val=rows[:2],
        arguments=settings(max_steps=1, batch_size=2, accumulation=passes),
        patience=0,
        min_improvement=0.0,
        callbacks=[log],
        batching=batching,
    )
    assert passes == (3 if kind != "token_budget" else 4)
    assert log.of("loss")[0] == pytest.approx(expected, **close)
    assert done.n_train_tokens == 58  # all of them, once, and no padding
    assert done.initial_val_loss_nats == pytest.approx(loss_by_hand(model, rows[:2]), **close)


def adapter_after(
    chatml, settings, batching, *, seed=3, steps=4, model=None, callbacks=(), **options
):
    rows, model = examples(LENGTHS), model or lora(**options)
    fit(
        model,
        chatml,
        train=rows,
        val=rows[:2],
        arguments=settings(max_steps=steps, batch_size=4, seed=seed),
        patience=0,
        min_improvement=0.0,
        callbacks=callbacks,
        batching=batching,
    )
    return torch.cat([p.detach().ravel() for p in model.parameters() if p.requires_grad])


def test_one_seed_gives_one_adapter_and_every_kind_of_batch_another(chatml, settings):
    kinds = [Batching(kind, 4, 60) for kind in ("length_buckets", "shuffle", *KINDS)]
    first = [adapter_after(chatml, settings, batching) for batching in kinds]
    for batching, found in zip(kinds, first, strict=True):
        assert adapter_after(chatml, settings, batching).equal(found)
        assert not adapter_after(chatml, settings, batching, seed=4).equal(found)
    assert len({float(found.double().sum()) for found in first}) == 4


def test_the_trainer_goes_to_the_next_epochs_plan(chatml, settings):
    seen = []

    class Order(LabelledLossTrainer):
        def training_step(self, model, inputs, *args, **kwargs):
            seen.append(inputs["input_ids"].shape[1])
            return super().training_step(model, inputs, *args, **kwargs)

    rows, batching = examples(LENGTHS), Batching("packing", 4, 60)
    trainer = Order(
        model=lora(),
        args=settings(max_steps=2 * batching.count(LENGTHS)),
        train_dataset=_dataset(rows),
        eval_dataset=_dataset(rows),
        processing_class=chatml,
    )
    trainer.batching = batching
    trainer.train()
    expected = [
        sum(LENGTHS[i] for i in batch)
        for epoch in (0, 1)
        for batch in plan(LENGTHS, batching, seed=SETTINGS["seed"] + epoch)
    ]
    assert seen == expected


def test_without_the_cut_packing_would_leak_across_examples():
    rows = examples([7, 12])
    packed = pack([{"input_ids": r.input_ids, "labels": r.input_ids} for r in rows])
    model = tiny_llama(attention.NAME)
    with torch.no_grad():
        uncut = model(packed["input_ids"], use_cache=False).logits[0, 7:]
        alone = model(torch.tensor([rows[1].input_ids]), use_cache=False).logits[0]
    assert not torch.allclose(uncut, alone, atol=1e-2)


def test_fused_layers_are_given_every_packed_example_apart(chatml, settings, monkeypatch):
    seen, hidden_states = [], FusedLlama.hidden_states

    def watched(self, ids, offsets):
        if self.model.training:
            seen.extend(b - a for a, b in pairwise(offsets))
        return hidden_states(self, ids, offsets)

    monkeypatch.setattr(FusedLlama, "hidden_states", watched)
    batching = Batching("packing", 4, 60)
    adapter_after(
        chatml,
        settings,
        batching,
        model=lora(model=tiny_llama(attention.NAME).bfloat16()),
        steps=batching.count(LENGTHS),
    )
    assert sorted(seen) == sorted(LENGTHS)
