"""Models and inputs of the checks. Weights are random, so no network is needed."""

from __future__ import annotations

from pathlib import Path

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit, Params4bit
from peft import PeftModel
from tokenizers import Tokenizer, models
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from finllm.instruct.chat import Encoded
from finllm.model import attention
from finllm.model.loading import add_lora, keep_differentiable, load_base

SEED = 7
RANK = 8  # of the adapters, unless a check names another


def tiny_config() -> LlamaConfig:
    """Return the configuration of a small Llama with a head width that fused attention supports."""
    return LlamaConfig(
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=1024,
        max_position_embeddings=2048,
        initializer_range=0.05,
    )


def write_tiny(folder: Path) -> str:
    """Save a model of ``tiny_config`` with weights rounded to bfloat16; return the folder."""
    torch.manual_seed(SEED)
    LlamaForCausalLM(tiny_config()).bfloat16().save_pretrained(folder)
    return str(folder)


def tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer with a word for every id; the trainer needs its padding token."""
    words = models.WordLevel({f"w{i}": i for i in range(vocabulary)}, unk_token="w0")
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(words), eos_token="w2", pad_token="w2", unk_token="w0"
    )


def exact(folder: str) -> PreTrainedModel:
    """Load the reference: the model in float32 on the CPU, with plain products in attention."""
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attention.NAME
    )
    return model.eval()


def loaded(
    folder: str, dtype: str, *, quantization: str = "none", kernel: str = "sdpa"
) -> PreTrainedModel:
    """Load the model as the stages do, on the GPU if there is one."""
    return load_base(
        folder,
        revision="",
        quantization=quantization,
        double_quantization=True,
        compute_dtype=dtype,
        attention_kernel=kernel,
    ).eval()


def with_lora(
    model: PreTrainedModel, *, r: int = RANK, dropout: float = 0.0, checkpoint_layers: int = 0
) -> PeftModel:
    """Add an adapter whose A and B are nonzero and the same on every device."""
    tuned = add_lora(
        model,
        r=r,
        alpha=2 * r,
        dropout=dropout,
        targets="all-linear",
        checkpoint_layers=checkpoint_layers,
        seed=SEED,
    )
    generator = torch.Generator().manual_seed(SEED)
    for _, parameter in sorted(tuned.named_parameters()):
        if parameter.requires_grad:
            value = torch.randn(parameter.shape, generator=generator) * 0.02
            parameter.data = value.to(parameter.device)
    return tuned


def copy_dequantized(four_bit: torch.nn.Module, model: PreTrainedModel) -> None:
    """Copy the dequantized weights of a four-bit model into a float32 model."""
    for name, module in four_bit.named_modules():
        if isinstance(module, Linear4bit):
            weight = dequantize_4bit(module.weight.data, module.weight.quant_state)
            model.get_submodule(name).weight.data = weight.float().cpu()


def random_ids(n_rows: int, n_tokens: int, vocabulary: int) -> torch.Tensor:
    """Return random token ids, shape (n_rows, n_tokens), the same on every machine."""
    generator = torch.Generator().manual_seed(SEED)
    return torch.randint(3, vocabulary, (n_rows, n_tokens), generator=generator)


def random_rows(n: int, n_tokens: int, n_labelled: int, vocabulary: int) -> list[Encoded]:
    """Return training examples whose labelled tokens are all equal, so that the loss can fall."""
    ids = random_ids(n, n_tokens, vocabulary)
    ids[:, -n_labelled:] = ids[:1, :1]
    return [Encoded(row.tolist(), n_tokens - n_labelled) for row in ids]


def random_on_device(
    config: LlamaConfig, device: torch.device, *, dtype: torch.dtype, four_bit: bool
) -> PreTrainedModel:
    """Create a model with random weights on a device, one matrix at a time.

    With ``four_bit`` its linear layers are quantized as in a four-bit load, and the whole model is
    never in memory in 16 bits.
    """
    with torch.device("meta"):
        model = LlamaForCausalLM(config).to(dtype)
    generator = torch.Generator(device).manual_seed(SEED)

    def values(shape: torch.Size) -> torch.Tensor:
        made = torch.empty(shape, dtype=dtype, device=device)
        return made.normal_(0, config.initializer_range, generator=generator)

    for name, module in list(model.named_modules()):
        if isinstance(module, torch.nn.Linear) and four_bit and "lm_head" not in name:
            parent = model.get_submodule(name.rpartition(".")[0])
            layer = Linear4bit(
                module.in_features,
                module.out_features,
                bias=False,
                compute_dtype=dtype,
                quant_type="nf4",
                device="meta",
            )
            weight = Params4bit(values(module.weight.shape), quant_type="nf4", module=layer)
            layer.weight = weight._quantize(device)
            setattr(parent, name.rpartition(".")[2], layer)
        elif isinstance(module, (torch.nn.Linear, torch.nn.Embedding)):
            module.weight = torch.nn.Parameter(values(module.weight.shape))
        elif "weight" in module._parameters and module.weight.dim() == 1:  # a norm
            module.weight = torch.nn.Parameter(torch.ones_like(module.weight, device=device))
    model.model.rotary_emb = LlamaRotaryEmbedding(config).to(device)
    model.config._attn_implementation = "sdpa"
    keep_differentiable(model)
    model.is_loaded_in_4bit = four_bit  # PEFT chooses its layers by this
    return model
