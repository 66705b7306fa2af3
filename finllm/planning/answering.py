"""Memory of answering on one GPU: weights, keys and values, and the reading of prompts.

On a CPU the fused decoder (finllm/model/fused_decoder.py) limits its cache itself and reads no
batch of prompts at once, so its memory is not planned.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from finllm.planning.activations import DTYPE_BYTES, FLOAT32
from finllm.planning.architecture import Architecture, linear_shapes, lora_parameters
from finllm.planning.memory import GB, OVERHEAD, most_that_fit, weight_bytes

READ_MLP = 3  # wide tensors of a block that reads prompts: gate, up and their product
READ_NARROW = 4  # of the hidden width: residual, two normed copies, attention output


@dataclass(frozen=True)
class AnswerSetting:
    """Parameters that determine the memory of answering, with the length of the longest prompt."""

    quantization: str  # of predict; with none the adapter is merged
    double_quantization: bool
    compute_dtype: str
    r: int
    targets: str
    batch_size: int  # prompts answered together
    length: int  # tokens of a prompt
    new_tokens: int  # of an answer, at most


@dataclass(frozen=True)
class AnswerMemory:
    """Bytes on the device, part by part; their sum is the planned peak."""

    weights: int
    adapter: int  # if it is not merged
    cache: int  # keys and values of prompts and answers
    working: int  # to read prompts, or to copy half the cache when an answer ends
    logits: int  # of the last token of each row
    overhead: int  # of the process without tensors
    waste: int  # of the allocator, as a share of the working memory

    @property
    def peak(self) -> int:
        """Planned peak in bytes, the sum of all parts."""
        return sum(dataclasses.astuple(self))


def answer_memory(model: Architecture, setting: AnswerSetting) -> AnswerMemory:
    """Return the memory of answering on a GPU, where attention scores of prompts are not stored.

    The cache of each row is as long as the longest prompt of the batch and its answer
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
    """Return how many prompts a device of ``device_gb`` GB can answer together; 0 if none fits."""

    def fits(batch_size: int) -> bool:
        tried = dataclasses.replace(setting, batch_size=batch_size)
        return answer_memory(model, tried).peak <= device_gb * GB

    return most_that_fit(fits)
