"""Pairs as token ids: both answers, each behind its prompt, in one row of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from finllm.instruct import chat
from finllm.instruct.chat import Encoded
from finllm.preference.pairs import Pair
from finllm.records import Example


@dataclass(frozen=True)
class EncodedPair:
    """Prompt and chosen answer, prompt and rejected answer."""

    chosen: Encoded
    rejected: Encoded

    @property
    def both(self) -> Encoded:
        """The two end to end; no token of a prompt carries loss."""
        first, second = self.chosen, self.rejected
        n = len(first.input_ids)
        silent = tuple(range(n, n + second.n_prompt))
        return Encoded([*first.input_ids, *second.input_ids], first.n_prompt, silent)


def encode_pairs(
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[Pair],
    examples: Sequence[Example],
    system_prompt: str,
) -> list[EncodedPair]:
    """The pairs behind the prompts of their examples, which are those of training."""
    by_id = {example.id: example for example in examples}
    found = []
    for pair in pairs:
        prompt = chat.render_example(tokenizer, by_id[pair.example_id], system_prompt)
        found.append(
            EncodedPair(
                *(chat.encode_example(tokenizer, prompt, s) for s in (pair.chosen, pair.rejected))
            )
        )
    return found


def dataset(
    rows: Sequence[EncodedPair],
    reference: Sequence[Sequence[float]] | None = None,
    start: Sequence[Sequence[float]] | None = None,
) -> Dataset:
    """What the trainer reads; zeros where no log-probabilities are given.

    ``reference`` and ``start`` are the log-probabilities of each pair's answers under the reference
    of the loss, and under the model that training starts from.
    """
    none = [(0.0, 0.0)] * len(rows)
    return Dataset.from_list(
        [
            {
                "input_ids": row.both.input_ids,
                "labels": row.both.labels,
                "n_tokens": [len(row.chosen.input_ids), len(row.rejected.input_ids)],
                "reference": list(of_reference),
                "start": list(at_start),
            }
            for row, of_reference, at_start in zip(
                rows, reference or none, start or none, strict=True
            )
        ]
    )


def collate(rows: Sequence[dict]) -> dict[str, torch.Tensor]:
    """A batch: ids, labels and mask padded to (pairs, tokens); the rest is (pairs, 2)."""
    longest = max(len(row["input_ids"]) for row in rows)

    def padded(name: str, value: int) -> torch.Tensor:
        return torch.tensor([row[name] + [value] * (longest - len(row[name])) for row in rows])

    lengths = torch.tensor([[len(row["input_ids"])] for row in rows])
    return {
        "input_ids": padded("input_ids", 0),
        "labels": padded("labels", -100),
        "attention_mask": (torch.arange(longest)[None] < lengths).long(),
        "n_tokens": torch.tensor([row["n_tokens"] for row in rows]),
        "reference": torch.tensor([row["reference"] for row in rows]),
        "start": torch.tensor([row["start"] for row in rows]),
    }
