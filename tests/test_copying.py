"""Is tuned better than copying? The choice on validation, the test by company, the words."""

import dataclasses
import math

import numpy as np
import pytest

from finllm.comparing.copying import against_copying, validation_means
from finllm.records import METRICS, Score
from finllm.report.outcome import Copying, from_metrics, outcome, to_metrics
from finllm.report.summary import copying as summarised
from finllm.report.verdict_text import copying_sentence, sentence, terminal
from finllm.stats.inference import infer_mean
from finllm.stats.multiplicity import COPYING_SHARE, gatekept_bonferroni, gatekept_share

PRIMARY = "number_accuracy"
PROCEDURE = {"primary": PRIMARY, "alpha": 0.05, "n_bootstrap": 999, "seed": 7}
COMPANIES = [f"c{i}" for i in range(12)]
NOISE = np.random.default_rng(3).normal(0, 0.03, 24)


def score(model, split, i, company, value):
    values = {**dict.fromkeys(METRICS), PRIMARY: value}
    place = ("Energy", "2021Q3", "summarization", "human")
    return Score(f"{split}{i}", model, split, company, *place, values)


def scores(*, lead=0.3, dense=0.2, tuned=0.5, val_lead=0.4, val_dense=0.3):
    """Two examples of each of twelve companies, and validation scores of two baselines."""
    test = {"base": 0.1, "lead": lead, "dense": dense}
    found = [score("tuned", "test", i, COMPANIES[i // 2], tuned + x) for i, x in enumerate(NOISE)]
    found += [
        score(model, "test", i, COMPANIES[i // 2], value)
        for model, value in test.items()
        for i in range(24)
    ]
    for model, value in (("lead", val_lead), ("dense", val_dense)):
        found += [score(model, "val", i, "v", value) for i in range(3)]
    return found


def test_validation_means_are_of_company_means():
    rows = [score("lead", "val", i, "a" if i < 3 else "b", float(i == 3)) for i in range(4)]
    rows += [score("lead", "test", 0, "a", 9.0), score("dense", "val", 0, "a", None)]
    assert validation_means(rows, PRIMARY) == {"lead": 0.5}


def test_the_baseline_is_chosen_on_validation_even_where_another_is_better_on_the_test():
    found = against_copying(scores(lead=0.1, dense=0.45), primary_p=0.001, **PROCEDURE)
    assert found["baseline"] == "lead"
    assert found["estimate"] == pytest.approx(0.4 + NOISE.mean())
    again = against_copying(scores(val_dense=0.9), primary_p=0.001, **PROCEDURE)
    assert again["baseline"] == "dense"


def test_interval_and_p_are_those_of_the_mean_by_company_at_half_the_error_rate():
    found = against_copying(scores(lead=0.49), primary_p=0.001, **PROCEDURE)
    expected = infer_mean(
        0.5 - 0.49 + NOISE,
        [COMPANIES[i // 2] for i in range(24)],
        confidence=1 - COPYING_SHARE * 0.05,
        n_bootstrap=999,
        rng=np.random.default_rng([7, 2]),
    )
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))
    assert found["p_corrected"] == pytest.approx(min(1, expected.p_value / COPYING_SHARE))
    assert found["n_clusters"] == 12 and found["confidence"] == 0.975


def test_without_validation_scores_there_is_no_second_question():
    rows = [row for row in scores() if row.split == "test"]
    assert against_copying(rows, primary_p=0.001, **PROCEDURE) == {}


def test_a_baseline_that_the_test_lacks_is_not_chosen():
    rows = [*scores(), score("nearest_company", "val", 0, "v", 1.0)]
    assert against_copying(rows, primary_p=0.001, **PROCEDURE)["baseline"] == "lead"


def test_shares_of_the_error_rate_behind_the_gate():
    assert gatekept_share(0.01, 0.02, share=0.5) == 0.04
    assert gatekept_share(0.2, 0.02, share=0.5) == 0.2  # the gate is shut
    assert math.isnan(gatekept_share(math.nan, 0.02, share=0.5))
    halves = gatekept_bonferroni(0.001, [0.01, 0.02], share=0.5)
    assert halves.tolist() == [0.001, 0.04, 0.08]
    for share in (0, 1.5):
        with pytest.raises(ValueError, match="share"):
            gatekept_share(0.01, 0.02, share=share)
        with pytest.raises(ValueError, match="share"):
            gatekept_bonferroni(0.01, [0.02], share=share)


def test_no_more_false_claims_than_the_error_rate_over_both_questions():
    """Everything null: the primary, three others and copying, all of the same companies."""
    rng, n, claims = np.random.default_rng(11), 600, 0
    for _ in range(n):
        t = rng.normal(size=(12, 5))
        statistic = t.mean(axis=0) / (t.std(axis=0, ddof=1) / math.sqrt(12))
        p = 2 * _student_tail(np.abs(statistic))
        first, *others = gatekept_bonferroni(p[0], p[1:4], share=1 - COPYING_SHARE)
        claims += min(first, *others, gatekept_share(p[0], p[4], share=COPYING_SHARE)) < 0.05
    assert claims <= n * 0.05 + 3 * math.sqrt(n * 0.05 * 0.95)


def _student_tail(statistic):
    import scipy.stats

    return scipy.stats.t.sf(statistic, 11)


def decided(*, p_primary=0.001, lead=0.3, dense=0.2, tuned=0.5):
    tests = {"difference": 0.2, "low": 0.1, "high": 0.3, "p_corrected": p_primary}
    tests |= {"n": 24, "n_clusters": 12, "base_mean": 0.1, "tuned_mean": tuned, "cluster_sd": 0.1}
    copying = against_copying(
        scores(lead=lead, dense=dense, tuned=tuned), primary_p=p_primary, **PROCEDURE
    )
    significance = {"primary_metric": PRIMARY, "metrics": {PRIMARY: tests}, "copying": copying}
    posterior = {"primary_metric": PRIMARY, "metrics": {PRIMARY: {"usable": False}}}
    return outcome(significance, posterior, primary=PRIMARY, alpha=0.05, rope=0.02)


@pytest.mark.parametrize(
    ("lead", "answer", "said"),
    [
        (0.3, "yes", "Yes, it beats \u201clead\u201d"),
        (0.7, "no", "No, it does not beat \u201clead\u201d"),
        (0.5, "no", "No, it does not beat \u201clead\u201d"),  # no further apart than the ROPE
        (0.485, "unclear", "Unclear against \u201clead\u201d"),
    ],
)
def test_the_second_question_has_three_answers(lead, answer, said):
    found = decided(lead=lead)
    assert found.copying.answer == answer
    assert said in copying_sentence(found) and "97.5% interval" in copying_sentence(found)


def test_copying_is_not_beaten_behind_a_shut_gate_but_it_can_beat():
    assert decided(p_primary=0.3, lead=0.3).copying.answer == "unclear"
    assert decided(p_primary=0.3, lead=0.7).copying.answer == "no"


def test_a_gain_that_loses_to_copying_says_so_in_its_first_sentence():
    first = sentence(decided(lead=0.7))
    assert first.startswith(
        "Better than the base, but not than copying the excerpt\u2019s first sentences (0.700): "
    )
    for lead in (0.3, 0.485):
        assert sentence(decided(lead=lead)).startswith("Better: fine-tuning raised ")


def test_the_terminal_has_the_second_line_in_plain_characters():
    shown = terminal(decided(lead=0.7), "reports/report.html")
    assert shown.isascii()
    assert 'Better than copying? No, it does not beat "lead"' in shown


def test_the_verdicts_file_gives_the_same_outcome_back():
    found = decided()
    assert isinstance(found.copying, Copying)
    assert from_metrics(to_metrics(found)) == found
    without = dataclasses.replace(found, copying=None)
    assert from_metrics(to_metrics(without)) == without


def test_the_summary_has_the_answer_and_its_numbers():
    numbers = summarised(decided().copying)
    assert numbers["Copying"] == "beaten" and numbers["Copying/mean"] == pytest.approx(0.3)
    assert numbers["Copying/gain_low"] > 0 and summarised(None) == {}
