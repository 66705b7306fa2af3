"""Terminal output of a plan."""

from __future__ import annotations

from collections.abc import Sequence

from finllm.planning.memory import GB, Setting, kernel_of
from finllm.planning.plan import DEVICE_COUNTS, HELD_AS, Plan

PARTS = {
    "weights": "weights",
    "dequantized": "dequantized weights",
    "adapter": "adapter, float32",
    "best_adapter": "copy of the best adapter",
    "gradients": "gradients",
    "optimizer": "optimizer state",
    "gathered": "gathered shards, buckets",
    "activations": "activations and logits",
    "overhead": "process: libraries, compiled kernels",
    "waste": "allocator overhead, varying lengths",
}


def page(plan: Plan) -> str:
    """Return the plan as text; memory is in GB of 10^9 bytes, ``*`` marks the current setting."""
    sections = [_model(plan), _trainable(plan), _weights(plan), _device(plan), _activations(plan)]
    sections += [_peaks(plan), _fits(plan), *([_answers(plan)] if plan.answers else [])]
    sections += [_cost(plan), _verdict(plan)]
    return "\n\n".join(sections)


def _model(plan: Plan) -> str:
    n = plan.parameters
    head = "embeddings = head" if plan.model.tied else "embeddings and head"
    return (
        f"{plan.name}: {_count(n['total'])} parameters\n"
        f"  ({_count(n['linear'])} in linear layers, {_count(n['embeddings'])} in {head})\n"
        f"1 GB is 10^9 bytes; * marks the configured setting."
    )


def _trainable(plan: Plan) -> str:
    rows = [
        (_mark(targets == plan.setting.targets, targets), f"{n:,}", f"{_share(n, plan)}")
        for targets, n in plan.trainable.items()
    ]
    return _table([f"Trainable at lora.r {plan.setting.r}", "parameters", "share"], rows)


def _weights(plan: Plan) -> str:
    s = plan.setting
    double = s.double_quantization and s.quantization in ("nf4", "fp4")
    held = "nf4" if s.quantization == "fp4" else s.quantization  # takes as many bytes
    asked = (held, double, s.compute_dtype)
    rows = []
    for how, bytes_ in plan.weights.items():
        rest = bytes_.embeddings + bytes_.norms
        parts = [bytes_.linear, bytes_.constants, rest, bytes_.total]
        rows.append((_mark(HELD_AS[how] == asked, how), *map(_gb, parts)))
    names = ["Weights stored as", "linear", "constants", "embeddings, norms", "total GB"]
    return _table(names, rows)


def _device(plan: Plan) -> str:
    s = plan.setting
    rows = [(words, _gb(vars(plan.memory)[part])) for part, words in PARTS.items()]
    rows.append(("peak in training", _gb(plan.memory.peak)))
    rows.append(("peak while loading the model", _gb(plan.loading)))
    head = f"On each device: {plan.launcher}, {plan.devices} x {s.device}"
    note = (
        f"batch_size {s.batch_size} x {s.length:,} tokens, {s.labelled:,} of them labelled; "
        f"{_kernels(s)}, {_checkpointing(s.recompute_every)}"
    )
    if plan.preferred:
        rows.append(("peak of preference tuning, on one device", _gb(plan.preferred.peak)))
    return f"{_table([head, 'GB'], rows)}\n  ({note})"


def _activations(plan: Plan) -> str:
    asked = plan.setting.recompute_every
    rows = [
        (_mark(asked == 0, "all kept"), _gb(plan.kept)),
        (_mark(asked == 1, "every block checkpointed"), _gb(plan.checkpointed)),
        ("logits at the labels, in both cases", _gb(plan.logits)),
    ]
    return _table(["Activations", "GB"], rows)


def _peaks(plan: Plan) -> str:
    rows = [
        (
            _mark(launcher == plan.launcher, launcher),
            *(_gb(peaks[n]) if n in peaks else "" for n in DEVICE_COUNTS),
        )
        for launcher, peaks in plan.peaks.items()
    ]
    names = ["Peak GB per device, by number of devices", *map(str, DEVICE_COUNTS)]
    return _table(names, rows)


def _fits(plan: Plan) -> str:
    rows = [
        (f"{size} GB", *(f"{n:,}" if n else "does not fit" for n in batches.values()))
        for size, batches in plan.largest_batches.items()
    ]
    head = f"Largest batch_size of {plan.setting.length:,} tokens, by memory of one device"
    return _table([head, "all kept", "checkpointed"], rows)


def _answers(plan: Plan) -> str:
    rows = [
        (
            f"{prompts}, {each.setting.length:,} tokens",
            _gb(each.memory.weights + each.memory.adapter),
            _gb(each.memory.cache),
            _gb(each.memory.peak),
            f"{each.largest_batch:,}" if each.largest_batch else "does not fit",
        )
        for prompts, each in plan.answers.items()
    ]
    n = next(iter(plan.answers.values())).setting.batch_size
    names = [f"Answers to {n} prompts at a time, GB on one device", "weights", "keys, values"]
    return _table([*names, "peak", f"most on {plan.device_gb:g} GB"], rows)


def _cost(plan: Plan) -> str:
    cost = plan.cost
    if cost is None:
        return "Cost: the number of examples is not known yet; set it with --examples N"
    rows = [
        ("examples", f"{cost.examples:,}"),
        ("tokens per example", f"{cost.tokens_per_example:,.0f}"),
        ("optimizer steps", f"{cost.steps:,}"),
        ("tokens in total", f"{cost.tokens:,}"),
        ("GFLOP per token", f"{cost.flops_per_token / 1e9:,.2f}"),
        ("tokens per second", f"{cost.tokens_per_second:,.0f}"),
        ("time", _time(cost.hours)),
    ]
    sources = f"\n  (tokens: {cost.tokens_from};\n   speed: {cost.speed_from})"
    return f"{_table(['Cost', ''], rows)}{sources}"


def _verdict(plan: Plan) -> str:
    preferred = plan.preferred.peak if plan.preferred else 0
    peak = max(plan.memory.peak, plan.loading, preferred) / GB
    where = f"{plan.devices} x {plan.device_gb:g} GB ({plan.launcher})"
    if plan.fits:
        return f"Fits {where}: {peak:.2f} GB planned per device."
    most = max((each.memory.peak for each in plan.answers.values()), default=0) / GB
    if peak <= plan.device_gb < most:
        lower = min(each.largest_batch for each in plan.answers.values())
        advice = f"lower predict.batch_size to {lower}" if lower else "use a larger device"
        return (
            f"Training fits {where}: {peak:.2f} GB planned per device. Answers do not fit one: "
            f"{most:.2f} GB planned; {advice}."
        )
    if plan.memory.peak <= plan.device_gb * GB < plan.loading:
        return (
            f"Does not fit {where}: {plan.loading / GB:.2f} GB planned per device while loading "
            "(whole model and shards); use larger devices, or a smaller model."
        )
    advice = "lower train.batch_size or templatize.max_tokens"
    if plan.preferred and plan.preferred.peak > plan.memory.peak:
        advice = "lower prefer.batch_size or templatize.max_tokens"
    if not plan.setting.recompute_every:
        advice += ", set train.checkpoint_layers to 1"
    if plan.setting.quantization == "none":
        advice += ", set model.quantization to nf4"
    return f"Does not fit {where}: {peak:.2f} GB planned per device; {advice}, or shard with fsdp."


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the rows with aligned columns, the first to the left and the others to the right."""
    lines = [names, *(("  " + row[0], *row[1:]) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    return "\n".join(
        f"{line[0].ljust(widths[0])}  {_right(line, widths)}".rstrip() for line in lines
    )


def _right(line: Sequence[str], widths: Sequence[int]) -> str:
    pairs = zip(line[1:], widths[1:], strict=True)
    return "  ".join(cell.rjust(width) for cell, width in pairs)


def _mark(asked: bool, text: str) -> str:
    return f"{text} *" if asked else text


def _gb(bytes_: float) -> str:
    return f"{bytes_ / GB:.2f}"


def _count(n: int) -> str:
    return f"{n / 1e9:.2f} billion" if n >= 1e9 else f"{n / 1e6:.1f} million"


def _share(n: int, plan: Plan) -> str:
    return f"{n / plan.parameters['total']:.2%}"


def _kernels(setting: Setting) -> str:
    kernel = kernel_of(setting)
    return "fused layers" if kernel == "fused" else f"attention {kernel}"


def _checkpointing(every: int) -> str:
    return {0: "no checkpointing", 1: "every block checkpointed"}.get(
        every, f"one block in {every} checkpointed"
    )


def _time(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"
