"""Causal attention as plain matrix products and a softmax, for training and decoding on a CPU.

On a GPU prompts are read by PyTorch's fused kernels, which do not store the scores: those of 16
prompts of 3,584 tokens, with 32 heads in sixteen bits, would take 13 GB.

Grouped queries are folded into the rows of one product. With right padding, the causal order alone
keeps real tokens from attending to padding, so training needs no mask; decoding passes one. At 384
tokens a training step is as fast as with PyTorch's fused kernel (docs/experiments.md); the gain is
in decoding, where a mask is needed.
"""

from __future__ import annotations

import torch
from transformers import AttentionInterface

NAME = "finllm_matmul"
READING = "finllm_reading"  # for answers on a GPU


def matmul_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    dropout: float = 0.0,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Compute softmax(scaling * Q K' + causal) V, with grouped queries folded into the rows of Q.

    Parameters
    ----------
    module
        The attention layer; unused, but part of the interface of transformers.
    query
        Shape (batch, heads, n_query, head_dim).
    key, value
        Shape (batch, kv_heads, n_key, head_dim); heads is a multiple of kv_heads.
    attention_mask
        None for causal attention with any padding on the right (its rows are never read). Otherwise
        added to the scores, shape (batch, 1, n_query, n_key), and nothing else is masked.
    scaling
        Usually head_dim ** -0.5.
    dropout
        Share of the attention weights set to zero; 0 in every supported model.

    Returns
    -------
    tuple
        The output, shape (batch, n_query, heads, head_dim), and None for the weights.

    References
    ----------
    Vaswani et al. 2017, arXiv 1706.03762, equation 1.
    """
    batch, heads, n_query, head_dim = query.shape
    kv_heads, n_key = key.shape[1], key.shape[2]
    rows = query.reshape(batch, kv_heads, -1, head_dim)
    scores = torch.matmul(rows * scaling, key.transpose(-1, -2))
    if attention_mask is None:
        attention_mask = torch.full(
            (n_query, n_key), float("-inf"), dtype=query.dtype, device=query.device
        ).triu_(n_key - n_query + 1)
    scores = scores.view(batch, heads, n_query, n_key) + attention_mask
    weights = torch.softmax(scores, dim=-1)
    if dropout > 0:
        weights = torch.nn.functional.dropout(weights, dropout)
    output = torch.matmul(weights.view(batch, kv_heads, -1, n_key), value)
    return output.view(batch, heads, n_query, head_dim).transpose(1, 2), None


def reading_attention(
    module: torch.nn.Module,
    *inputs: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Compute ``matmul_attention``, without storing the scores of whole prompts without a mask.

    ``inputs`` are query, key, value and attention mask. A decoding step has one query per row and
    so few scores that matrix products are faster: the fused kernels would need the keys repeated
    for every query head.
    """
    query, key, value, attention_mask = inputs
    n_query, n_key = query.shape[2], key.shape[2]
    if attention_mask is not None or n_query == 1 or n_query != n_key:
        return matmul_attention(module, *inputs, scaling=scaling, dropout=dropout)
    groups = query.shape[1] // key.shape[1]
    if groups > 1:  # not every fused kernel takes grouped queries, and the plain one stores scores
        key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    output = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, dropout_p=dropout, is_causal=True, scale=scaling
    )
    return output.transpose(1, 2), None


AttentionInterface.register(NAME, matmul_attention)
AttentionInterface.register(READING, reading_attention)
