"""Build a plan from params.yaml and from the results of earlier runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from finllm.planning.answering import AnswerSetting, answer_memory
from finllm.planning.architecture import Architecture, find_architecture, lora_parameters
from finllm.planning.cost import Cost, attainable_speed, training_cost
from finllm.planning.memory import GB, Setting
from finllm.planning.plan import Plan, make_plan, planned_flops
from finllm.planning.planned_memory import launcher_of, planned_dtype, setting_of
from finllm.records import read_examples
from finllm.settings.params import Params

DETAILS, COSTS = "details/train.json", "costs/train.json"  # of the train stage, in metrics


def plan_params(
    params: Params,
    *,
    launcher: str,
    devices: int,
    examples: int,
    tokens_per_second: float,
    train_set: Path | None,
    metrics: Path | None,
) -> Plan:
    """Return the plan of a training with these parameters.

    Parameters
    ----------
    params
        Checked parameters.
    launcher, devices
        Override the values in ``params``, unless empty or 0.
    examples
        Number of training examples; 0 for that of ``train_set``, of the last run in ``metrics``, or
        the limit in ``params``.
    tokens_per_second
        Speed of all devices together; 0 for that measured in ``metrics``, or else the share of the
        device's peak in ``params``.
    train_set, metrics
        data/split/train.jsonl and the folder of metrics of an earlier run with these parameters.
        None or a missing path is ignored.

    Raises
    ------
    ValueError
        If the shape of the model cannot be found, ``train.method`` is not ``lora``, or the files in
        ``metrics`` are not those of the train stage.
    """
    m, t, hardware = params.model, params.templatize, params.plan
    model = find_architecture(m.name, revision=m.revision)
    setting = setting_of(
        params,
        length=t.max_tokens,
        labelled=t.max_answer_tokens,
        device=hardware.device,
        mixed_lengths=True,
    )
    devices = devices or hardware.devices
    cost = _cost(
        params,
        model,
        setting,
        devices=devices,
        examples=examples,
        tokens_per_second=tokens_per_second,
        train_set=train_set,
        metrics=metrics,
    )
    return make_plan(
        m.name,
        model,
        setting,
        launcher=launcher or launcher_of(params),
        devices=devices,
        device_gb=hardware.device_gb,
        cost=cost,
        preferred=preferred_setting(params, setting),
        answers=answer_settings(params, model, device=hardware.device),
    )


def answer_settings(
    params: Params, model: Architecture, *, device: str
) -> dict[str, AnswerSetting]:
    """Return the settings of answers by kind of prompts; empty if ``device`` is ``cpu``.

    A few-shot prompt is at most as long as its own text and all shown examples, within the context.
    """
    m, t, p = params.model, params.templatize, params.predict
    if device == "cpu":
        return {}
    own = t.max_tokens - t.max_answer_tokens
    lengths = {"their own prompts": own}
    if p.few_shot:
        room = model.context - p.max_new_tokens
        lengths[f"prompts with {p.few_shot} examples"] = min(room, own + p.few_shot * t.max_tokens)
    return {
        prompts: AnswerSetting(
            quantization=p.quantization,
            double_quantization=m.double_quantization,
            compute_dtype=planned_dtype(m.compute_dtype, device),
            r=params.lora.r,
            targets=params.lora.targets,
            batch_size=p.batch_size,
            length=length,
            new_tokens=p.max_new_tokens,
        )
        for prompts, length in lengths.items()
    }


def planned_answers_gb(params: Params, *, device: str) -> float | None:
    """Return the planned peak of answers on one device in GB; None if it cannot be planned."""
    m = params.model
    try:
        model = find_architecture(m.name, revision=m.revision)
    except ValueError:
        return None
    settings = answer_settings(params, model, device=device).values()
    return max((answer_memory(model, each).peak / GB for each in settings), default=None)


def preferred_setting(params: Params, setting: Setting) -> Setting | None:
    """Return the setting of preference tuning: two rows per pair, no dropout; None if it is off.

    Fused layers need less, because they read the prompt only once.
    """
    if params.prefer.method == "none":
        return None
    return replace(setting, batch_size=2 * params.prefer.batch_size, dropout=0.0)


def _cost(
    params: Params,
    model: Architecture,
    setting: Setting,
    *,
    devices: int,
    examples: int,
    tokens_per_second: float,
    train_set: Path | None,
    metrics: Path | None,
) -> Cost | None:
    p = params.train
    trained = lora_parameters(model, r=setting.r, targets=setting.targets)
    effective_batch = p.batch_size * p.accumulation * devices
    last = _last_run(metrics, trained, effective_batch)
    n, length, tokens_from = _tokens(params, examples, train_set, last)
    if not n:
        return None
    flops = planned_flops(model, setting)
    speed, speed_from = tokens_per_second, "given"
    if not speed and last and last.compute_dtype in ("", setting.compute_dtype):
        speed, speed_from = last.tokens_per_second, f"measured by the last run ({metrics / COSTS})"
    if not speed:
        peak, share = params.plan.peak_tflops, params.plan.utilisation
        if setting.compute_dtype == "float32":
            peak, share = params.plan.peak_tflops_float32, params.plan.utilisation_float32
        speed = attainable_speed(
            flops_per_token=flops, peak_tflops=peak, utilisation=share, devices=devices
        )
        speed_from = f"{share:.0%} of {devices} x {peak:g} TFLOP/s in {setting.compute_dtype}"
    return training_cost(
        examples=n,
        tokens_per_example=length,
        tokens_from=tokens_from,
        effective_batch=effective_batch,
        epochs=p.epochs,
        max_steps=p.max_steps,
        flops_per_token=flops,
        tokens_per_second=speed,
        speed_from=speed_from,
    )


@dataclass(frozen=True)
class LastRun:
    """Measurements of the last training."""

    examples: int
    tokens_per_example: float
    tokens_per_second: float
    compute_dtype: str  # empty in files of earlier versions


def _tokens(
    params: Params, examples: int, train_set: Path | None, last: LastRun | None
) -> tuple[int, float, str]:
    """Return the number of examples, their mean number of tokens, and the source of both."""
    if train_set is not None and train_set.is_file():
        rows = read_examples(train_set)
        if rows:
            mean = sum(row.n_prompt_tokens + row.n_answer_tokens for row in rows) / len(rows)
            return examples or len(rows), mean, f"mean of {train_set}"
    if last:
        return examples or last.examples, last.tokens_per_example, "the last run"
    limits = (examples, params.split.max_train_examples, params.templatize.max_examples)
    n = next((limit for limit in limits if limit), 0)
    return n, float(params.templatize.max_tokens), "templatize.max_tokens, an upper bound"


def _last_run(metrics: Path | None, trained: int, effective_batch: int) -> LastRun | None:
    """Return the last training if it had as many trainable parameters and examples per step."""
    if metrics is None or not all((metrics / name).is_file() for name in (DETAILS, COSTS)):
        return None
    try:
        found, cost = (json.loads((metrics / name).read_text()) for name in (DETAILS, COSTS))
        seen = found["n_steps"] * found["effective_batch_size"]
        last = LastRun(
            examples=found["n_train_examples"],
            tokens_per_example=found["n_train_tokens"] / seen,
            tokens_per_second=float(cost["cost"]["tokens_per_second"]),
            compute_dtype=found.get("compute_dtype", ""),
        )
        alike = (found["trainable_parameters"], found["effective_batch_size"])
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise ValueError(
            f"{metrics / DETAILS}, {metrics / COSTS}: not what the train stage writes ({error!r})"
        ) from None
    return last if alike == (trained, effective_batch) else None
