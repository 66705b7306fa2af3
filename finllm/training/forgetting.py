"""Forgetting: perplexity on general text before and after fine-tuning."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finllm.model.head_loss import HeadLoss

TEXT = Path(__file__).with_name("general.txt")  # written for this project; a story of a flood
WINDOW = 512  # tokens that are read together


@torch.no_grad()
def general_perplexity(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> float:
    """The exponential of the mean negative log-likelihood of a token of the general text.

    The text is read in windows of 512 tokens; the first token of each is given, not predicted. The
    model keeps its mode (training or evaluation). Logits are held for a chunk of a window at a
    time: those of a whole one were the peak of runs with recomputed layers. One text of some 650
    words cannot say how much is forgotten, only that something is: compare the perplexity before
    with the one after, and with that of another run, and with nothing else.
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
    """Both perplexities and their ratio; above 1, general language has become less likely."""
    return {
        "base_perplexity": base_perplexity,
        "tuned_perplexity": tuned_perplexity,
        "ratio": tuned_perplexity / base_perplexity,
    }
