"""Dropout with a cheap mask: eight random bytes a draw instead of one Bernoulli draw a value.

PyTorch draws a CPU dropout mask one value after the other on one thread. Here one 64-bit draw gives
the masks of eight values, which leaves the share of zeros in steps of 1/256 (0.1 becomes 26/256) and
scales by exactly that share, so the expectation is unchanged.
"""

from __future__ import annotations

import torch
from torch import nn


class ByteDropout(nn.Module):
    """Zeroes a share ``round(256 p) / 256`` of the values in training and rescales the rest.

    Srivastava et al. 2014, JMLR 15, section 10 (inverted scaling). The draws come from torch's
    global CPU generator, so that a checkpoint of its state resumes them.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.threshold = round(256 * p)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The masked and rescaled input, same shape and dtype."""
        if not self.training or self.threshold == 0:
            return x
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.threshold
        return x * (kept.to(x.dtype) * (256 / (256 - self.threshold)))


def use_byte_dropout(model: nn.Module) -> int:
    """Replace the dropout of every LoRA layer; the number replaced."""
    replaced = 0
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Dropout and child.p > 0:
                setattr(module, name, ByteDropout(child.p))
                replaced += 1
    return replaced
