"""The model's tokenizer."""

from __future__ import annotations

from transformers import AutoTokenizer, PreTrainedTokenizerBase


def load_tokenizer(folder: str, *, revision: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a local folder or of a Hub id at a revision, with a padding token."""
    tokenizer = AutoTokenizer.from_pretrained(folder, revision=revision or None)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token_id = tokenizer.eos_token_id
    return tokenizer
