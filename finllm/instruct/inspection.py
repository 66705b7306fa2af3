"""Display one training example: its prompt, answer and special tokens."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from finllm.instruct.chat import Encoded
from finllm.records import Example

IGNORED = -100  # label of a token without loss
PROMPT, ANSWER, SPECIAL, RESET = "\x1b[2m", "\x1b[32m", "\x1b[35;1m", "\x1b[0m"


def pick(examples: Sequence[Example], *, template: str, index: int) -> Example:
    """Return the example at ``index`` among those of a template ("" for all).

    Raises
    ------
    ValueError
        If the template or the index does not exist; the message names those that do.
    """
    rows = [example for example in examples if template in ("", example.template)]
    if not rows:
        known = ", ".join(sorted({example.template for example in examples})) or "none"
        raise ValueError(f"no example of template {template!r}; available: {known}")
    if not 0 <= index < len(rows):
        raise ValueError(f"index {index}: must be in 0 to {len(rows) - 1}")
    return rows[index]


def segments(
    tokenizer: PreTrainedTokenizerBase, encoded: Encoded
) -> list[tuple[str, bool, bool, int]]:
    """Return runs of tokens of one kind as (text, is special, carries loss, number of tokens).

    They are decoded run by run, so that characters made of several tokens stay whole.
    """
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    runs: list[tuple[list[int], bool, bool, bool]] = []
    for position, (token, label) in enumerate(zip(encoded.input_ids, encoded.labels, strict=True)):
        kind = (token in special, label != IGNORED, position >= encoded.n_prompt)
        if runs and runs[-1][1:] == kind:
            runs[-1][0].append(token)
        else:
            runs.append(([token], *kind))
    return [
        (tokenizer.decode(ids, skip_special_tokens=False), is_special, has_loss, len(ids))
        for ids, is_special, has_loss, _ in runs
    ]


def show(
    tokenizer: PreTrainedTokenizerBase, example: Example, encoded: Encoded, *, colour: bool
) -> str:
    """Return the example's facts, its text as encoded, and where the loss begins.

    With ``colour`` the prompt is dim, text that carries loss is green and special tokens are
    magenta; without, a marker line precedes the text at which the loss begins. Figures that
    ``train.unstated_figures`` masks are dim in the answer, or in square brackets.
    """
    n_masked = len(encoded.silent)
    n_answer = len(encoded.input_ids) - encoded.n_prompt - n_masked
    masked = f", {n_masked} of unstated figures without" if n_masked else ""
    head = (
        f"{example.id}  template {example.template}, reference {example.provenance}\n"
        f"{encoded.n_prompt} tokens of prompt without loss, {n_answer} of answer with loss"
        f"{masked}\n"
    )
    parts, n_shown = [], 0
    for text, is_special, has_loss, n_tokens in segments(tokenizer, encoded):
        if n_shown == encoded.n_prompt and not colour:
            parts.append("\n--- loss starts here ---\n")
        if n_shown >= encoded.n_prompt and not has_loss and not colour:
            text = f"[without loss:{text}]"
        n_shown += n_tokens
        tint = SPECIAL if is_special else ANSWER if has_loss else PROMPT
        parts.append(f"{tint}{text}{RESET}" if colour else text)
    return head + "\n" + "".join(parts)
