"""The memory plan of the training that params.yaml describes."""

from __future__ import annotations

import dataclasses

from finllm.planning.architecture import find_architecture
from finllm.planning.memory import GB, Setting, planned_peak
from finllm.settings.params import Params


def setting_of(
    params: Params, *, length: int, labelled: int, device: str, mixed_lengths: bool
) -> Setting:
    """Return the setting that determines memory; ``device`` is ``cpu`` or ``cuda``.

    Raises
    ------
    ValueError
        If ``train.method`` is not ``lora``, because only the memory of adapters is planned.
    """
    m, p = params.model, params.train
    if p.method != "lora":
        raise ValueError(f"train.method is {p.method}; only the memory of lora is planned")
    return Setting(
        quantization=m.quantization,
        double_quantization=m.double_quantization,
        compute_dtype=planned_dtype(m.compute_dtype, device),
        attention=m.attention,
        r=params.lora.r,
        targets=params.lora.targets,
        dropout=params.lora.dropout,
        optimizer=p.optimizer,
        batch_size=p.batch_size,
        length=length,
        labelled=labelled,
        mixed_lengths=mixed_lengths,
        recompute_every=p.checkpoint_layers,
        device=device,
    )


def planned_dtype(compute_dtype: str, device: str) -> str:
    """Resolve ``auto``: on ``cpu`` by this machine's processor, on ``cuda`` to bfloat16."""
    if compute_dtype != "auto":
        return compute_dtype
    if device == "cuda":  # may not be this machine's; all GPUs since 2020 have it
        return "bfloat16"
    from finllm.model.compute_type import cpu_multiplies_bfloat16

    return "bfloat16" if cpu_multiplies_bfloat16() else "float32"


def launcher_of(params: Params) -> str:
    """Return the launcher of the train stage; ``single`` if params.yaml has none."""
    return str(dataclasses.asdict(params)["train"].get("launcher", "single"))


def planned_peak_gb(
    params: Params,
    folder: str,
    *,
    length: int,
    labelled: int,
    device: str,
    mixed_lengths: bool,
    devices: int = 1,
) -> float | None:
    """Return the planned peak of one device in GB, to compare with the measured one.

    ``folder`` is the folder of the weights, or a Hub id. None if the peak cannot be planned.
    """
    try:
        model = find_architecture(params.model.name, folder=folder, revision=params.model.revision)
        setting = setting_of(
            params, length=length, labelled=labelled, device=device, mixed_lengths=mixed_lengths
        )
    except ValueError:
        return None
    return planned_peak(model, setting, launcher=launcher_of(params), devices=devices) / GB
