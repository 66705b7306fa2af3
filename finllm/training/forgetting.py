"""Forgetting: perplexity on general text before and after fine-tuning."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finllm.model.head_loss import HeadLoss

TEXT = Path(__file__).with_name("general.txt")  # written for this project; a story of a flood
WINDOW = 512  # tokens per forward pass


@torch.no_grad()
def general_perplexity(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> float:
    """Return the perplexity of the general text: exp of the mean negative log-likelihood per token.

    The text is read in windows of 512 tokens; the first token of each window is given, not
    predicted. The model keeps its mode (training or evaluation). Logits are kept for one chunk of a
    window at a time, since those of a whole window determined the peak memory of runs with
    recomputed layers. A text of about 650 words shows only that something was forgotten, not how
    much: compare perplexities before and after training, or between runs, and nothing else.
    """
    ids = tokenizer(TEXT.read_text(encoding="utf-8"), add_special_tokens=False)["input_ids"]
    training, total, count = model.training, 0.0, 0
    model.eval()
    for start in range(0, len(ids) - 1, WINDOW):
        window = torch.tensor([ids[start : start + WINDOW]], device=model.device)
        if window.shape[1] < 2:
            break
        hidden = model.get_decoder()(input_ids=window, use_cache=False).last_hidden_state[0, :-1]
        loss = HeadLoss.apply(hidden, model.get_output_embeddings().weight, window[0, 1:])
        total, count = total + loss.item(), count + window.shape[1] - 1
    model.train(training)
    return math.exp(total / count)


def forgetting(base_perplexity: float, tuned_perplexity: float) -> dict[str, float]:
    """Return both perplexities and their ratio; above 1, general text has become less likely."""
    return {
        "base_perplexity": base_perplexity,
        "tuned_perplexity": tuned_perplexity,
        "ratio": tuned_perplexity / base_perplexity,
    }
