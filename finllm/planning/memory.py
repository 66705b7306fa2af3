"""Memory of training on one device: weights, adapter, gradients, optimizer state, activations.

The first four can be sharded over several devices. GB is 10^9 bytes. The memory of the process
without tensors and the waste of its allocator follow from no formula: on a CPU both were measured
(benchmarks/plan_memory.py), on CUDA both are assumed, because this repository has not been run on a
GPU yet.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from finllm.planning.activations import DTYPE_BYTES, FLOAT32, Activations, activations
from finllm.planning.architecture import (
    Architecture,
    block_parameters,
    embedding_parameters,
    linear_parameters,
    linear_shapes,
    lora_parameters,
    norm_parameters,
)

GB = 10**9
LARGEST_BATCH = 4096  # upper limit of the search
LAUNCHERS = ("single", "ddp", "deepspeed-zero2", "fsdp", "deepspeed-zero3")

BLOCK = 64  # weights that share one constant in NF4 and FP4
NESTED_BLOCK = 256  # constants that share one constant under double quantization
OPTIMIZER_BYTES = {
    "adamw": 2 * FLOAT32,
    "adamw_8bit": 2,
    "paged_adamw_8bit": 2,
}  # two moments per trainable weight


@dataclass(frozen=True)
class Overhead:
    """Memory that a process needs besides its tensors."""

    base: int  # interpreter, libraries, compiled kernels, driver
    lengths: int  # products compiled for each new number of tokens, and gaps between them
    waste: float  # of the allocator, as a share of the activations, if layers are not fused


# Of the base on a CPU, interpreter and libraries take 0.62 GB, tokenizer and sets 0.05 GB, and the
# first passes, which compile kernels and products, the rest (docs/experiments.md).
OVERHEAD = {
    "cpu": Overhead(base=int(0.9 * GB), lengths=int(0.3 * GB), waste=0.22),  # measured
    "cuda": Overhead(base=int(0.6 * GB), lengths=0, waste=0.1),  # assumed
}


@dataclass(frozen=True)
class Setting:
    """Parameters that determine the memory of training, with the length of the longest example."""

    quantization: str  # nf4, fp4, int8, none
    double_quantization: bool
    compute_dtype: str
    attention: str  # auto, matmul, sdpa, eager, flash_attention_2
    r: int
    targets: str
    dropout: float
    optimizer: str
    batch_size: int  # examples per forward pass, on each device
    length: int  # tokens of an example
    labelled: int  # tokens of an example that carry loss
    mixed_lengths: bool  # whether examples differ in length; false in benchmarks
    recompute_every: int  # 0 no block, 1 every block, k every k-th
    device: str  # cpu, cuda


@dataclass(frozen=True)
class Weights:
    """Bytes of the frozen weights."""

    linear: int  # as stored, possibly quantized
    constants: int  # of the quantization
    embeddings: int  # including the head; never quantized
    norms: int  # never quantized

    @property
    def total(self) -> int:
        """Bytes of all parts."""
        return self.linear + self.constants + self.embeddings + self.norms


@dataclass(frozen=True)
class Memory:
    """Bytes on one device, part by part; their sum is the planned peak."""

    weights: int
    dequantized: int  # a second copy of the linear layers, for the products of fused layers
    adapter: int
    best_adapter: int  # the copy that early stopping restores
    gradients: int
    optimizer: int
    gathered: int  # shards gathered for a product, and gradient buckets
    activations: int
    overhead: int  # of the process without tensors
    waste: int  # of the allocator: for examples of many lengths, or as a share of the activations

    @property
    def peak(self) -> int:
        """Planned peak in bytes, the sum of all parts."""
        return sum(dataclasses.astuple(self))


def weight_bytes(
    model: Architecture, *, quantization: str, double_quantization: bool, compute_dtype: str
) -> Weights:
    """Return the bytes of the frozen weights; embeddings, head and norms are in the compute type.

    NF4 and FP4 take half a byte per weight and a float32 constant per 64 weights; double
    quantization reduces each constant to a byte, with a float32 per 256 constants (Dettmers et al.
    2023, arXiv 2305.14314, section 3). int8 has a float32 per row (Dettmers et al. 2022, arXiv
    2208.07339).

    Raises
    ------
    ValueError
        If the quantization is unknown.
    """
    b = DTYPE_BYTES[compute_dtype]
    n = linear_parameters(model)
    constants = 0
    if quantization in ("nf4", "fp4"):
        linear = n // 2
        blocks = n // BLOCK
        constants = FLOAT32 * blocks
        if double_quantization:
            constants = blocks + FLOAT32 * blocks // NESTED_BLOCK
    elif quantization == "int8":
        linear = n
        rows = sum(outputs for outputs, _ in linear_shapes(model).values())
        constants = FLOAT32 * model.layers * rows
    elif quantization == "none":
        linear = b * n
    else:
        raise ValueError(f"quantization is {quantization!r}; supported: nf4, fp4, int8, none")
    return Weights(linear, constants, b * embedding_parameters(model), b * norm_parameters(model))


def setting_weights(model: Architecture, setting: Setting) -> Weights:
    """Return ``weight_bytes`` of a setting."""
    return weight_bytes(
        model,
        quantization=setting.quantization,
        double_quantization=setting.double_quantization,
        compute_dtype=setting.compute_dtype,
    )


def kernel_of(setting: Setting) -> str:
    """Return the attention kernel, with ``auto`` resolved; ``fused`` if training fuses the layers.

    The conditions are those of ``finllm.model.fused.why_not_fused``, without DoRA.
    """
    fusible = setting.device == "cpu" and setting.compute_dtype in ("bfloat16", "float32")
    own = setting.attention in ("auto", "matmul") and setting.quantization != "int8"
    if fusible and own:
        return "fused"
    if setting.attention == "auto":
        return "matmul" if setting.device == "cpu" else "sdpa"
    return setting.attention


def setting_activations(model: Architecture, setting: Setting) -> Activations:
    """Return ``activations`` of a setting, with the kernels that it runs with."""
    return activations(
        model,
        batch_size=setting.batch_size,
        length=setting.length,
        labelled=setting.labelled,
        r=setting.r,
        targets=setting.targets,
        dropout=setting.dropout,
        attention=kernel_of(setting),
        compute_dtype=setting.compute_dtype,
        recompute_every=setting.recompute_every,
    )


def device_memory(model: Architecture, setting: Setting, *, launcher: str, devices: int) -> Memory:
    """Return the memory of training on each of ``devices`` equal devices.

    - ``single``, ``ddp``: everything is on each device; DDP adds buckets as large as the gradients.
    - ``deepspeed-zero2``: gradients and optimizer state are sharded (Rajbhandari et al. 2020, arXiv
      1910.02054, section 5).
    - ``fsdp``: adapter and weights are sharded as well, and gathered one block at a time, with the
      next one prefetched; embeddings and head belong to the root unit, which stays gathered (Zhao
      et al. 2023, arXiv 2304.11277, section 3).
    - ``deepspeed-zero3``: as FSDP, but embeddings and head are gathered one after the other.

    The constants of the quantization are not parameters, so no launcher shards them. Activations do
    not depend on the launcher, because ``batch_size`` is per device.

    Raises
    ------
    ValueError
        If the launcher or the quantization is unknown.
    """
    if launcher not in LAUNCHERS:
        raise ValueError(f"launcher is {launcher!r}; supported: {', '.join(LAUNCHERS)}")
    weights = setting_weights(model, setting)
    trained = lora_parameters(model, r=setting.r, targets=setting.targets)
    adapter = gradients = FLOAT32 * trained
    optimizer = OPTIMIZER_BYTES[setting.optimizer] * trained
    held, gathered = weights.total, 0
    if devices > 1 and launcher in ("ddp", "deepspeed-zero2"):
        gathered = gradients
    if launcher in ("fsdp", "deepspeed-zero3"):
        gathered = _gathered(model, weights, launcher) if devices > 1 else 0
        held = weights.constants + (held - weights.constants) // devices
        adapter //= devices
    if launcher in ("deepspeed-zero2", "fsdp", "deepspeed-zero3"):
        gradients //= devices
        optimizer //= devices
    fused = kernel_of(setting) == "fused"
    overhead = OVERHEAD[setting.device]
    peak = setting_activations(model, setting).peak
    waste = overhead.lengths * setting.mixed_lengths if fused else int(overhead.waste * peak)
    return Memory(
        weights=held,
        dequantized=DTYPE_BYTES[setting.compute_dtype] * linear_parameters(model) if fused else 0,
        adapter=adapter,
        best_adapter=FLOAT32 * trained,
        gradients=gradients,
        optimizer=optimizer,
        gathered=gathered,
        activations=peak,
        overhead=overhead.base,
        waste=waste,
    )


def loading_memory(model: Architecture, setting: Setting, *, launcher: str, devices: int) -> int:
    """Return the bytes on each device until the model is ready to train: whole weights and shards.

    Each process loads and quantizes the whole model on its device before FSDP or ZeRO-3 shards it,
    and keeps both until everything is sharded. Accelerate 1.15 can load on one process and send
    shards to the others (``fsdp_cpu_ram_efficient_loading``), but leaves out four-bit weights
    (``accelerate.utils.fsdp_utils.fsdp2_prepare_model``).
    """
    weights = setting_weights(model, setting)
    adapter = FLOAT32 * lora_parameters(model, r=setting.r, targets=setting.targets)
    whole = weights.total + adapter
    sharded = devices > 1 and launcher in ("fsdp", "deepspeed-zero3")
    shards = (whole - weights.constants) // devices if sharded else 0
    return whole + shards + OVERHEAD[setting.device].base


def planned_peak(model: Architecture, setting: Setting, *, launcher: str, devices: int) -> int:
    """Return the peak bytes of one device, either while loading the model or while training."""
    training = device_memory(model, setting, launcher=launcher, devices=devices).peak
    return max(training, loading_memory(model, setting, launcher=launcher, devices=devices))


def largest_batch(model: Architecture, setting: Setting, *, device_gb: float) -> int:
    """Return how many examples per forward pass fit one device of ``device_gb`` GB; 0 if none."""

    def fits(batch_size: int) -> bool:
        tried = dataclasses.replace(setting, batch_size=batch_size)
        return device_memory(model, tried, launcher="single", devices=1).peak <= device_gb * GB

    return most_that_fit(fits)


def most_that_fit(fits: Callable[[int], bool]) -> int:
    """Return the largest batch that fits, by bisection; at most ``LARGEST_BATCH``.

    >>> most_that_fit(lambda batch_size: batch_size <= 12)
    12
    """
    return bisect_left(range(1, LARGEST_BATCH + 1), True, key=lambda n: not fits(n))


def _gathered(model: Architecture, weights: Weights, launcher: str) -> int:
    """Return the bytes of two blocks and of embeddings and head: both (FSDP) or one (ZeRO-3)."""
    block = weights.linear * block_parameters(model) // linear_parameters(model)
    root = weights.embeddings
    if launcher == "deepspeed-zero3" and not model.tied:
        root //= 2
    return 2 * block + root
