"""Loading the base model and its tokenizer, quantized or not, and putting an adapter on it."""

from __future__ import annotations

import os

import torch
from bitsandbytes.nn import Linear4bit
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    PreTrainedModel,
)

from finllm.model import attention
from finllm.model.lora_linear import use_lean_lora

LORA_TARGETS = {
    "all-linear": "all-linear",
    "attention": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "query-value": ["q_proj", "v_proj"],
}


def load_base(
    folder: str,
    *,
    revision: str,
    quantization: str,
    double_quantization: bool,
    compute_dtype: str,
    attention_kernel: str,
    sharded: bool = False,
) -> PreTrainedModel:
    """The frozen base model on this process's device: its GPU, or the CPU.

    Parameters
    ----------
    folder
        A local folder or a Hub id.
    revision
        The Hub commit; empty for a local folder.
    quantization
        ``nf4`` or ``fp4`` (bitsandbytes, 4 bits a weight of the linear layers; Dettmers et al.
        2023, arXiv 2305.14314), or ``none``.
    double_quantization
        Whether the quantization constants are quantized too (section 3 there).
    compute_dtype
        ``bfloat16`` or ``float32``, of the products and of the layers that are not quantized.
    attention_kernel
        ``auto``, ``matmul``, ``sdpa``, ``eager`` or ``flash_attention_2``.
    sharded
        Whether FSDP will shard the weights: four-bit values are then stored in elements of the
        compute dtype, since only floating-point parameters can be sharded.
    """
    on_gpu = torch.cuda.is_available()
    dtype = {"bfloat16": torch.bfloat16, "float32": torch.float32}[compute_dtype]
    if attention_kernel == "auto":
        attention_kernel = "sdpa" if on_gpu else "matmul"
    config = None
    if quantization != "none":
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
        attn_implementation=attention.NAME if attention_kernel == "matmul" else attention_kernel,
        device_map={"": int(os.environ.get("LOCAL_RANK", 0)) if on_gpu else "cpu"},
    )
    keep_differentiable(model)
    return model


def keep_differentiable(model: torch.nn.Module) -> None:
    """Keep bitsandbytes from repacking 4-bit weights at the first evaluation on a CPU.

    On a CPU with AVX512-BF16, bitsandbytes 0.50 repacks a layer for inference when it is first run
    in evaluation mode, and never back: training after an evaluation then runs through a kernel
    without a gradient, so that the layers below get none, silently. The repacked kernel is also
    slower than dequantizing for more than a few rows.
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
    gradient_checkpointing: bool,
    seed: int,
) -> PeftModel:
    """The model with a new adapter: W + (alpha / r) B A, with B = 0 at the start.

    Hu et al. 2021, arXiv 2106.09685, section 4.1. Only A and B are trained, in float32; the
    frozen embeddings and norms keep the compute dtype, as they have in prediction (PEFT's helper
    would raise them to float32, and with them every activation between the layers).
    """
    model.requires_grad_(False)
    if gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    config = LoraConfig(
        r=r,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=LORA_TARGETS[targets],
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(seed)
    peft_model = get_peft_model(model, config)
    use_lean_lora(peft_model)
    return peft_model
