"""Activation memory of a training step: a list of the stored tensors, per token.

``kept_by_block`` and ``kept_by_fused_block`` list every tensor that a block's forward pass keeps
for its backward pass, with its bytes per token; tests/test_plan_activations.py compares the sums
with what autograd actually keeps. If a kernel of finllm/model keeps less, only its line changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from finllm.planning.architecture import LORA_LAYERS, Architecture, block_parameters, linear_shapes

FLOAT32 = 4
DTYPE_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}
SHARED_INPUT = {  # layers that read the same tensor
    "input of q, k, v": ("q_proj", "k_proj", "v_proj"),
    "input of o": ("o_proj",),
    "input of gate and up": ("gate_proj", "up_proj"),
    "input of down": ("down_proj",),
}
# Float32 copies of the logits at labelled positions: log-softmax, its gradient, that of the logits.
LOGIT_COPIES = 3
QUERY_BLOCK = 256  # of finllm.model.fused_attention: queries that all see the keys up to their last
LOGIT_ROWS = 128  # of finllm.model.head_loss: labelled positions with logits at once, if fused
# Gradients that a block's backward pass has at once, besides the kept tensors: of the attention
# weights (scores and softmax) or of the MLP's wide tensors, whichever is more.
ATTENTION_GRADIENTS = 2
MLP_GRADIENTS = 5


@dataclass(frozen=True)
class Kept:
    """A tensor that a block keeps for its backward pass."""

    name: str
    bytes_per_token: float


@dataclass(frozen=True)
class Activations:
    """Bytes of activations in one forward and backward pass on one device."""

    kept: int  # for the backward pass, of all blocks together
    recomputed: int  # of the block that is recomputed, if blocks are checkpointed
    logits: int  # at the labelled positions, when the loss is differentiated
    workspace: int  # of the block in its backward pass: gradients, one dequantized matrix

    @property
    def peak(self) -> int:
        """Peak in bytes; the loss is differentiated before any block, so the two never add up."""
        return self.kept + max(self.logits, self.recomputed + self.workspace)


def kept_by_block(
    model: Architecture,
    *,
    length: int,
    r: int,
    targets: str,
    dropout: float,
    attention: str,
    dtype_bytes: int,
) -> list[Kept]:
    """Return the tensors that one block keeps for each token.

    Parameters
    ----------
    model
        Shape of the model.
    length
        Tokens of an example, including padding; a token has as many attention weights per head.
    r, targets, dropout
        LoRA settings.
    attention
        ``matmul``, ``eager``, ``sdpa`` or ``flash_attention_2``; the last two keep no weights.
    dtype_bytes
        Bytes of the compute type.
    """
    wide = linear_shapes(model)
    adapted = LORA_LAYERS[targets]
    h, f, q, kv = model.hidden, model.intermediate, model.query_width, model.kv_width
    b = dtype_bytes
    kept = [Kept("two norms: input in float32, 1/rms", 2 * (FLOAT32 * h + FLOAT32))]
    for name, readers in SHARED_INPUT.items():
        if set(readers) & set(adapted):
            kept.append(Kept(f"LoRA: {name}", b * wide[readers[0]][1]))
    if dropout > 0:  # one mask for each adapted layer, as integers of the compute type's width
        kept.append(Kept("LoRA: dropout masks", b * sum(wide[name][1] for name in adapted)))
    kept.append(Kept("LoRA: the middle of rank r", b * r * len(adapted)))
    if attention == "matmul":
        kept += [
            Kept("attention: queries, keys, values", b * (q + 2 * kv)),
            Kept("attention: weights", b * model.heads * length),
        ]
    elif attention == "eager":  # keys and values repeated for every query head
        kept += [
            Kept("attention: queries, keys, values", b * 3 * q),
            Kept(
                "attention: weights, in float32 and rounded", (FLOAT32 + b) * model.heads * length
            ),
        ]
    else:  # the output is also o's input
        output = 0 if "o_proj" in adapted else b * q
        kept += [
            Kept("attention: queries, keys, values", b * (q + 2 * kv) + output),
            Kept("attention: log of the sum", FLOAT32 * model.heads),
        ]
    kept.append(Kept("MLP: gate, its SiLU, up", 3 * b * f))
    return kept


def kept_by_fused_block(
    model: Architecture, *, length: int, r: int, targets: str, dtype_bytes: int
) -> list[Kept]:
    """Return the tensors that one block of ``finllm.model.fused_layer`` keeps for each token.

    Norms are recomputed from the block's inputs, and dropout masks from a seed. Attention weights
    are kept up to the last key that a block of queries sees. ``length`` is without padding.
    """
    adapted = LORA_LAYERS[targets]
    h, f, q, kv = model.hidden, model.intermediate, model.query_width, model.kv_width
    b = dtype_bytes
    seen = sum(
        (min(at + QUERY_BLOCK, length) - at) * min(at + QUERY_BLOCK, length)
        for at in range(0, length, QUERY_BLOCK)
    )
    return [
        Kept("inputs of attention and MLP", 2 * b * h),
        Kept("both after norm and dropout", 2 * b * h),
        Kept("attention: queries, keys, values", b * (q + 2 * kv)),
        Kept("attention: weights", b * model.heads * seen / length),
        Kept("attention: output after dropout", b * q),
        Kept("MLP: gate, up, their product after dropout", 3 * b * f),
        Kept("LoRA: the middle of rank r", b * r * len(adapted)),
    ]


def activations(
    model: Architecture,
    *,
    batch_size: int,
    length: int,
    labelled: int,
    r: int,
    targets: str,
    dropout: float,
    attention: str,
    compute_dtype: str,
    recompute_every: int,
) -> Activations:
    """Return the activation memory of a forward and a backward pass of ``batch_size`` examples.

    Parameters
    ----------
    model
        Shape of the model.
    batch_size, length, labelled
        Examples in a pass, tokens of each example, and how many of these carry loss.
    r, targets, dropout, compute_dtype
        As in params.yaml.
    attention
        As in params.yaml, with ``auto`` resolved, or ``fused``.
    recompute_every
        0 keeps everything, 1 recomputes every block from its input, k every k-th block.
    """
    b = DTYPE_BYTES[compute_dtype]
    tokens = batch_size * length
    kernel = {"length": length, "r": r, "targets": targets, "dtype_bytes": b}
    if attention == "fused":
        kept = kept_by_fused_block(model, **kernel)
        logit_rows = min(batch_size * labelled, LOGIT_ROWS)
    else:
        kept = kept_by_block(model, **kernel, dropout=dropout, attention=attention)
        logit_rows = batch_size * labelled
    block = tokens * sum(tensor.bytes_per_token for tensor in kept)
    n_checkpointed = 0 if recompute_every == 0 else model.layers // recompute_every
    inputs = n_checkpointed * tokens * b * model.hidden
    scores = 0
    if attention in ("matmul", "eager"):
        width = FLOAT32 if attention == "eager" else b
        scores = ATTENTION_GRADIENTS * width * model.heads * length
    largest = max(outputs * inputs for outputs, inputs in linear_shapes(model).values())
    return Activations(
        kept=int(inputs + (model.layers - n_checkpointed) * block),
        recomputed=int(block) if n_checkpointed else 0,
        logits=logit_rows * model.vocabulary * FLOAT32 * LOGIT_COPIES,
        workspace=tokens * max(scores, MLP_GRADIENTS * b * model.intermediate) + b * largest,
    )


def flops_per_token(
    model: Architecture, *, length: float, labelled_share: float, lora: int, recomputed_share: float
) -> float:
    """Return the floating-point operations per token of training, forward and backward.

    Counts 2 per weight forward and 2 backward (frozen weights need no gradient of their own), 2 and
    4 per LoRA weight, attention over the whole square of ``length``, the head at labelled positions
    only, and the forward pass once more for the share of recomputed blocks. Follows Kaplan et al.
    2020, arXiv 2001.08361, section 2.1, without the gradient of frozen weights.
    """
    linear = model.layers * block_parameters(model)
    attention = 4 * model.layers * model.query_width * length
    head = 4 * model.vocabulary * model.hidden * labelled_share
    forward = 2 * linear + 2 * lora + attention
    backward = 2 * linear + 4 * lora + 2 * attention
    return forward * (1 + recomputed_share) + backward + head
