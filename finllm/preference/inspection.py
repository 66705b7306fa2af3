"""Display of one preference pair as the model reads it: the prompt once, then both answers."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from finllm.instruct import chat
from finllm.instruct.inspection import ANSWER, PROMPT, RESET
from finllm.preference.pairs import Pair
from finllm.records import Example

REJECTED = "\x1b[31m"


def pick_pair(
    pairs: Sequence[Pair], examples: Sequence[Example], index: int
) -> tuple[Pair, Example]:
    """Return the pair at ``index``, and the training example whose prompt it answers.

    Raises
    ------
    ValueError
        If there is no such pair, or its example is not among those given.
    """
    if not pairs:
        raise ValueError("there are no preference pairs; set prefer.method and run `dvc repro`")
    if not 0 <= index < len(pairs):
        raise ValueError(f"pair {index}: must be in 0 to {len(pairs) - 1}")
    pair = pairs[index]
    example = next((row for row in examples if row.id == pair.example_id), None)
    if example is None:
        raise ValueError(f"{pair.example_id} has a preference pair and is no training example")
    return pair, example


def show_pair(
    tokenizer: PreTrainedTokenizerBase,
    example: Example,
    pair: Pair,
    system_prompt: str,
    *,
    colour: bool,
) -> str:
    """Return the pair's details, the prompt, and both answers as they are encoded.

    With ``colour`` the prompt is dim, the chosen answer green and the rejected one red.
    """
    parts = [(PROMPT, chat.render_example(tokenizer, example, system_prompt))]
    end = chat.end_of_answer(tokenizer)
    counts = []
    for name, tint, text in (
        ("chosen", ANSWER, pair.chosen),
        ("rejected", REJECTED, pair.rejected),
    ):
        counts.append(f"{len(chat.encode_answer(tokenizer, text))} tokens {name}")
        parts += [("", f"\n--- {name} ---\n"), (tint, text + end)]
    head = f"{example.id}  {pair.kind}: {pair.fault}, part {pair.part}\n{', '.join(counts)}\n\n"
    return head + "".join(
        f"{tint}{text}{RESET}" if colour and tint else text for tint, text in parts
    )
