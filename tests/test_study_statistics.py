"""A study's statistics: contrasts, looks, answers; its plan, and the study files of the project."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from ruamel.yaml import YAML

from finllm.commands.study import claims, graph
from finllm.commands.study.answer import answer, results, verdict
from finllm.commands.study.contrasts import Contrast, MeanSquares, contrast, ratio
from finllm.commands.study.file import Level, Study, read_study
from finllm.commands.study.looks import spent_levels
from finllm.commands.study.measure import read_measure, score_values
from finllm.commands.study.plan import UNLIKELY, as_text, plan
from finllm.commands.study.power import as_table, chances, draw, ending
from finllm.commands.study.schedule import schedule
from finllm.commands.study.settling import Goal, runs_needed
from finllm.commands.study.table import table
from finllm.records import METRICS, Score
from finllm.report.studies import claims_table, comparisons, read_studies
from finllm.stats.variance import pool_seeds

ROOT = Path(__file__).parents[1]
STUDIES = sorted((ROOT / "studies").glob("*.yaml"))
NAN = float("nan")


def a_study(question="better", n_levels=2, n_seeds=3, **changes) -> Study:
    found = Study(
        name="s", claim="A claim.", question=question,
        levels=tuple(Level(f"l{i}", {}) for i in range(n_levels)),
        reference=-1 if question == "trend" else 0, fixed={}, seeds=tuple(range(n_seeds)),
        measure=read_measure("rougeL", with_command=False), higher_is_better=True, margin=0.02,
        relative=False, low=NAN, high=NAN, rising=True, alpha=0.05, sequential=False, hours=1.0,
        power=None, command="", exact=False, digest="",
    )  # fmt: skip
    return dataclasses.replace(found, **changes)


def means(*levels: float, n_seeds=3, n_companies=12, noise=0.005, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = len(levels), n_seeds, n_companies
    return np.array(levels)[:, None, None] + noise * rng.standard_normal(shape)


def said(study: Study, found: np.ndarray) -> tuple[str, list[str]]:
    whole = as_table(study, found)
    one = answer(study, whole)
    assert one.verdict == verdict(study, whole)
    assert [row.result for row in one.findings] == results(study, whole)
    return one.verdict, [row.result for row in one.findings]


def test_two_levels_are_the_pooled_seeds_of_their_differences():
    found = means(0.5, 0.53, n_seeds=5, noise=0.05) + 0.02 * np.arange(5)[:, None]
    companies = [f"c{i}" for i in range(12)]
    pooled = pool_seeds(found[1] - found[0], companies, confidence=0.95)
    one = contrast(found, [-1, 1])
    assert one.estimate == pytest.approx(pooled.estimate)
    assert one.standard_error == pytest.approx(pooled.standard_error)


def test_one_value_a_run_is_the_randomised_block_analysis():
    values = np.array([[1.0, 1.4, 1.2], [2.1, 2.0, 2.5], [3.3, 3.0, 3.2]])
    one = contrast(values[:, :, None], [-1, 0, 1])
    rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    error = np.sqrt(2 * (rest**2).sum() / 4 / 3)
    assert (one.df_seed, one.df_company) == (4, 0)
    assert one.standard_error == pytest.approx(error)
    t = one.estimate / error
    assert one.p_value() == pytest.approx(2 * scipy.stats.t.sf(t, 4))


def test_the_p_value_is_the_level_whose_interval_ends_at_the_bound():
    one = Contrast(0.03, 0.012, 0.4, 2, 11)
    for bound in (-0.01, 0.0, 0.02):
        low, _ = one.interval(1 - 2 * one.p_above(bound))
        assert low == pytest.approx(bound, abs=1e-9)
    assert one.p_above() + one.p_below() == pytest.approx(1)
    only = dataclasses.replace(one, seed_share=0.0)
    assert only.p_above() == pytest.approx(scipy.stats.t.sf(0.03 / 0.012, 11))
    assert only.p_above() < one.p_above() < dataclasses.replace(one, seed_share=1.0).p_above()


def test_the_looks_spend_the_error_of_lan_and_demets_and_no_more():
    # The first of five equally spaced looks, two-sided 0.05, has the published bound 4.8769
    # (R: ldbounds::ldBounds(t = (1:5) / 5, iuse = c(1, 1), alpha = c(0.025, 0.025)))
    levels = spent_levels(0.025, (1, 2, 3, 4, 5), 5)
    assert scipy.stats.norm.isf(levels[0]) == pytest.approx(4.8769, abs=1e-4)
    assert sum(levels) == pytest.approx(0.025) and list(levels) == sorted(levels)
    assert spent_levels(0.025, (4,), 4) == pytest.approx([0.025])
    assert sum(spent_levels(0.025, (3, 4), 5)) < 0.025  # stopped before its end
    with pytest.raises(ValueError, match="they must rise up to 4"):
        spent_levels(0.025, (3, 5), 4)


@pytest.mark.parametrize(
    ("question", "levels", "changes", "answered"),
    [
        ("better", (0.4, 0.5), {}, ("confirmed", ["better"])),
        ("better", (0.5, 0.4), {}, ("refuted", ["worse"])),
        ("better", (0.5, 0.501), {}, ("refuted", ["equivalent"])),
        ("better", (0.5, 0.4), {"higher_is_better": False}, ("confirmed", ["better"])),
        ("best", (0.5, 0.4, 0.45), {}, ("confirmed", ["better", "better"])),
        ("best", (0.5, 0.4, 0.501), {}, ("refuted", ["better", "equivalent"])),
        ("best", (0.5, 0.4, 0.6), {}, ("refuted", ["better", "worse"])),
        ("equivalent", (0.5, 0.501), {}, ("confirmed", ["equivalent"])),
        ("equivalent", (0.5, 0.6), {}, ("refuted", ["more than the margin above"])),
        ("equivalent", (0.5, 0.51), {"margin": 0.04, "relative": True},
         ("confirmed", ["equivalent"])),
        ("equivalent", (0.5, 0.4), {"margin": 0.04, "relative": True},
         ("refuted", ["more than the margin below"])),
        ("at_least", (0.5, 0.3), {"low": 0.5, "high": 0.5}, ("confirmed", ["at least 0.5 times"])),
        ("at_least", (0.5, 0.2), {"low": 0.5, "high": 0.5}, ("refuted", ["less than 0.5 times"])),
        ("between", (1.0, 1.4), {"low": 1.3, "high": 1.5}, ("confirmed", ["between"])),
        ("between", (1.0, 1.6), {"low": 1.3, "high": 1.5}, ("refuted", ["above 1.5 times"])),
        ("trend", (0.4, 0.45, 0.5), {}, ("confirmed", ["rises"])),
        ("trend", (0.4, 0.45, 0.5), {"rising": False}, ("refuted", ["rises"])),
        ("trend", (0.5, 0.5, 0.5), {}, ("refuted", ["equivalent"])),
    ],
)  # fmt: skip
def test_known_effects_have_the_right_answers(question, levels, changes, answered):
    study = a_study(question, len(levels), **changes)
    assert said(study, means(*levels)) == answered


def test_a_study_that_cannot_tell_is_undecided_and_says_how_many_runs_would():
    study = a_study()
    scores = means(0.5, 0.51)
    scores[1] += np.tile([0.05, -0.05], 6)  # an effect that differs from company to company
    found = answer(study, as_table(study, scores))
    assert found.verdict == "undecided" and found.findings[0].low < 0.01 < found.findings[0].high
    assert (found.seeds_needed or 0) > 3 or found.companies_needed


@pytest.mark.parametrize(
    ("n_companies", "of_company", "of_rest"), [(1, 0.0, 0.01), (40, 0.03, 0.05), (40, 0.0, 0.05)]
)
def test_the_number_of_runs_that_is_named_settles_the_question(n_companies, of_company, of_rest):
    of_seed = 0.02
    # the mean squares that these spreads give on average
    spread = MeanSquares(
        seeds=2 * (of_rest**2 + n_companies * of_seed**2),
        companies=2 * (of_rest**2 + 3 * of_company**2),
        rest=2 * of_rest**2 if n_companies > 1 else 0.0,
        n_seeds=3,
        n_companies=n_companies,
    )
    goal = Goal(0.03, spread, 0.05, 0.1)
    seeds, companies = runs_needed([goal])
    assert 3 < seeds <= 20 and companies is None
    study, size = a_study(n_seeds=seeds, margin=0.03), (2, seeds, n_companies)
    rng, n, decided = np.random.default_rng(1), 200, 0
    for _ in range(n):
        made = rng.normal(0, of_company, (2, 1, n_companies)) + rng.normal(0, of_rest, size)
        made += rng.normal(0, of_seed, (2, seeds, 1))
        decided += verdict(study, as_table(study, made)) != "undecided"
    assert decided / n >= 0.8 - 3 * np.sqrt(0.8 * 0.2 / n)
    assert runs_needed([dataclasses.replace(goal, distance=0.002)]) == (None, None)


def test_no_gain_is_not_half_of_a_gain():
    # tuned minus base at a fifth of the training and at its end: both lost, or neither gained
    study = a_study("at_least", low=0.5, high=0.5)
    for first, whole in ((0.0, -0.10), (-0.02, -0.10), (0.02, 0.0), (0.05, 0.0)):
        found = means(whole, first, n_companies=40, noise=0.02)
        assert said(study, found) == ("undecided", ["undecided"]), (first, whole)
    assert said(study, means(0.10, 0.08, n_companies=40, noise=0.02))[0] == "confirmed"


def test_runs_that_do_not_vary_prove_nothing():
    counts = np.zeros((2, 5, 1))  # no training of either level exploded
    study = a_study("equivalent", n_seeds=5, margin=0.5)
    assert said(study, counts) == ("undecided", ["nothing varied"])
    counts[1] = 1.0
    assert said(a_study(n_seeds=5), counts) == ("undecided", ["nothing varied"])
    assert answer(study, as_table(study, counts)).findings[0].p_value == 1.0
    same = np.tile(means(0.5)[:1], (2, 1, 1))  # the same answers on twelve companies
    assert said(a_study("equivalent"), same) == ("confirmed", ["equivalent"])
    assert said(a_study(), same) == ("refuted", ["equivalent"])
    exact = a_study(exact=True, n_seeds=1)
    assert said(exact, np.array([[[1.0]], [[2.0]]]))[0] == "confirmed"


def test_a_ratio_to_a_constant_reference_can_be_shown():
    ratios = np.array([[[1.0], [1.0], [1.0]], [[1.001], [0.999], [1.002]]])  # of forgetting
    study = a_study("equivalent", margin=0.02, relative=True)
    assert said(study, ratios) == ("confirmed", ["equivalent"])
    ratios[0] = 0.0
    assert said(study, ratios)[0] == "undecided"


def test_the_p_value_belongs_to_the_result():
    same = answer(a_study(margin=0.05), as_table(a_study(), means(0.5, 0.501))).findings[0]
    assert same.result == "equivalent" and same.p_value <= 0.05
    table = as_table(a_study(n_levels=3), means(0.5, 0.51, 0.49, noise=0.011))
    rows = answer(a_study(n_levels=3, margin=1e-9), table).findings
    for row in rows:
        assert (row.p_holm <= 0.05) == (row.result != "undecided") and row.p_holm >= row.p_value


def test_the_ratio_has_fiellers_interval():
    found = means(2.0, 1.0, noise=0.05)
    estimate, low, high = ratio(found, 0, 1, rate=0.025)
    assert low < estimate < high and estimate == pytest.approx(2.0, abs=0.1)
    assert contrast(found, [1, -low]).p_above() == pytest.approx(0.025, abs=1e-6)
    assert contrast(found, [1, -high]).p_below() == pytest.approx(0.025, abs=1e-6)
    assert all(np.isnan(ratio(-found, 0, 1, rate=0.025)))


# spreads of a level's effect over companies and over seeds, and of the rest; the second as measured
# in docs/studies/preference, with more variance between seeds
@pytest.mark.parametrize("spreads", [(1.0, 0.5, 1.0), (0.0, 0.2, 1.0)])
def test_where_nothing_differs_few_studies_say_so_and_intervals_cover(spreads):
    rng, n, false, covered = np.random.default_rng(5), 400, 0, 0
    study = a_study(n_levels=3, margin=1e-12)
    of_company, of_seed, of_rest = spreads
    for _ in range(n):
        found = rng.normal(0, of_company, (3, 1, 12)) + rng.normal(0, of_seed, (3, 3, 1))
        found = found + rng.normal(0, of_rest, (3, 3, 12))
        false += verdict(study, as_table(study, found)) != "undecided"
        low, high = contrast(found, [-1, 1, 0]).interval(0.95)
        covered += low <= 0 <= high
    error = np.sqrt(0.05 * 0.95 / n)
    assert false / n <= 0.05 + 2 * error
    assert 0.95 - 2 * error <= covered / n


def test_seeds_that_vary_widen_the_interval_and_are_not_taken_for_an_effect():
    steady, lucky = means(0.5, 0.53), means(0.5, 0.53)
    lucky[1] += np.array([0.06, -0.03, -0.03])[:, None]
    a, b = contrast(steady, [-1, 1]), contrast(lucky, [-1, 1])
    assert a.estimate == pytest.approx(b.estimate) and b.standard_error > 5 * a.standard_error
    assert b.seed_share > 0.9 and said(a_study(), lucky)[0] == "undecided"


def test_looking_after_every_seed_stops_a_clear_case_and_keeps_its_rate():
    study = a_study(n_seeds=5, sequential=True)
    assert ending(study, means(0.4, 0.5, n_seeds=5)) == ("confirmed", 3)
    rng, n, null = np.random.default_rng(3), 300, dataclasses.replace(study, margin=1e-12)
    false = sum(
        ending(null, rng.normal(0, 1, (2, 1, 12)) + rng.normal(0, 1, (2, 5, 12)))[0] != "undecided"
        for _ in range(n)
    )
    assert false / n <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / n)


def test_the_power_is_that_of_the_very_analysis():
    study = read_study(ROOT / "studies/10a-grounding-tuned.yaml", params=ROOT / "params.yaml")
    found = chances(study, n_simulations=50)
    assert found.confirmed + found.refuted + found.undecided == pytest.approx(1)
    far = dataclasses.replace(study, power=dataclasses.replace(study.power, means=(0.3, 0.6)))
    assert chances(far, n_simulations=20).confirmed == 1
    rng = np.random.default_rng(0)
    assert draw(study.power, n_seeds=3, rng=rng).shape == (2, 3, study.power.companies)


def test_a_plan_says_if_the_study_cannot_decide():
    study = read_study(ROOT / "studies/10a-grounding-tuned.yaml", params=ROOT / "params.yaml")
    assert UNLIKELY not in as_text(plan([study], ROOT))
    same = dataclasses.replace(study, margin=1e-6, power=dataclasses.replace(
        study.power, means=(0.4, 0.4)))  # fmt: skip
    said = as_text(plan([same], ROOT)).splitlines()
    assert said[-1] == f"  {UNLIKELY}" and max(map(len, said)) <= 100


def test_examples_that_a_run_lacks_are_left_out_of_all():
    cells = {(level, s): {f"e{i}": (f"c{i % 3}", 1.0 * i) for i in range(6)}
             for level in "ab" for s in range(3)}  # fmt: skip
    del cells["a", 0]["e5"]
    found = table(cells, "ab", range(3), at_least=3)
    assert found.n_examples == 5 and found.means[0, 0].tolist() == [1.5, 2.5, 2.0]
    del cells["b", 1]
    assert table(cells, "ab", range(3), at_least=3) is None


def test_a_gain_is_tuned_minus_base_and_the_set_is_the_one_that_is_named():
    def score(model, split, value):
        values = dict.fromkeys(METRICS, value)
        return Score("e", model, split, "c", "", "", "summarization", "human", values)

    rows = [score("base", "test", 0.25), score("tuned", "test", 0.5), score("tuned", "free", 0.1)]
    assert score_values(read_measure("rougeL", with_command=False), rows) == {"e": ("c", 0.5)}
    gain = read_measure("rougeL of gain", with_command=False)
    assert score_values(gain, rows) == {"e": ("c", 0.25)}
    free = read_measure("rougeL of tuned on free", with_command=False)
    assert score_values(free, rows) == {"e": ("c", 0.1)}
    with pytest.raises(ValueError, match="no such scores"):
        score_values(read_measure("rougeL on noise", with_command=False), rows)


def test_a_metric_for_a_template_takes_its_examples_alone():
    def score(template, value):
        values = dict.fromkeys(METRICS, value)
        return Score(template, "tuned", "test", "c", "", "", template, "human", values)

    rows = [score("summarization", 0.5), score("understanding", 0.1)]
    measure = read_measure("rougeL for summarization", with_command=False)
    assert score_values(measure, rows) == {"summarization": ("c", 0.5)}
    with pytest.raises(ValueError, match="no such scores"):
        score_values(
            read_measure("rougeL of tuned on test for questions", with_command=False), rows
        )
    with pytest.raises(ValueError, match="no summarisation; did you mean summarization"):
        read_measure("rougeL for summarisation", with_command=False)
    with pytest.raises(ValueError, match=r"METRIC \[of MODEL\] \[on SET\] \[for TEMPLATE\]"):
        read_measure("rougeL in summarization", with_command=False)


def test_the_candidate_is_the_levels_own():
    def score(model, value):
        values = dict.fromkeys(METRICS, value)
        return Score("e", model, "test", "c", "", "", "summarization", "human", values)

    rows = [score("base", 0.25), score("tuned", 0.5), score("preferred", 0.75)]
    measure = read_measure("rougeL of candidate", with_command=False)
    assert score_values(measure, rows) == {"e": ("c", 0.5)}
    assert score_values(measure, rows, candidate="preferred") == {"e": ("c", 0.75)}
    with pytest.raises(ValueError, match="no such scores"):
        score_values(measure, rows[:2], candidate="preferred")
    figure = read_measure("prefer.forgetting.ratio", with_command=False)
    assert figure.last_stage == "prefer"
    assert read_measure("predict_preferred.cost.seconds", with_command=False).last_stage == (
        "predict@preferred"
    )


def test_levels_of_preference_tuning_share_the_training_and_the_tuned_answers():
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    stages = graph.read_stages(ROOT, params)
    order = graph.upstream(stages, "evaluate")
    before = graph.stage_keys(stages, order, params)
    params["prefer"]["method"], params["verdict"]["candidate"] = "dpo", "preferred"
    after = graph.stage_keys(stages, order, params)
    changed = {name for name in order if before[name] != after[name]}
    assert changed == {"prefer", "predict@preferred", "evaluate"}


def test_a_level_with_preference_tuning_takes_longer_by_its_pairs():
    study = read_study(ROOT / "studies/preference.yaml", params=ROOT / "params.yaml")
    seconds = {}
    for cell in schedule(study, ROOT, done=set()):
        seconds.setdefault(cell.level.name, []).append(cell.seconds)
    assert seconds["preferred"][0] > 300 and max(seconds["tuned"][1:]) < seconds["preferred"][1]


def test_stages_that_do_not_depend_on_the_factor_have_one_key():
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    stages = graph.read_stages(ROOT, params)
    order = graph.upstream(stages, "evaluate")
    before = graph.stage_keys(stages, order, params)
    params["lora"]["r"] = 8
    after = graph.stage_keys(stages, order, params)
    changed = {name for name in order if before[name] != after[name]}
    assert changed == {"train", "prefer", "predict@tuned", "predict@preferred", "evaluate"}
    assert order.index("split") < order.index("train") < order.index("evaluate")
    with pytest.raises(ValueError, match="dvc.yaml has no stage predict; it has"):
        graph.upstream(stages, "predict")


def test_the_studies_of_the_claims_can_run_and_take_six_hours_at_most():
    assert len(STUDIES) >= 10
    done, seconds = set(), 0.0
    for path in STUDIES:
        study = read_study(path, params=ROOT / "params.yaml")
        cells = schedule(study, ROOT, done=done)
        taken = sum(cell.seconds for cell in cells)
        assert taken <= 3600 * study.hours, f"{path.name}: {taken / 3600:.2f} hours"
        seconds += taken * path.name[:2].isdigit()  # a claim of the method
        assert study.exact or len(study.seeds) >= 3
    assert 3600 < seconds <= 6 * 3600, f"{seconds / 3600:.2f} hours"


def test_the_committed_results_are_those_of_the_committed_files():
    rows = claims.rows(ROOT / "studies", ROOT / "docs/studies")
    ran = {path.parent.name for path in (ROOT / "docs/studies").glob("*/result.json")}
    assert ran == {row["study"] for row in rows if row["verdict"] != claims.NOT_RUN}
    page = (ROOT / "docs/claims.md").read_text(encoding="utf-8")
    assert all(f"| {row['claim']} | {row['verdict']} |" in page for row in rows)
    found = read_studies(ROOT / "docs/studies")
    assert [one.row for one in found] == rows
    shown = claims_table(found)
    assert [row[1] for row in shown.rows] == [row["verdict"] for row in rows]
    parameters = next(one for one in found if one.row["study"] == "08a-trainable-parameters")
    assert comparisons(parameters).rows[0][1] == "191.5"


def test_a_project_without_studies_has_no_table(tmp_path):
    assert read_studies(tmp_path) == [] and claims_table([]).rows == []
