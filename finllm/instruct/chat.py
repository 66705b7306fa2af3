"""Build prompts, answers and label masks: the one place where a model's chat format is applied.

Training and prediction use the same functions, so the prompts of both are equal byte for byte. The
mask is the difference of two encodings (prompt, and prompt with answer); there is no search for
marker strings or the padding id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

from finllm.records import Example

PLAIN_PROMPT = "{system}\n\n{user}\n\nAnswer: "  # for a base model without a chat template


@dataclass(frozen=True)
class Encoded:
    """Token ids of prompt and answer; the first ``n_prompt`` and the ``silent`` carry no loss."""

    input_ids: list[int]
    n_prompt: int
    silent: tuple[int, ...] = ()  # positions of answer tokens that are not to be learned

    @property
    def labels(self) -> list[int]:
        """Token ids that carry loss, with -100 in place of the others."""
        labels = [-100] * self.n_prompt + self.input_ids[self.n_prompt :]
        for place in self.silent:
            labels[place] = -100
        return labels


def render_prompt(
    tokenizer: PreTrainedTokenizerBase, *, system_prompt: str, instruction: str, excerpt: str
) -> str:
    """Return the text up to where the model starts to write, including special tokens."""
    user = f"{instruction}\n\n{excerpt}"
    if tokenizer.chat_template is None:
        bos = tokenizer.bos_token or ""
        return bos + PLAIN_PROMPT.format(system=system_prompt, user=user)
    return tokenizer.apply_chat_template(
        _messages(system_prompt, user), tokenize=False, add_generation_prompt=True
    )


def render_example(tokenizer: PreTrainedTokenizerBase, example: Example, system_prompt: str) -> str:
    """Return the prompt of an example, the same for training and prediction."""
    return render_prompt(
        tokenizer,
        system_prompt=system_prompt,
        instruction=example.instruction,
        excerpt=example.excerpt,
    )


def end_of_answer(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the text of the token that the chat template puts after an answer.

    Raises
    ------
    ValueError
        If the template does not render prompt + answer as an extension of the prompt, since
        training and prediction would then see different prompts; or if no token ends an answer.
    """
    if tokenizer.chat_template is None:
        return tokenizer.eos_token
    answer = "answer"
    prompt = render_prompt(tokenizer, system_prompt="s", instruction="i", excerpt="e")
    full = tokenizer.apply_chat_template(
        [*_messages("s", "i\n\ne"), {"role": "assistant", "content": answer}], tokenize=False
    )
    if not full.startswith(prompt + answer):
        raise ValueError(
            f"the chat template of {tokenizer.name_or_path} renders the prompt differently with "
            "and without an answer; training and prediction would not see the same prompt"
        )
    end = full[len(prompt + answer) :].strip()
    if not end:
        raise ValueError(
            f"the chat template of {tokenizer.name_or_path} writes no token that ends an answer; "
            "a model trained with it would never stop"
        )
    return end


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: str) -> list[int]:
    """Return the token ids of a rendered prompt, whose text already has the special tokens."""
    return tokenizer(prompt, add_special_tokens=False)["input_ids"]


def encode_answer(tokenizer: PreTrainedTokenizerBase, answer: str) -> list[int]:
    """Return the token ids of an answer and of the token that ends it."""
    text = answer + end_of_answer(tokenizer)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def encode_example(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    answer: str,
    *,
    silent: Sequence[tuple[int, int]] = (),
) -> Encoded:
    """Encode prompt and answer as one training example.

    ``silent`` has spans of characters of the answer; tokens that overlap one carry no loss.
    """
    prompt_ids = encode_prompt(tokenizer, prompt)
    ids = prompt_ids + encode_answer(tokenizer, answer)
    if not silent:
        return Encoded(ids, len(prompt_ids))
    offsets = tokenizer(answer, add_special_tokens=False, return_offsets_mapping=True)
    places = tuple(
        len(prompt_ids) + i
        for i, (start, end) in enumerate(offsets["offset_mapping"])
        if any(start < last and first < end for first, last in silent)
    )
    return Encoded(ids, len(prompt_ids), places)


def stop_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the token ids that end an answer: the template's end of turn, and the end of text."""
    end = tokenizer(end_of_answer(tokenizer), add_special_tokens=False)["input_ids"]
    return sorted({end[0], tokenizer.eos_token_id})


def prompt_sha256(prompt: str) -> str:
    """Return the SHA-256 of a rendered prompt, used to pair the predictions of two models."""
    return hashlib.sha256(prompt.encode()).hexdigest()


def _messages(system: str, user: str) -> list[dict[str, str]]:
    system_message = [{"role": "system", "content": system}] if system else []
    return [*system_message, {"role": "user", "content": user}]
