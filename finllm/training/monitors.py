"""Monitoring of gradients and weights during training, with alarms.

Norms of all trained tensors are computed in one fused call per step. Values that need a copy of the
weights, or a pass over every gradient, are computed about fifty times per run. The time that
monitoring takes is measured and reported (``Monitor.cost_share``). A loss or gradient that is not
finite does not sound an alarm but ends the training, with a message that names the batch and the
weights (`finllm.training.mishaps`).
"""

from __future__ import annotations

import math
import re
import statistics
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerControl, TrainerState
from trl import SFTConfig

from finllm.model.process_memory import peak_memory_gb
from finllm.records import csv_text, write_text
from finllm.runtime import screen
from finllm.training.resume import Remembering

LOOKS_PER_RUN = 50
NEAR_ZERO = 1e-8  # Adam's epsilon: a smaller gradient moves its weight by less than a full step
JUMP = 10.0  # a norm above this many times the recent median is an explosion
FADED = 1e-3  # a norm below this share of the recent median, or of the median layer's, has vanished
RECENT = 50  # number of steps in the recent median
ENOUGH = 5  # minimum number of steps for that median
COPIED = 5_000_000  # weights copied to measure an update; in a larger adapter, every n-th tensor


class Monitor(Remembering):
    """Callback that records gradient norms, near-zero gradients, update sizes, speed and memory.

    Norms are recorded in total and by layer. Put it before the callback that writes curves: it adds
    its values to the trainer's log.

    Parameters
    ----------
    model
        The model that is trained.
    max_grad_norm
        Norm at which gradients are clipped; the norms recorded here are those before clipping.
    """

    def __init__(self, model: torch.nn.Module, *, max_grad_norm: float) -> None:
        self.model = model
        self.max_grad_norm = max_grad_norm
        self.alarms: Counter[str] = Counter()
        self.norms: list[float] = []
        self.layer_norms: dict[str, list[float]] = {}
        self.near_zero: list[float] = []
        self.updates: list[float] = []
        self.losses: list[float] = []
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._layers: dict[str, float] = {}
        self._row: dict[str, float] = {}
        self._copies: list[torch.Tensor] = []
        self._watching = self._stepping = self._started = 0.0
        self._tokens = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the data of the summary, so that a resumed run can summarise all its steps."""
        return {
            "norms": self.norms,
            "layer_norms": self.layer_norms,
            "near_zero": self.near_zero,
            "updates": self.updates,
            "alarms": dict(self.alarms),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that ``state_dict`` returned."""
        self.norms, self.layer_norms = state["norms"], state["layer_norms"]
        self.near_zero, self.updates = state["near_zero"], state["updates"]
        self.alarms.update(state["alarms"])
        self._recent.extend(self.norms)

    def on_train_begin(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Find the trained tensors and their layers, and schedule the costly measurements."""
        named = [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]
        self._parameters = [p for _, p in named]
        self._layer_of = [_layer(name) for name, _ in named]
        n_weights = sum(p.numel() for p in self._parameters)
        self._sample = self._parameters[:: math.ceil(n_weights / COPIED)]
        self._every = math.ceil(state.max_steps / LOOKS_PER_RUN)

    def on_step_begin(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock of a step; evaluations are not timed."""
        self._started, self._tokens = time.perf_counter(), int(state.num_input_tokens_seen)

    def on_pre_optimizer_step(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Compute the norms; every n-th step, also count small gradients and copy the weights."""
        began = time.perf_counter()
        pairs = zip(self._parameters, self._layer_of, strict=True)
        found = [(p.grad.detach(), layer) for p, layer in pairs if p.grad is not None]
        gradients = [gradient for gradient, _ in found]
        squares = torch.stack(torch._foreach_norm(gradients)).double().square().tolist()
        self._layers = dict.fromkeys(self._layer_of, 0.0)
        for (_, layer), square in zip(found, squares, strict=True):
            self._layers[layer] += square
        self._row, self._copies = {}, []
        if state.global_step % self._every == 0:
            small = sum(int((g.abs() < NEAR_ZERO).sum()) for g in gradients)
            self._row["near_zero_share"] = small / sum(g.numel() for g in gradients)
            self._copies = [p.detach().clone() for p in self._sample]
        self._watching += time.perf_counter() - began

    def on_optimizer_step(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Measure the update by comparing the weights with their copies."""
        if not self._copies:
            return
        began = time.perf_counter()
        before = _norm(self._copies)
        moved = torch._foreach_sub([p.detach() for p in self._sample], self._copies)
        self._row["update_to_weight"] = _norm(moved) / before if before else 0.0
        self._copies = []
        self._watching += time.perf_counter() - began

    def on_step_end(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Record the speed of the step and the peak memory."""
        seconds = time.perf_counter() - self._started
        self._stepping += seconds
        tokens = int(state.num_input_tokens_seen) - self._tokens
        self._row["tokens_per_second"] = tokens / seconds
        self._row["peak_memory_gb"] = peak_memory_gb()

    def on_log(
        self,
        args: SFTConfig,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any],
        **_: Any,
    ) -> None:
        """Add the step's measurements to the log, and sound alarms."""
        if "grad_norm" not in logs:
            return
        norm = float(logs["grad_norm"])
        if not math.isfinite(norm):
            return  # skipped by the loss scaler of float16; without one training has stopped
        clipped = math.sqrt(sum(self._layers.values()))
        scale = norm / clipped if clipped > 0 and math.isfinite(clipped) else 1.0
        layers = {name: math.sqrt(square) * scale for name, square in self._layers.items()}
        small = self._row.get("near_zero_share", 0.0)
        for kind, text in alarms_of(norm, layers, self._recent, near_zero=small):
            self._sound(state.global_step, kind, text)
        self._recent.append(norm)
        self.norms.append(norm)
        for name, value in layers.items():
            self.layer_norms.setdefault(name, []).append(value)
        self.near_zero += [self._row[k] for k in ("near_zero_share",) if k in self._row]
        self.updates += [self._row[k] for k in ("update_to_weight",) if k in self._row]
        logs.update(self._row)

    def on_train_end(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Collect the losses of the whole run, including those before a resume."""
        self.losses = [float(row["loss"]) for row in state.log_history if "loss" in row]

    def _sound(self, step: int, kind: str, text: str) -> None:
        self.alarms[kind] += 1
        if self.alarms[kind] == 1:  # further ones are only counted
            screen.warn(f"train: alarm at step {step}: {text}")

    @property
    def cost_share(self) -> float:
        """Share of the training steps' time that monitoring took."""
        return self._watching / self._stepping if self._stepping else 0.0

    def summary(self) -> dict[str, Any]:
        """Return the entries for metrics/details/train.json, scalars only.

        ``clipped_share`` is the share of steps whose gradient was clipped. A ``near_zero_share`` of
        about one half does not mean vanishing gradients: in the first step the gradient of every A
        is exactly 0, because B is 0.
        """
        found: dict[str, Any] = {
            "alarms": {kind: self.alarms[kind] for kind in ("explosion", "vanishing")}
        }
        if self.norms:
            found["gradients"] = {
                "median_norm": statistics.median(self.norms),
                "max_norm": max(self.norms),
                "clipped_share": _mean([norm > self.max_grad_norm for norm in self.norms]),
                "near_zero_share": _mean(self.near_zero),
                "update_to_weight": statistics.median(self.updates) if self.updates else 0.0,
            }
        if len(self.losses) > 1:
            found["convergence"] = convergence(self.losses)
        return found

    def write_layers(self, path: Path) -> None:
        """Write a CSV of the gradient norm by layer: first step, median, last step."""
        rows = (
            (name, norms[0], statistics.median(norms), norms[-1])
            for name, norms in self.layer_norms.items()
        )
        write_text(path, csv_text(["layer", "first", "median", "last"], rows))


def alarms_of(
    norm: float, layers: dict[str, float], recent: Sequence[float], *, near_zero: float
) -> list[tuple[str, str]]:
    """Return the problems of a step's gradient as (kind, sentence); empty if there are none.

    Parameters
    ----------
    norm
        Norm of the whole gradient, before clipping.
    layers
        Norm by layer; all must be finite.
    recent
        Norms of the previous steps.
    near_zero
        Share of the gradient's values whose magnitude is below ``NEAR_ZERO``.
    """
    found = []
    usual = statistics.median(recent) if len(recent) >= ENOUGH else None
    if usual and norm > JUMP * usual:
        found.append(
            (
                "explosion",
                f"the gradient explodes: its norm is {norm:.3g}, {norm / usual:.0f} times the "
                "recent median; lower train.learning_rate or train.max_grad_norm",
            )
        )
    ordered = sorted(layers.values())
    middle = ordered[len(ordered) // 2] if ordered else 0.0
    starved = [name for name, value in layers.items() if value < FADED * middle]
    if (usual and norm < FADED * usual) or near_zero > 0.99 or norm == 0:
        text = f"its norm is {norm:.3g} and {near_zero:.0%} of it is below {NEAR_ZERO:g}"
        found.append(("vanishing", f"the gradient vanishes: {text}; raise train.learning_rate"))
    elif starved:
        text = f"its norm in layer {', '.join(starved)} is below 1/1000 of the median layer's"
        found.append(("vanishing", f"the gradient vanishes: {text}"))
    return found


def convergence(losses: Sequence[float]) -> dict[str, float]:
    """Return the improvement of the training loss, and its share in the first fifth of the steps.

    The loss of a batch is noisy, so each point (the start, the end of the first fifth, and the end
    of the run) is the mean over a twentieth of the run. If the loss did not fall, the share is left
    out.
    """
    n = len(losses)
    width = max(1, n // 20)
    fifth = max(width, math.ceil(n / 5))
    start, end = _mean(losses[:width]), _mean(losses[-width:])
    found = {"improvement_nats": start - end}
    if start > end:
        share = (start - _mean(losses[fifth - width : fifth])) / (start - end)
        found["share_in_first_fifth"] = share
    return found


def _layer(name: str) -> str:
    number = re.search(r"\.layers\.(\d+)\.", name)
    return number[1] if number else "other"


def _norm(tensors: Sequence[torch.Tensor]) -> float:
    return torch.stack(torch._foreach_norm(tensors)).double().square().sum().sqrt().item()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
