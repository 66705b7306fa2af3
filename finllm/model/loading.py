"""Loading of the base model, quantized or not, and adding of LoRA adapters."""

from __future__ import annotations

import os

import torch
from bitsandbytes.nn import Linear4bit, Linear8bitLt, Params4bit
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    PreTrainedModel,
)

from finllm.model import attention, backends
from finllm.model.compute_type import DTYPES
from finllm.model.lora_linear import use_lean_lora
from finllm.model.process_memory import return_freed

LORA_TARGETS = {
    "all-linear": "all-linear",
    "attention": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "query-value": ["q_proj", "v_proj"],
}
UNSLOTH_LINEAR = [*LORA_TARGETS["attention"], "gate_proj", "up_proj", "down_proj"]


def load_base(
    folder: str,
    *,
    revision: str,
    quantization: str,
    double_quantization: bool,
    compute_dtype: str,
    attention_kernel: str,
    backend: str = "auto",
    max_tokens: int = 0,
    sharded: bool = False,
) -> PreTrainedModel:
    """Load the frozen base model onto this process's device: its GPU, or the CPU.

    Parameters
    ----------
    folder
        A local folder or a Hub id.
    revision
        Hub commit; empty for a local folder.
    quantization
        ``nf4`` or ``fp4`` (bitsandbytes, 4 bits per weight of the linear layers; Dettmers et al.
        2023, arXiv 2305.14314), ``int8`` (LLM.int8 of the same package: 8 bits per weight, input
        outliers in 16 bits; Dettmers et al. 2022, arXiv 2208.07339), or ``none``.
    double_quantization
        Whether the quantization constants are quantized too (section 3 of Dettmers et al. 2023).
    compute_dtype
        ``bfloat16``, ``float16`` or ``float32``, for the products and for the layers that are not
        quantized. int8 products are always float16 inside.
    attention_kernel
        ``auto``, ``matmul``, ``sdpa``, ``eager``, ``flash_attention_2``, or ``answers`` for
        generation: ``matmul`` on a CPU, and on a GPU fused kernels for the prompts.
    backend
        ``auto``, ``liger`` or ``unsloth`` (finllm/model/backends.py).
    max_tokens
        Length of the longest training example; only Unsloth uses it.
    sharded
        Whether FSDP will shard the weights: four-bit values are then stored in elements of the
        compute dtype, since only floating-point parameters can be sharded.

    Raises
    ------
    ValueError
        If the selected kernels cannot run on this machine.
    """
    on_gpu = torch.cuda.is_available()
    dtype = DTYPES[compute_dtype]
    if attention_kernel == "auto":
        attention_kernel = "sdpa" if on_gpu else "matmul"
    own = {"matmul": attention.NAME, "answers": attention.READING if on_gpu else attention.NAME}
    if attention_kernel == "flash_attention_2":
        backends.require("model.attention", attention_kernel, "auto")
    if backend == "unsloth":
        return backends.load_unsloth(
            folder,
            revision=revision,
            quantization=quantization,
            dtype=dtype,
            max_tokens=max_tokens,
        )
    if backend == "liger":
        backends.apply_liger()
    config = None
    if quantization == "int8":
        config = BitsAndBytesConfig(load_in_8bit=True)
    elif quantization != "none":
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=quantization,
            bnb_4bit_use_double_quant=double_quantization,
            bnb_4bit_compute_dtype=dtype,
            bnb_4bit_quant_storage=dtype if sharded else torch.uint8,
        )
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        revision=revision or None,
        dtype=dtype,
        quantization_config=config,
        attn_implementation=own.get(attention_kernel, attention_kernel),
        device_map={"": int(os.environ.get("LOCAL_RANK", 0)) if on_gpu else "cpu"},
    )
    keep_differentiable(model)
    if config is not None and not on_gpu:
        leave_file(model)
    return model


def leave_file(model: torch.nn.Module) -> None:
    """Copy the parameters that were not quantized to memory, so that the weight file is released.

    Loaded weights are views of the memory-mapped file, and a single remaining one keeps all of it
    mapped, which is as large as the whole model before quantization.
    """
    for parameter in model.parameters():
        if parameter.is_floating_point() and not isinstance(parameter, Params4bit):
            parameter.data = parameter.data.clone()
    return_freed()


def keep_differentiable(model: torch.nn.Module) -> None:
    """Prevent bitsandbytes from repacking 4-bit weights at the first evaluation on a CPU.

    On a CPU with AVX512-BF16, bitsandbytes 0.50 repacks a layer for inference when it first runs in
    evaluation mode, and never undoes it. Training after an evaluation then uses a kernel without a
    gradient, so that the layers below silently get no gradient. The repacked kernel is also slower
    than dequantizing for more than a few rows.
    """
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def add_lora(
    model: PreTrainedModel,
    *,
    r: int,
    alpha: float,
    dropout: float,
    targets: str,
    checkpoint_layers: int,
    seed: int,
    rslora: bool = False,
    dora: bool = False,
    backend: str = "auto",
) -> PeftModel:
    """Add a new adapter to the model: W + (alpha / r) B A, with B = 0 at the start.

    Hu et al. 2021, arXiv 2106.09685, section 4.1. Only A and B are trained, in float32. The frozen
    embeddings and norms keep the compute dtype, as in prediction; PEFT's helper would convert them,
    and with them every activation between the layers, to float32.

    Parameters
    ----------
    checkpoint_layers
        Activations are recomputed in every k-th layer, or in none if 0.
    rslora
        Whether the update is scaled by alpha / sqrt(r), which keeps its size as r grows
        (Kalajdzievski 2023, arXiv 2312.03732, theorem 3.2).
    dora
        Whether the norm of every row of W + B A is trained separately from its direction (Liu et
        al. 2024, arXiv 2402.09353, equation 5). PEFT computes it, not the lean update.

    Raises
    ------
    ValueError
        If ``dora`` is combined with int8 weights on a CPU, or ``unsloth`` with
        ``checkpoint_layers`` above 1.
    """
    if backend == "unsloth":
        return backends.unsloth_lora(
            model,
            r=r,
            alpha=alpha,
            dropout=dropout,
            targets=UNSLOTH_LINEAR if targets == "all-linear" else LORA_TARGETS[targets],
            rslora=rslora,
            checkpoint_layers=checkpoint_layers,
            seed=seed,
        )
    int8 = any(isinstance(module, Linear8bitLt) for module in model.modules())
    if dora and int8 and model.device.type == "cpu":
        raise ValueError(
            "lora.dora is true and model.quantization is int8; on a CPU PEFT 0.21 loses the scales "
            "of int8 weights when it computes their norms: set model.quantization to nf4 or none"
        )
    model.requires_grad_(False)
    recompute_layers(model, checkpoint_layers)
    config = LoraConfig(
        r=r,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=LORA_TARGETS[targets],
        use_rslora=rslora,
        use_dora=dora,
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(seed)
    peft_model = get_peft_model(model, config)
    if not dora:
        use_lean_lora(peft_model)
    return peft_model


def recompute_layers(model: PreTrainedModel, every: int) -> None:
    """Recompute the activations of every k-th layer in the backward pass, from its input alone.

    Chen et al. 2016, arXiv 1604.06174. torch restores the random state of the forward pass for the
    recomputation, so that dropout draws the same masks. 0 recomputes nothing.
    """
    if every:
        model.activation_checkpointing_enable({"use_reentrant": False}, every_n_layers=every)
        model.enable_input_require_grads()
