"""Build few-shot prompts: answered training examples before the question, for the base model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

from finllm.instruct import chat
from finllm.records import Example

MAX_TRIALS = 64  # candidates rendered and counted before a prompt is left with fewer shots


@dataclass(frozen=True)
class FewShotPrompt:
    """A rendered prompt and the ids of the training examples shown in it, in order."""

    text: str
    shot_ids: tuple[str, ...]


def few_shot_prompt(
    tokenizer: PreTrainedTokenizerBase,
    example: Example,
    train: Sequence[Example],
    *,
    k: int,
    system_prompt: str,
    max_tokens: int,
    seed: int,
) -> FewShotPrompt:
    """Build the prompt of an example after up to ``k`` answered training examples of its template.

    The shots are drawn without replacement from the training examples of the same template and of
    another company. A shot that would take the prompt over ``max_tokens`` is skipped, so there may
    be fewer than ``k``, and shorter ones are preferred if the budget is tight. The draw depends
    only on ``seed`` and the example's id, not on the order in which examples are asked. With ``k``
    0 the prompt equals that of ``chat.render_example`` byte for byte.

    Raises
    ------
    ValueError
        If ``k`` is negative, or the prompt without shots is longer than ``max_tokens``.
    """
    if k < 0:
        raise ValueError(f"k is {k}; it must be 0 or more")
    shots: list[Example] = []
    text = render_few_shot(tokenizer, example, shots, system_prompt)
    n_tokens = len(chat.encode_prompt(tokenizer, text))
    if n_tokens > max_tokens:
        raise ValueError(
            f"{example.id}: the prompt without examples has {n_tokens} tokens; "
            f"max_tokens is {max_tokens}"
        )
    fitting = [o for o in train if o.template == example.template and o.company != example.company]
    order = _generator(seed, example.id).permutation(len(fitting)) if k else []
    for i in order[:MAX_TRIALS]:
        trial = render_few_shot(tokenizer, example, [*shots, fitting[i]], system_prompt)
        if len(chat.encode_prompt(tokenizer, trial)) <= max_tokens:
            text = trial
            shots.append(fitting[i])
        if len(shots) == k:
            break
    return FewShotPrompt(text, tuple(shot.id for shot in shots))


def render_few_shot(
    tokenizer: PreTrainedTokenizerBase,
    example: Example,
    shots: Sequence[Example],
    system_prompt: str,
) -> str:
    """Return the shots as earlier turns of user and assistant, followed by the example's prompt.

    A model without a chat template gets plain text, as in ``finllm.instruct.chat``, with the system
    prompt once, at the beginning.
    """
    if tokenizer.chat_template is None:
        question = chat.PLAIN_PROMPT.removeprefix("{system}\n\n")
        turns = [question.format(user=_user(shot)) + shot.answer + "\n\n" for shot in shots]
        turns.append(question.format(user=_user(example)))
        return (tokenizer.bos_token or "") + f"{system_prompt}\n\n" + "".join(turns)
    messages = [{"role": "system", "content": system_prompt}] if system_prompt else []
    for shot in shots:
        messages.append({"role": "user", "content": _user(shot)})
        messages.append({"role": "assistant", "content": shot.answer})
    messages.append({"role": "user", "content": _user(example)})
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def _user(example: Example) -> str:
    return f"{example.instruction}\n\n{example.excerpt}"


def _generator(seed: int, example_id: str) -> np.random.Generator:
    digest = hashlib.sha256(example_id.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])
