import csv
import statistics

import pytest
import torch
from bounds import gamma
from conftest import tiny_llama
from test_batching import adapter_after, examples
from test_trainer import SETTINGS, Log, lora
from transformers import TrainerCallback

from finllm.training.arguments import training_arguments
from finllm.training.monitors import NEAR_ZERO, Monitor, alarms_of, convergence
from finllm.training.trainer import fit

USUAL = [1.0, 1.1, 0.9, 1.0, 1.2]


class Spy(TrainerCallback):
    """Takes by hand, before and after the optimizer's step, what the monitor should have seen."""

    def __init__(self):
        self.rows = []

    def on_pre_optimizer_step(self, args, state, control, model=None, **_):
        self.before = {n: p.detach().clone() for n, p in model.named_parameters()}
        found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        flat = torch.cat([g.ravel() for g in found.values()])
        layers = {
            str(i): sum(g.square().sum() for n, g in found.items() if f".layers.{i}." in n) ** 0.5
            for i in range(2)
        }
        small = (flat.abs() < NEAR_ZERO).double().mean().item()
        self.rows.append({"norm": flat.norm(), "layers": layers, "small": small})

    def on_optimizer_step(self, args, state, control, model=None, **_):
        trained = [(p, self.before[n]) for n, p in model.named_parameters() if p.requires_grad]
        moved = torch.cat([(p - old).ravel() for p, old in trained]).norm()
        self.rows[-1]["ratio"] = moved / torch.cat([old.ravel() for _, old in trained]).norm()


def watched(tokenizer, folder, *, model=None, **changes):
    """A monitor, a spy and the log after a fit of four steps."""
    rows, model = examples([9, 30, 17, 5]), model or lora()
    settings = {**SETTINGS, "max_steps": 4, "batch_size": 2, **changes}
    monitor, spy, log = Monitor(model, max_grad_norm=settings["max_grad_norm"]), Spy(), Log()
    fit(
        model,
        tokenizer,
        train=rows,
        val=rows[:1],
        arguments=training_arguments(output_dir=str(folder), **settings),
        patience=0,
        min_improvement=0.0,
        callbacks=[monitor, spy, log],
    )
    return monitor, spy, log


@pytest.mark.parametrize("limit", [0.05, 1e6])
def test_the_monitor_sees_what_is_there(chatml, tmp_path, limit):
    monitor, spy, log = watched(chatml, tmp_path, max_grad_norm=limit)
    norms = log.of("grad_norm")
    n_values = sum(p.numel() for p in lora().parameters() if p.requires_grad)
    close = {"rel": 2 * gamma(n_values, torch.float32)}  # of sums over all that is trained
    assert monitor.norms == pytest.approx(norms, **close)
    for step, row in enumerate(spy.rows):  # the spy's gradients are clipped, the monitor's not
        scale = norms[step] / row["norm"].item()
        for name, norm in row["layers"].items():
            assert monitor.layer_norms[name][step] == pytest.approx(norm.item() * scale, **close)
    assert monitor.near_zero == pytest.approx([row["small"] for row in spy.rows])
    assert monitor.updates == pytest.approx([r["ratio"].item() for r in spy.rows], **close)
    assert log.of("near_zero_share") == monitor.near_zero  # and so the curves have it
    assert log.of("update_to_weight") == monitor.updates
    assert all(speed > 0 for speed in log.of("tokens_per_second") + log.of("peak_memory_gb"))
    found = monitor.summary()
    assert found["gradients"]["clipped_share"] == (1.0 if limit < 1 else 0.0)
    assert found["gradients"]["median_norm"] == statistics.median(monitor.norms)
    assert found["alarms"] == {"explosion": 0, "vanishing": 0}
    assert found["convergence"] == convergence(log.of("loss"))


def test_the_first_gradient_of_every_a_is_zero(chatml, tmp_path):
    monitor, *_ = watched(chatml, tmp_path)
    assert 0.4 < monitor.near_zero[0] < 0.7 and monitor.near_zero[-1] < 0.05


def test_watching_draws_no_random_number_and_changes_no_weight(chatml, tmp_path):
    def settings(**changes):
        return training_arguments(output_dir=str(tmp_path), **{**SETTINGS, **changes})

    plain = adapter_after(chatml, settings, None, dropout=0.2)
    model = lora(dropout=0.2)
    seen = adapter_after(
        chatml, settings, None, model=model, callbacks=[Monitor(model, max_grad_norm=1.0)]
    )
    assert seen.equal(plain)


def test_the_layers_are_written_in_their_order(chatml, tmp_path):
    monitor, *_ = watched(chatml, tmp_path)
    monitor.write_layers(tmp_path / "layers.csv")
    with open(tmp_path / "layers.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["layer"] for row in rows] == ["0", "1"]
    assert float(rows[1]["last"]) == monitor.layer_norms["1"][-1]


def kinds(*args, **options):
    return [kind for kind, _ in alarms_of(*args, **options)]


def test_alarms_sound_for_explosion_and_vanishing():
    layers = {"0": 1.0, "1": 1.0, "2": 0.8}
    assert kinds(1.5, layers, USUAL, near_zero=0.0) == []
    assert kinds(11.0, layers, USUAL, near_zero=0.0) == ["explosion"]
    assert kinds(11.0, layers, USUAL[:4], near_zero=0.0) == []  # no median to speak of
    assert kinds(9e-4, layers, USUAL, near_zero=0.0) == ["vanishing"]
    assert kinds(1.0, layers, USUAL, near_zero=0.995) == ["vanishing"]
    (kind, text), *rest = alarms_of(1.0, {**layers, "1": 1e-4}, USUAL, near_zero=0.0)
    assert kind == "vanishing" and "norm in layer 1 is below 1/1000 of" in text and not rest


def test_a_layer_that_no_gradient_reaches_is_named(chatml, tmp_path, capsys):
    model = lora(model=tiny_llama("sdpa"))  # fused layers call no hook
    layers = model.get_base_model().model.layers  # a defect: the chain is cut above layer 0
    layers[1].register_forward_pre_hook(lambda _, args: (args[0].detach(), *args[1:]))
    monitor, *_ = watched(chatml, tmp_path, model=model)
    assert monitor.alarms["vanishing"] == 4
    said = capsys.readouterr().err
    assert said.count("alarm") == 1
    assert "alarm at step 1: the gradient vanishes: its norm in layer 0 is below 1/1000" in said


def test_convergence_is_the_share_of_the_first_fifth():
    losses = [4.0] + [3.0] * 19 + [2.0] * 80  # a twentieth is 5 steps
    start, fifth, end = 3.2, 3.0, 2.0
    found = convergence(losses)
    assert found["improvement_nats"] == pytest.approx(start - end)
    assert found["share_in_first_fifth"] == pytest.approx((start - fifth) / (start - end))
    assert convergence([2.0, 1.0]) == {"improvement_nats": 1.0, "share_in_first_fifth": 0.0}
    assert convergence([1.0, 2.0]) == {"improvement_nats": -1.0}
