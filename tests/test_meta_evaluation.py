import numpy as np
import pytest

from finllm.comparing.meta_evaluation import correlations, rank_stability
from finllm.records import METRICS, Score


def row(example, model, company, **values):
    all_values = dict.fromkeys(METRICS, 0.5) | values
    return Score(example, model, "test", company, "", "", "bullets", "human", all_values)


def rows(gap):
    rng = np.random.default_rng(1)
    found = []
    for i in range(24):
        for model, shift in (("base", 0.0), ("tuned", gap), ("lead", -gap)):
            x = float(np.clip(0.5 + shift + rng.normal(0, 0.05), 0, 1))
            found.append(row(f"e{i}", model, f"c{i % 8}", rouge1=x, rougeL=x / 2, bleu=1 - x))
    return found


def test_metrics_that_move_together_correlate_and_the_opposite_anticorrelate():
    found = correlations(rows(0.1), split="test")
    assert found["rouge1 ~ rougeL"]["rho"] == pytest.approx(1)
    assert found["rouge1 ~ bleu"]["rho"] == pytest.approx(-1)
    assert found["rouge1 ~ bleu"]["n"] == 24  # the tuned model's answers only
    assert not any("chrf" in pair for pair in found)  # constant: no correlation


def test_a_metric_that_tells_the_models_apart_ranks_them_alike_every_time():
    far = rank_stability(rows(0.3), split="test", n_bootstrap=200, rng=np.random.default_rng(7))
    assert far["rouge1"].tau == far["rouge1"].same_order == 1
    near = rank_stability(rows(0.002), split="test", n_bootstrap=200, rng=np.random.default_rng(7))
    assert near["rouge1"].same_order < 0.9


def test_one_company_can_tell_nothing():
    alone = [row("e", "base", "c"), row("e", "tuned", "c")]
    assert not rank_stability(alone, split="test", n_bootstrap=9, rng=np.random.default_rng(7))


def test_a_metric_that_is_not_defined_has_no_stability():
    undefined = [
        row(f"e{i}", model, f"c{i}", term_recall=None)
        for i in range(3)
        for model in ("base", "tuned")
    ]
    found = rank_stability(undefined, split="test", n_bootstrap=9, rng=np.random.default_rng(7))
    assert "term_recall" not in found and "rouge1" in found
