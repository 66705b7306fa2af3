import math

import pytest
import torch
from bounds import gamma, n_roundings
from conftest import tiny_llama

from finllm.training import forgetting
from finllm.training.forgetting import TEXT, general_perplexity


def rounding(model, logs):
    """How far two perplexities in float32 may lie apart: the exponent has its size for a factor."""
    nats = abs(sum(logs) / len(logs))
    return 2 * nats * gamma(n_roundings(model, 100), torch.float32)


def test_perplexity_is_the_inverse_of_the_geometric_mean_probability(chatml, monkeypatch):
    monkeypatch.setattr(forgetting, "WINDOW", 100)
    model = tiny_llama().train()
    ids = chatml(TEXT.read_text(encoding="utf-8"))["input_ids"]
    logs = []
    with torch.no_grad():
        for start in range(0, len(ids), 100):
            window = ids[start : start + 100]
            rows = tiny_llama()(torch.tensor([window])).logits[0].log_softmax(-1)
            logs += [rows[i, window[i + 1]].item() for i in range(len(window) - 1)]
    assert general_perplexity(model, chatml) == pytest.approx(
        math.exp(-sum(logs) / len(logs)), rel=rounding(model, logs)
    )
    assert model.training  # as it was


def test_a_model_that_finds_every_token_alike_is_as_perplexed_as_its_vocabulary(chatml):
    model = tiny_llama()
    torch.nn.init.zeros_(model.lm_head.weight)
    assert general_perplexity(model, chatml) == pytest.approx(320, rel=rounding(model, [6.0]))


def test_the_ratio_is_above_one_where_something_is_forgotten():
    assert forgetting.forgetting(20.0, 25.0) == {
        "base_perplexity": 20.0,
        "tuned_perplexity": 25.0,
        "ratio": 1.25,
    }


def test_the_text_is_general_language():
    text = TEXT.read_text(encoding="utf-8").lower()
    assert 500 <= len(text.split()) <= 800
    for term in ("revenue", "earnings", "quarter", "dollar", "$", "%", "margin", "guidance"):
        assert term not in text
