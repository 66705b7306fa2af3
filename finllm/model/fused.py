"""Llama with LoRA as a chain of fused layers, for training and evaluation on a CPU."""

from __future__ import annotations

from collections.abc import Sequence

import bitsandbytes.functional
import numpy as np
import torch
from bitsandbytes.nn import Linear8bitLt
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch.utils.checkpoint import checkpoint
from transformers.models.llama.modeling_llama import LlamaForCausalLM

from finllm.model import attention, kernels
from finllm.model.fused_layer import AttentionHalf, GatedHalf, Projection, Shape
from finllm.model.process_memory import return_freed
from finllm.model.workspace import Workspace

# The rows of a pass are padded with zeros to a multiple of this: oneDNN compiles and caches every
# product for each new number of rows, and compiling takes longer than computing the extra rows.
ROWS = 64
DTYPES = (torch.bfloat16, torch.float32)


def why_not_fused(model: torch.nn.Module) -> str:
    """Return why ``FusedLlama`` cannot run the model, or "" if it can."""
    if not isinstance(model, PeftModel) or not isinstance(model.get_base_model(), LlamaForCausalLM):
        return "fused layers support only a Llama with a LoRA adapter"
    base, config = model.get_base_model(), model.get_base_model().config
    if base.device.type != "cpu" or base.dtype not in DTYPES:
        return "fused layers support only bfloat16 or float32 on a CPU"
    if config._attn_implementation != attention.NAME:
        return "fused layers use their own attention, but model.attention selects another"
    if config.hidden_act != "silu" or config.attention_bias or config.mlp_bias:
        return "fused layers support only SiLU gates without biases"
    if any(isinstance(module, Linear8bitLt) for module in base.modules()):
        return "fused layers do not support 8-bit weights"
    lora = model.peft_config["default"]
    if lora.use_dora or lora.bias != "none" or model.active_adapters != ["default"]:
        return "fused layers support only one plain LoRA adapter"
    return ""


class FusedLlama:
    """Fused layers of a LoRA model, which share the adapter's parameters with the model.

    Parameters
    ----------
    model
        A model for which ``why_not_fused`` is empty. Its frozen weights are dequantized here, once,
        to 2 or 4 bytes per weight of the linear layers. Layers that transformers would checkpoint
        (``finllm.model.loading.recompute_layers``) are computed again in the backward pass, with
        the same dropout masks, which their seed determines.
    """

    def __init__(self, model: PeftModel) -> None:
        self.model = model
        self.base = model.get_base_model()
        dtype = self.base.dtype
        kernels.prepare(dtype)
        self.layers = [
            (
                _projection(dtype, layer.self_attn, "q_proj", "k_proj", "v_proj"),
                _projection(dtype, layer.self_attn, "o_proj"),
                _projection(dtype, layer.mlp, "gate_proj", "up_proj"),
                _projection(dtype, layer.mlp, "down_proj"),
            )
            for layer in self.base.model.layers
        ]
        self.workspace = Workspace(dtype)

    def hidden_states(
        self, ids: torch.Tensor, offsets: Sequence[int], prompts: Sequence[slice] = ()
    ) -> torch.Tensor:
        """Compute the last hidden states of concatenated examples.

        Parameters
        ----------
        ids
            The tokens of all examples, without padding, shape (n,).
        offsets
            The start of each example, and the end: 0, ..., n.
        prompts
            For each example, the rows of an earlier example that it continues as if it followed
            them directly; an empty slice from 0 if it continues none, which is the default for all.

        Returns
        -------
        torch.Tensor
            Hidden states after the final norm, shape (n, hidden).

        Raises
        ------
        RuntimeError
            In the backward pass, if there was another forward pass with gradients in between.
        """
        return_freed()  # memory of the last pass, whose sizes differed; takes 20 ms
        prompts = tuple(prompts) or (slice(0, 0),) * (len(offsets) - 1)
        n_zero = -len(ids) % ROWS
        positions = torch.cat(
            [
                torch.arange(stop - start) + (prompt.stop - prompt.start)
                for start, stop, prompt in zip(offsets, offsets[1:], prompts, strict=False)
            ]
            + [torch.arange(n_zero)]
        )
        x = torch.nn.functional.pad(self.base.model.embed_tokens(ids), (0, 0, 0, n_zero))
        cos, sin = self.base.model.rotary_emb(x[None], positions[None])
        keeps = torch.is_grad_enabled()
        number = self.workspace.begin() if keeps else 0
        for i, layer in enumerate(self.base.model.layers):
            recomputed = keeps and self.model.training and layer.gradient_checkpointing
            workspace = self.workspace if keeps and not recomputed else None
            shape = self._shape(layer, offsets, workspace, number, prompts=prompts)
            if recomputed:
                x = checkpoint(
                    self._layer, i, x, cos[0], sin[0], shape,
                    use_reentrant=False, preserve_rng_state=False,
                )  # fmt: skip
            else:
                x = self._layer(i, x, cos[0], sin[0], shape)
        return self.base.model.norm(x[: len(ids)])

    def _shape(
        self,
        layer: torch.nn.Module,
        offsets: Sequence[int],
        workspace: Workspace | None = None,
        number: int = 0,
        *,
        prompts: tuple[slice, ...] = (),
    ) -> Shape:
        """Return a layer's settings for one pass; the seed of its dropout masks is drawn here."""
        config, lora = self.base.config, self.model.peft_config["default"]
        dropout = lora.lora_dropout if self.model.training else 0.0
        return Shape(
            eps=np.float32(config.rms_norm_eps),
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            head_dim=layer.self_attn.head_dim,
            offsets=tuple(offsets),
            prompts=prompts or (slice(0, 0),) * (len(offsets) - 1),
            scale=_scaling(layer) / (1 - dropout),
            threshold=np.uint32(dropout * 2**32),
            seed=np.uint32(torch.randint(2**32, ()).item() if dropout else 0),
            workspace=workspace,
            pass_number=number,
        )

    def _layer(
        self, i: int, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, shape: Shape
    ) -> torch.Tensor:
        layer = self.base.model.layers[i]
        qkv, out, gate_up, down = self.layers[i]
        attention, mlp = layer.self_attn, layer.mlp
        x = AttentionHalf.apply(
            x,
            layer.input_layernorm.weight,
            cos,
            sin,
            qkv,
            out,
            shape,
            *_adapters(attention, "q_proj", "k_proj", "v_proj", "o_proj"),
        )
        return GatedHalf.apply(
            x,
            layer.post_attention_layernorm.weight,
            gate_up,
            down,
            shape,
            *_adapters(mlp, "gate_proj", "up_proj", "down_proj"),
        )


def _projection(dtype: torch.dtype, block: torch.nn.Module, *names: str) -> Projection:
    weights = [_dense(getattr(block, name), dtype) for name in names]
    return Projection(torch.cat(weights), tuple(len(weight) for weight in weights))


def _dense(layer: torch.nn.Module, dtype: torch.dtype) -> torch.Tensor:
    """Return the frozen weight (d_out, d_in), dequantized to the compute type if necessary."""
    weight = (layer.base_layer if isinstance(layer, LoraLayer) else layer).weight
    state = getattr(weight, "quant_state", None)
    if state is None:
        return weight.detach()
    return bitsandbytes.functional.dequantize_4bit(weight.data, state).to(dtype)


def _adapters(block: torch.nn.Module, *names: str) -> list[torch.Tensor | None]:
    """Return A, B, A, B, ... of the named layers, each None without an adapter."""
    found: list[torch.Tensor | None] = []
    for name in names:
        layer = getattr(block, name)
        if isinstance(layer, LoraLayer):
            found += [layer.lora_A["default"].weight, layer.lora_B["default"].weight]
        else:
            found += [None, None]
    return found


def _scaling(layer: torch.nn.Module) -> float:
    """Return alpha / r (or its rank-stabilised form), the same for all adapters of a layer."""
    for module in layer.modules():
        if isinstance(module, LoraLayer):
            return module.scaling["default"]
    return 1.0
