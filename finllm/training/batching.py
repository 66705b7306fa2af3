"""Composition of batches: length buckets, a token budget, or packed rows.

``length_buckets`` and ``shuffle`` put a fixed number of examples into each forward pass.
``token_budget`` puts in as many examples of similar length as fit into a number of tokens, padding
included, so that passes of short examples are as full as those of long ones. ``packing``
concatenates examples in one row without padding; positions restart with each example, and attention
does not cross from one to another. A dense kernel (matmul, sdpa, eager) still computes the scores
that are then masked; flash_attention_2 does not. The fused layers for the CPU
(`finllm.model.fused`) concatenate the examples of every batch themselves: with them, packing only
decides how many examples a pass has.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from datasets import Dataset
from torch.utils.data import DataLoader, RandomSampler, Sampler
from transformers.trainer_pt_utils import BatchRebalanceSampler, LengthGroupedSampler
from trl import SFTTrainer

from finllm.model.fused import FusedLlama


@dataclass(frozen=True)
class Batching:
    """How examples are batched; ``finllm.settings.params.Train`` has the allowed values."""

    kind: str  # length_buckets, shuffle, token_budget or packing
    n_examples: int  # per forward pass, for the first two kinds
    n_tokens: int  # per forward pass, for the last two kinds

    @property
    def by_tokens(self) -> bool:
        """Whether the number of examples in a pass varies."""
        return self.kind in ("token_budget", "packing")

    def describe(self) -> str:
        """Return a phrase for the contents of a forward pass, such as "up to 4096 tokens"."""
        if self.by_tokens:
            return f"up to {self.n_tokens} tokens"
        return f"{self.n_examples} example{'s' if self.n_examples > 1 else ''}"

    def effective(self, lengths: Sequence[int], accumulation: int) -> float:
        """Return a process's examples per optimizer step; the average, if their number varies."""
        if not self.by_tokens:
            return self.n_examples * accumulation
        return len(lengths) / max(1, self.count(lengths)) * accumulation

    def count(self, lengths: Sequence[int]) -> int:
        """Return the number of forward passes in one epoch.

        Raises
        ------
        ValueError
            If an example is longer than the budget.
        """
        if not self.by_tokens:
            return math.ceil(len(lengths) / self.n_examples)
        return len(plan(lengths, self, seed=0))


def plan(lengths: Sequence[int], batching: Batching, *, seed: int) -> list[list[int]]:
    """Return the forward passes of an epoch in random order, each as a list of example indexes.

    The number of passes depends on the lengths alone; the seed decides which examples of equal
    length share a pass, and the order of the passes.

    Raises
    ------
    ValueError
        If an example is longer than the budget.
    """
    budget = batching.n_tokens
    if lengths and max(lengths) > budget:
        raise ValueError(
            f"train.tokens_per_batch is {budget}, and the longest training example has "
            f"{max(lengths)} tokens; raise it to at least that, or lower templatize.max_tokens"
        )
    generator = torch.Generator().manual_seed(seed)
    tie = torch.randperm(len(lengths), generator=generator).tolist()
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], tie[i]))
    found = _fullest_first(order, lengths, budget)
    if batching.kind == "token_budget":
        found = _alike(order, lengths, budget)
    return [found[i] for i in torch.randperm(len(found), generator=generator).tolist()]


def _fullest_first(order: Sequence[int], lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Put each example, longest first, into the fullest row that has room for it.

    Best fit decreasing needs at most 11/9 of the minimum number of rows, plus a constant (Johnson
    et al. 1974, SIAM Journal on Computing 3, 299).
    """
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (free tokens, row index), the fullest row first
    for i in order:
        at = bisect.bisect_left(room, (lengths[i], -1))
        left, row = room.pop(at) if at < len(room) else (budget, len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(i)
        bisect.insort(room, (left - lengths[i], row))
    return rows


def _alike(order: Sequence[int], lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group examples of similar length, as many as fit when padded to the longest of them."""
    found: list[list[int]] = []
    for i in order:  # longest first, so that the first of a batch sets its width
        if not found or (len(found[-1]) + 1) * lengths[found[-1][0]] > budget:
            found.append([])
        found[-1].append(i)
    return found


class TokenBatches(BatchRebalanceSampler):
    """Batches with a token budget, planned anew for every epoch from seed and epoch alone.

    The base class is the only batch sampler that Transformers' trainer hands to its data loader
    unchanged, with the share of each process already taken: process r of n takes every n-th batch.
    If the last round is not full, it is completed with the first batches.
    """

    def __init__(
        self, lengths: Sequence[int], batching: Batching, *, seed: int, rank: int, n_processes: int
    ) -> None:
        self.lengths, self.batching, self.seed = list(lengths), batching, seed
        self.rank, self.n_processes = rank, n_processes
        self.epoch = 0

    def __iter__(self) -> Iterator[list[int]]:
        batches = plan(self.lengths, self.batching, seed=self.seed + self.epoch)
        for first in range(0, len(batches), self.n_processes):
            yield batches[(first + self.rank) % len(batches)]

    def __len__(self) -> int:
        return math.ceil(self.batching.count(self.lengths) / self.n_processes)


def pack(rows: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    """Concatenate examples in one row; each tensor has shape (1, tokens).

    The first token of an example is never labelled, because the token before it belongs to another
    example.
    """
    labels = [[-100, *row["labels"][1:]] for row in rows]
    return {
        "input_ids": torch.tensor([[i for row in rows for i in row["input_ids"]]]),
        "labels": torch.tensor([[i for row in labels for i in row]]),
        "attention_mask": torch.ones(1, sum(len(row) for row in labels), dtype=torch.long),
        "position_ids": torch.tensor([[i for row in labels for i in range(len(row))]]),
    }


def cut_mask(position_ids: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return a packed row's additive causal mask: 0 within an example, -inf between examples.

    Parameters
    ----------
    position_ids
        Shape (1, tokens); every 0 begins an example.

    Returns
    -------
    torch.Tensor
        Shape (1, 1, tokens, tokens).
    """
    example = (position_ids == 0).cumsum(-1)
    order = torch.arange(position_ids.shape[-1], device=position_ids.device)
    seen = (example[:, :, None] == example[:, None, :]) & (order[None, :] <= order[:, None])
    mask = torch.zeros(seen.shape, dtype=dtype, device=position_ids.device)
    return mask.masked_fill_(~seen, float("-inf"))[:, None]


class PlannedTrainer(SFTTrainer):
    """SFTTrainer whose training batches follow a ``Batching``; evaluation pads as usual.

    Set ``batching`` before training, and also ``autocast`` if the weights are in float32 and their
    products should be rounded (full fine-tuning). A hook passes the positions of packed rows, and
    the mask that separates their examples, to the decoder, so that the loss need not handle them.
    """

    batching: Batching | None = None
    autocast: torch.dtype | None = None
    fused: FusedLlama | None = None
    _positions: torch.Tensor | None = None

    def get_train_dataloader(self) -> DataLoader:
        """Return the training batches; with packing, each is one row.

        Fused layers concatenate the examples themselves, so their batches are not packed here.
        """
        packing = self.batching is not None and self.batching.kind == "packing"
        if not packing or self.fused is not None:
            return super().get_train_dataloader()
        padded, self.data_collator = self.data_collator, pack
        decoder = self.accelerator.unwrap_model(self.model).get_base_model().model
        decoder.register_forward_pre_hook(self._cut, with_kwargs=True)
        try:
            return super().get_train_dataloader()
        finally:
            self.data_collator = padded

    def compute_loss_context_manager(self) -> AbstractContextManager:
        """Return autocast if requested; weights that already have the compute dtype need none."""
        if self.autocast is None:
            return super().compute_loss_context_manager()
        return torch.autocast(self.args.device.type, dtype=self.autocast)

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if self.batching is None:
            return super()._get_train_sampler(train_dataset)
        if self.batching.kind == "shuffle":
            return RandomSampler(dataset)
        lengths = [len(ids) for ids in dataset["input_ids"]]
        if not self.batching.by_tokens:
            # over the effective batch: the same steps on any number of devices
            args = self.args
            per_device = args.train_batch_size * args.gradient_accumulation_steps
            return LengthGroupedSampler(per_device * args.world_size, lengths=lengths)
        return TokenBatches(
            lengths,
            self.batching,
            seed=self.args.seed,
            rank=self.args.process_index,
            n_processes=self.args.world_size,
        )

    def _prepare_inputs(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        prepared = super()._prepare_inputs(inputs)
        self._positions = prepared.pop("position_ids", None)
        return prepared

    def _cut(self, decoder: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """Pass a packed row's positions and attention mask to the decoder, once."""
        positions, self._positions = self._positions, None
        if positions is None:
            return args, kwargs
        flash = decoder.config._attn_implementation == "flash_attention_2"  # reads positions alone
        mask = None if flash else cut_mask(positions, decoder.embed_tokens.weight.dtype)
        return args, {**kwargs, "position_ids": positions, "attention_mask": mask}
