"""What is made of ratings: by hand, with nobody, with one rater, with answers that have changed."""

import json
import math
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from finllm.comparing.pairs import pair
from finllm.rating.analysis import (
    collect,
    correlation,
    inter_rater_agreement,
    rating_metrics,
    win_rate,
)
from finllm.rating.ballot import a_model, pair_hash
from finllm.rating.clicks import CRITERIA, Click, append
from finllm.records import METRICS, Prediction, Score, write_jsonl
from finllm.report import human
from finllm.stats.association import spearman, weighted_spearman

ROOT = Path(__file__).parent.parent
N = 12
IDS = [f"e{i:02d}" for i in range(N)]
OPTIONS = {"confidence": 0.95, "n_bootstrap": 400, "seed": 1}


def predictions(model, ids=IDS):
    return [Prediction(i, model, f"{model} {i}", "00", 1, 1, False) for i in ids]


def scores(gain):
    """Two examples a company; ``gain`` is tuned minus base of every metric, None for undefined."""
    rows = []
    for i, key in enumerate(IDS):
        for model in ("base", "tuned"):
            value = 0.5 + (gain[i] or 0) * (model == "tuned")
            values = {name: None if gain[i] is None else value for name in METRICS}
            values["bleu"] = 0.2  # a metric that never moves
            place = ("test", f"C{i // 2}", "", "", "summarization", "human")
            rows.append(Score(key, model, *place, values))
    return rows


def said(rater, key, *, preference=None, **points):
    """The clicks of a rater who sees through the letters; points are (base, tuned)."""
    side = a_model(rater, key)
    letter = {side: "A", {"base": "tuned", "tuned": "base"}[side]: "B"}
    common = (side, pair_hash(key, f"base {key}", f"tuned {key}"), "2026-11-22T10:00:00+00:00")
    rows = []
    if preference:
        value = letter.get(preference, "tie")
        rows.append(Click(rater, key, "preference", "", value, *common))
    for criterion, values in points.items():
        for model, value in zip(("base", "tuned"), values, strict=True):
            rows.append(Click(rater, key, criterion, letter[model], value, *common))
    return rows


def gathered(clicks):
    return collect(clicks, predictions("base"), predictions("tuned"))


def metrics_of(clicks, gain=tuple(i / 20 for i in range(N))):
    return rating_metrics(gathered(clicks), pair(scores(gain), split="test"), **OPTIONS)


def test_with_nobody_there_are_counts_only_and_the_report_says_what_to_run():
    found = metrics_of([])
    assert found == {"n_raters": 0, "n_examples": 0, "n_of_other_answers": 0}
    assert "python -m finllm rate" in human.summary(found, confidence="95%")
    assert human.tables(found) == human.details(found) == [] and human.closest(found) == ""


def test_one_click_of_one_rater_is_enough_for_metrics_and_a_report():
    found = metrics_of(said("ann", "e00", preference="tuned"))
    assert found["win_rate"]["n"] == 1 and found["win_rate"]["estimate"] == 1.0
    assert found["win_rate"]["low"] == pytest.approx(0.20655, abs=1e-5)  # 1 / (1 + z^2)
    assert "agreement" not in found and found["correlation"] == {}
    json.dumps(found, allow_nan=False)
    assert "1 rater judged 1 pair" in human.summary(found, confidence="95%")
    assert len(human.tables(found)) == 1


def test_points_of_one_answer_alone_are_no_difference():
    clicks = [c for c in said("ann", "e00", accuracy=(2, 4)) if c.value == 4]
    found = metrics_of(clicks)
    assert found["criteria"]["accuracy"] == {"tuned": 4.0, "n": 0}
    assert human.tables(found)[0].rows[0][1:4] == ["–", "4.000", "– –"]


def test_letters_are_turned_into_models_and_the_means_are_right():
    clicks = []
    for rater, shift in (("ann", 0), ("ben", 1)):
        for i, key in enumerate(IDS[:4]):
            clicks += said(rater, key, preference="tuned", accuracy=(2, 3 + (i % 2) + shift))
    found = metrics_of(clicks)
    assert found["n_raters"] == 2 and found["n_examples"] == 4
    row = found["criteria"]["accuracy"]
    assert (row["base"], row["tuned"], row["difference"], row["n"]) == (2.0, 4.0, 2.0, 4)
    assert row["low"] == row["high"] == 2.0  # both companies have the same mean: no spread seen
    assert found["win_rate"]["n_tuned"] == 4


def test_the_last_click_counts():
    clicks = said("ann", "e00", preference="base") + said("ann", "e00", preference="tuned")
    assert metrics_of(clicks)["win_rate"]["estimate"] == 1.0


def test_ratings_of_answers_that_have_changed_are_counted_and_left_out():
    clicks = said("ann", "e00", preference="tuned") + said("ann", "e01", preference="base")
    changed = [
        Prediction(p.example_id, "tuned", "new" if p.example_id == "e00" else p.text, "0", 1, 1, 0)
        for p in predictions("tuned")
    ]
    ratings = collect(clicks, predictions("base"), changed)
    assert ratings.n_of_other_answers == 1 and list(ratings.preference) == ["e01"]
    none = collect(clicks, predictions("base"), predictions("tuned", ["e05"]))
    found = rating_metrics(none, pair(scores([0.1] * N), split="test"), **OPTIONS)
    assert found == {"n_raters": 0, "n_examples": 0, "n_of_other_answers": 2}
    assert "2 earlier clicks were ignored because the answers have changed" in human.summary(
        found, confidence="95%"
    )


def test_the_win_rate_is_wilsons_where_each_example_has_its_company():
    outcomes = [1.0] * 7 + [0.0] * 3
    found = win_rate(outcomes, [f"c{i}" for i in range(10)], confidence=0.95)
    wilson = scipy.stats.binomtest(7, 10).proportion_ci(0.95, method="wilson")
    assert (found["low"], found["high"]) == pytest.approx((wilson.low, wilson.high))
    assert (found["n_tuned"], found["n_neither"], found["n_base"]) == (7, 0, 3)


def test_companies_that_always_say_the_same_count_once_each():
    outcomes = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    found = win_rate(outcomes, list("aaabbb"), confidence=0.95)
    wilson = scipy.stats.binomtest(1, 2).proportion_ci(0.95, method="wilson")
    assert found["n_effective"] == pytest.approx(2.0)
    assert (found["low"], found["high"]) == pytest.approx((wilson.low, wilson.high))
    alone = win_rate([1.0] * 6, ["a"] * 6, confidence=0.95)
    assert alone["n_effective"] == 1.0 and alone["low"] < 0.25


def test_raters_who_say_the_same_agree_and_raters_by_chance_do_not():
    rng = np.random.default_rng(0)
    same, chance = [], []
    for key in IDS:
        points, wish = tuple(rng.integers(1, 6, 2).tolist()), ["base", "tuned"][rng.integers(2)]
        for rater in ("ann", "ben"):
            same += said(rater, key, preference=wish, fluency=points)
            other = tuple(rng.integers(1, 6, 2).tolist())
            chance += said(rater, key, preference=["base", "tuned"][rng.integers(2)], fluency=other)
    options = {"confidence": 0.95, "n_bootstrap": 200, "seed": 0}
    found = inter_rater_agreement(gathered(same), **options)
    assert set(found) == {"preference", "fluency"}
    for question, n in (("preference", N), ("fluency", 2 * N)):
        assert found[question]["estimate"] == 1.0 and found[question]["n_units"] == n
        assert found[question]["kappa"]["ann and ben"]["estimate"] == 1.0
    assert inter_rater_agreement(gathered(chance), **options)["fluency"]["estimate"] < 0.5


def test_a_metric_that_follows_people_has_a_rho_of_one_and_a_constant_one_has_none():
    clicks = []
    for i, key in enumerate(IDS):
        clicks += said("ann", key, preference="tuned" if i >= 6 else "base")
        clicks += said("ben", key, preference="tuned" if i >= 3 else "base")
    gain = [i / 20 for i in range(N)]
    found = metrics_of(clicks, gain)["correlation"]["preference"]
    people = [0.0] * 3 + [0.5] * 3 + [1.0] * 6
    assert found["rougeL"]["estimate"] == pytest.approx(spearman(gain, people).estimate)
    assert found["rougeL"]["low"] <= found["rougeL"]["estimate"] <= found["rougeL"]["high"]
    assert "bleu" not in found
    assert sum(row["p_highest"] for row in found.values()) == pytest.approx(1.0)


def test_the_metric_that_people_follow_is_named_the_closest():
    rng = np.random.default_rng(3)
    rows = scores([i / 20 for i in range(N)])
    for row in rows:
        for name in METRICS:
            if name != "similarity":
                row.values[name] = float(rng.random())
    clicks = [c for i, k in enumerate(IDS) for c in said("ann", k, accuracy=(1, 1 + i // 3))]
    clicks += [
        c for i, k in enumerate(IDS) for c in said("ann", k, preference=("base", "tuned")[i // 6])
    ]
    found = correlation(gathered(clicks), pair(rows, split="test"), **OPTIONS)
    assert max(found["accuracy"], key=lambda n: found["accuracy"][n]["p_highest"]) == "similarity"
    assert "embedding similarity" in human.closest({"correlation": found})
    assert "BERTScore in " in human.closest({"correlation": found})


def test_an_example_without_a_score_is_left_out_of_that_metric_only():
    gain = [None, None, *(i / 20 for i in range(N - 2))]
    clicks = [c for i, k in enumerate(IDS) for c in said("ann", k, usefulness=(1, 1 + i // 3))]
    found = metrics_of(clicks, gain)["correlation"]["usefulness"]
    assert found["rougeL"]["n"] == N - 2
    assert found["rougeL"]["estimate"] == pytest.approx(
        spearman(gain[2:], [i // 3 for i in range(2, N)]).estimate
    )


def test_weights_are_repetitions():
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 4, 9).astype(float), rng.integers(0, 3, 9).astype(float)
    weights = rng.integers(0, 4, (20, 9))
    found = weighted_spearman(x, y, weights)
    for row, rho in zip(weights, found, strict=True):
        repeated = scipy.stats.spearmanr(np.repeat(x, row), np.repeat(y, row)).statistic
        assert rho == pytest.approx(repeated)
    assert math.isnan(weighted_spearman(x, np.ones(9), np.ones((1, 9)))[0])


def run_stage(folder, monkeypatch):
    from stages import ratings

    shutil.copy(ROOT / "params.yaml", folder)
    write_jsonl(folder / "base.jsonl", predictions("base"))
    write_jsonl(folder / "tuned.jsonl", predictions("tuned"))
    write_jsonl(folder / "scores.jsonl", scores([i / 20 for i in range(N)]))
    monkeypatch.chdir(folder)
    files = {name: f"{name}.jsonl" for name in ("base", "tuned", "scores")}
    files |= {"ratings": "ratings", "metrics": "ratings.json"}
    words = [word for name, path in files.items() for word in (f"--{name}", path)]
    monkeypatch.setattr(sys, "argv", ["ratings", *words])
    ratings.main()
    return json.loads(Path("ratings.json").read_text())


@pytest.mark.parametrize("raters", [(), ("ann",), ("ann", "ben", "cleo")])
def test_the_stage_works_with_none_one_and_many_raters(tmp_path, monkeypatch, raters):
    (tmp_path / "ratings").mkdir()
    (tmp_path / "ratings" / "README.md").write_text("Not a rating.")
    rng = np.random.default_rng(2)
    for rater in raters:
        for key in IDS:
            points = {name: tuple(rng.integers(1, 6, 2).tolist()) for name in CRITERIA}
            wish = ("base", "tuned", "neither")[rng.integers(3)]
            for click in said(rater, key, preference=wish, **points):
                append(tmp_path / "ratings", click)
    found = run_stage(tmp_path, monkeypatch)
    assert found["n_raters"] == len(raters)
    assert ("win_rate" in found) == bool(raters)
    assert ("agreement" in found) == (len(raters) > 1)
    if len(raters) > 1:
        assert set(found["agreement"]) == set(found["correlation"]) == {"preference", *CRITERIA}
        assert len(found["agreement"]["fluency"]["kappa"]) == 3
        assert len(human.tables(found)) == 3 and len(human.details(found)[0].columns) == 5
