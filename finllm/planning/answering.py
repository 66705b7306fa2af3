"""The memory of answering on one GPU: weights, keys and values, and the reading of prompts.

On a CPU the fused decoder (finllm/model/fused_decoder.py) bounds its cache by itself, and no batch
of prompts is read at once; nothing is planned there.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from finllm.planning.activations import DTYPE_BYTES, FLOAT32
from finllm.planning.architecture import Architecture, linear_shapes, lora_parameters
from finllm.planning.memory import GB, OVERHEAD, most_that_fit, weight_bytes

READ_MLP = 3  # wide tensors of a block that reads: gate, up, and their product
READ_NARROW = 4  # of the hidden width: the residual, two normed copies, the attention's output


@dataclass(frozen=True)
class AnswerSetting:
    """The parameters that decide the memory of answering, and the length of the longest prompt."""

    quantization: str  # of predict; none has the adapter merged
    double_quantization: bool
    compute_dtype: str
    r: int
    targets: str
    batch_size: int  # prompts that are answered together
    length: int  # tokens of a prompt
    new_tokens: int  # of an answer, at most


@dataclass(frozen=True)
class AnswerMemory:
    """Bytes on the device, part by part; their sum is the planned peak."""

    weights: int
    adapter: int  # where it is not merged
    cache: int  # keys and values of prompts and answers
    working: int  # reading the prompts, or the copy of half the cache when an answer has ended
    logits: int  # of the last token of each row
    overhead: int  # of the process, before it holds a tensor
    waste: int  # of the allocator, as a share of what comes and goes

    @property
    def peak(self) -> int:
        """The most that is held at once."""
        return sum(dataclasses.astuple(self))


def answer_memory(model: Architecture, setting: AnswerSetting) -> AnswerMemory:
    """Bytes that answers hold on a GPU; prompts are read there without their attention's scores.

    The cache is as long as the longest prompt of the batch and its answer, for every row of it
    (``finllm.answering.generate.RowCache``).
    """
    b = DTYPE_BYTES[setting.compute_dtype]
    weights = weight_bytes(
        model,
        quantization=setting.quantization,
        double_quantization=setting.double_quantization,
        compute_dtype=setting.compute_dtype,
    )
    held = setting.quantization != "none"
    slots = setting.batch_size * (setting.length + setting.new_tokens)
    cache = 2 * b * model.layers * model.kv_width * slots
    repeated = 3 * model.query_width  # queries, and keys and values once for every query head
    wide = max(READ_MLP * model.intermediate, repeated)
    tokens = setting.batch_size * setting.length
    reading = tokens * b * (wide + READ_NARROW * model.hidden)
    largest = max(outputs * inputs for outputs, inputs in linear_shapes(model).values())
    reading += b * largest if held else 0  # one matrix, dequantized
    trained = lora_parameters(model, r=setting.r, targets=setting.targets)
    working = max(reading, cache // 2)
    return AnswerMemory(
        weights=weights.total,
        adapter=FLOAT32 * trained if held else 0,
        cache=cache,
        working=working,
        logits=setting.batch_size * model.vocabulary * (b + FLOAT32),
        overhead=OVERHEAD["cuda"].base,
        waste=int(OVERHEAD["cuda"].waste * working),
    )


def largest_answer_batch(model: Architecture, setting: AnswerSetting, *, device_gb: float) -> int:
    """The most prompts that a device of ``device_gb`` answers together; 0 for none."""

    def fits(batch_size: int) -> bool:
        tried = dataclasses.replace(setting, batch_size=batch_size)
        return answer_memory(model, tried).peak <= device_gb * GB

    return most_that_fit(fits)
