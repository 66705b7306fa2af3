"""Pairs as token ids: a prompt followed by its answers, in one row of a data set."""

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

Nats = list[list[float]]  # log-probabilities of a pair's answers, pair by pair


@dataclass(frozen=True)
class EncodedPair:
    """A prompt, its chosen and rejected answer, and for ``kto`` an answer to another prompt."""

    prompt: list[int]
    answers: tuple[list[int], ...]

    @property
    def apart(self) -> list[Encoded]:
        """One example per answer, each with the prompt before it."""
        return [Encoded(self.prompt + answer, len(self.prompt)) for answer in self.answers]


def encode_pairs(
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[Pair],
    examples: Sequence[Example],
    system_prompt: str,
) -> list[EncodedPair]:
    """Encode the pairs, each after the prompt of its example as used in training."""
    by_id = {example.id: example for example in examples}
    return [
        EncodedPair(
            chat.encode_prompt(
                tokenizer, chat.render_example(tokenizer, by_id[pair.example_id], system_prompt)
            ),
            tuple(chat.encode_answer(tokenizer, text) for text in (pair.chosen, pair.rejected)),
        )
        for pair in pairs
    ]


def with_other_answers(rows: Sequence[EncodedPair]) -> list[EncodedPair]:
    """Return the pairs, each with an answer from the nearest pair before it with another prompt.

    Chosen and rejected answers alternate. TRL takes the previous answer of the batch instead, which
    makes its batches depend on the order of the data set.

    Raises
    ------
    ValueError
        If all pairs have the same prompt.
    """
    found = []
    for i, row in enumerate(rows):
        other = next(
            (rows[i - back] for back in range(1, len(rows)) if rows[i - back].prompt != row.prompt),
            None,
        )
        if other is None:
            raise ValueError(
                f"prefer.method is kto, which needs answers to other prompts, but all "
                f"{len(rows)} preference pairs have the same prompt; raise prefer.max_pairs"
            )
        found.append(EncodedPair(row.prompt, (*row.answers, other.answers[i % 2])))
    return found


def dataset(
    rows: Sequence[EncodedPair], reference: Nats | None = None, start: Nats | None = None
) -> Dataset:
    """Return the data set that the trainer reads.

    ``reference`` and ``start`` are the log-probabilities of each pair's answers under the reference
    of the loss, and under the model that training starts from; zeros if not given.
    """
    none = [[0.0] * len(row.answers) for row in rows]
    return Dataset.from_list(
        [
            {
                "input_ids": [*row.prompt, *(i for answer in row.answers for i in answer)],
                "n_prompt": len(row.prompt),
                "n_answers": [len(answer) for answer in row.answers],
                "reference": of_reference,
                "start": at_start,
            }
            for row, of_reference, at_start in zip(
                rows, reference or none, start or none, strict=True
            )
        ]
    )


def collate(rows: Sequence[dict]) -> dict[str, torch.Tensor]:
    """Pad rows to a batch: ids and mask have shape (pairs, tokens).

    ``n_prompt`` has shape (pairs,), the others (pairs, answers).
    """
    lengths = torch.tensor([[len(row["input_ids"])] for row in rows])
    longest = int(lengths.max())
    padded = [row["input_ids"] + [0] * (longest - len(row["input_ids"])) for row in rows]
    return {
        "input_ids": torch.tensor(padded),
        "attention_mask": (torch.arange(longest)[None] < lengths).long(),
        **{
            name: torch.tensor([row[name] for row in rows])
            for name in ("n_prompt", "n_answers", "reference", "start")
        },
    }
