"""Seeds, companies and examples: against lme4, hand computation, simulation, and identities."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize

from finllm import cli
from finllm.comparing.seeds import compare_seeds, side_by_side
from finllm.records import METRICS, Score, write_jsonl
from finllm.stats.variance import in_words, pool_seeds, reml_variances, seed_components

PARAMS = str(Path(__file__).parents[1] / "params.yaml")
# Davies and Goldsmith (1972), table 6.6, as lme4's data set Penicillin: diameters of growth
# inhibition, six samples (columns) on each of 24 plates.
PENICILLIN = """
27 23 26 23 23 21 27 23 26 23 23 21 25 21 25 24 24 20 26 23 25 23 23 20
25 22 26 22 23 20 24 22 25 23 22 19 24 20 23 21 22 19 26 22 26 24 24 21
24 21 24 22 22 20 24 21 24 23 22 19 26 23 26 24 24 21 25 22 26 24 24 20
26 24 26 24 25 22 26 23 26 23 23 20 26 23 25 24 24 22 25 22 25 23 23 20
25 21 24 23 23 20 25 22 24 23 23 19 24 21 23 21 21 19 26 23 26 24 24 21
25 21 24 22 22 18 25 22 25 22 22 20 24 21 24 22 24 19 24 21 24 22 21 18
"""
PLATES = np.array(PENICILLIN.split(), dtype=float).reshape(24, 6)


def study(rng, *, n_seeds=5, sizes=(6,) * 12, mean=0.0, sds=(0.2, 0.3, 0.1, 0.4, 0.5)):
    """Differences of shape (seeds, examples) with known deviations, and the companies."""
    seed, company, both, example, rest = sds
    codes = np.repeat(np.arange(len(sizes)), sizes)
    k, n = len(sizes), len(codes)
    return (
        mean
        + seed * rng.normal(size=(n_seeds, 1))
        + company * rng.normal(size=k)[codes]
        + both * rng.normal(size=(n_seeds, k))[:, codes]
        + example * rng.normal(size=n)
        + rest * rng.normal(size=(n_seeds, n)),
        codes,
    )


def test_penicillin_as_lme4_fits_it():
    # R: lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin), Bates (2010), section 2.1.1:
    # Std.Dev. plate 0.84671, sample 1.93157, Residual 0.54992; intercept 22.9722, se 0.8086.
    plate, sample, rest = np.sqrt(reml_variances(PLATES))
    assert (plate, sample, rest) == pytest.approx((0.84671, 1.93157, 0.54992), abs=6e-5)
    pooled = pool_seeds(PLATES, range(6), confidence=0.95)
    assert pooled.estimate == pytest.approx(22.9722, abs=5e-5)
    assert pooled.standard_error == pytest.approx(0.8086, abs=5e-5)
    assert (pooled.seed_sd, pooled.company_sd) == pytest.approx((plate, sample))


def test_a_table_by_hand():
    # Rows 1 2 3 and 3 4 8: means 2 and 5, columns 2, 3, 5.5, all 3.5. SS rows 3 (1.5^2 + 1.5^2)
    # = 13.5 on 1 df; SS columns 2 (1.5^2 + .5^2 + 2^2) = 13 on 2; SS rest by subtraction
    # from the total 29.5: 3 on 2. Variances: (13.5 - 1.5) / 3, (6.5 - 1.5) / 2, 1.5.
    table = [[1, 2, 3], [3, 4, 8]]
    assert reml_variances(table) == pytest.approx((4.0, 2.5, 1.5))
    pooled = pool_seeds(table, list("abc"), confidence=0.95)
    assert pooled.standard_error == pytest.approx(np.sqrt((13.5 + 6.5 - 1.5) / 6))
    assert pooled.df == pytest.approx(18.5**2 / (13.5**2 / 1 + 6.5**2 / 2 + 1.5**2 / 2))
    parts = seed_components(table, list("abc"))
    assert (parts.seed, parts.company) == pytest.approx((4.0, 2.5))
    assert np.isnan(parts.example) and np.isnan(parts.residual) and np.isnan(parts.seed_by_company)


def restricted_loss(logs, table):
    """Minus twice the restricted log-likelihood, written out with the full covariance."""
    (a, b, r), (n_rows, n_columns) = np.exp(logs), table.shape
    rows = np.kron(np.eye(n_rows), np.ones((n_columns, n_columns)))
    columns = np.kron(np.ones((n_rows, n_rows)), np.eye(n_columns))
    contrasts = np.linalg.svd(np.ones((1, table.size)))[2][1:]
    cov = contrasts @ (a * rows + b * columns + r * np.eye(table.size)) @ contrasts.T
    data = contrasts @ table.ravel()
    return np.linalg.slogdet(cov)[1] + data @ np.linalg.solve(cov, data)


@pytest.mark.parametrize(("spread", "on_boundary"), [(0.0, True), (1.5, False)])
def test_reml_is_the_numerical_maximum_also_on_the_boundary(spread, on_boundary):
    rng = np.random.default_rng(5)
    table = spread * rng.normal(size=(3, 1)) + rng.normal(size=5) + rng.normal(size=(3, 5))
    found = reml_variances(table)
    assert (found[0] == 0) == on_boundary
    best = scipy.optimize.minimize(
        restricted_loss, [-1.0, 0, 0], args=(table,), method="Nelder-Mead"
    )
    assert restricted_loss(np.log(np.maximum(found, 1e-12)), table) <= best.fun + 1e-6


def test_the_components_are_unbiased_with_companies_of_unequal_size():
    rng, sizes = np.random.default_rng(1), (1, 2, 2, 3, 5, 8, 13, 4)
    found = []
    for _ in range(600):
        parts = seed_components(*study(rng, n_seeds=4, sizes=sizes))
        found.append(list(vars(parts).values()))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(600)
    truth = np.array([0.2, 0.3, 0.1, 0.4, 0.5]) ** 2
    assert (np.abs(mean - truth) < 4 * error).all()
    assert (error < 0.3 * truth + 0.003).all()  # the test could have failed


@pytest.mark.parametrize("seed_sd", [0.0, 0.25])
def test_the_interval_covers_over_new_seeds_and_companies(seed_sd):
    # Binomial(800, 0.95) lies above 0.925 with probability 0.999.
    rng, covered, naive = np.random.default_rng(2), 0, 0
    for _ in range(800):
        rows, codes = study(rng, sds=(seed_sd, 0.3, 0.1, 0.4, 0.5))
        pooled = pool_seeds(rows, codes, confidence=0.95)
        covered += pooled.low <= 0 <= pooled.high
        means = np.array([row.reshape(12, 6).mean(axis=1) for row in rows]).mean(axis=0)
        naive += abs(means.mean()) <= 2.201 * means.std(ddof=1) / np.sqrt(12)
    assert 0.925 <= covered / 800 <= 0.99
    if seed_sd:
        assert naive / 800 < 0.87  # companies alone: the seed is not in the interval


def test_swapping_the_models_scaling_and_the_order_of_seeds_change_nothing_else():
    rows, codes = study(np.random.default_rng(4), mean=0.1)
    one = pool_seeds(rows, codes, confidence=0.95)
    other = pool_seeds(-10 * rows[::-1], codes, confidence=0.95)
    assert (other.low, other.high) == pytest.approx((-10 * one.high, -10 * one.low))
    assert other.p_value == pytest.approx(one.p_value)
    assert other.df == pytest.approx(one.df)
    assert other.share_of_seeds_above == pytest.approx(1 - one.share_of_seeds_above)
    assert other.p_next_seed_above == pytest.approx(1 - one.p_next_seed_above)


def test_copies_of_one_seed_have_no_variance_between_seeds():
    row, codes = study(np.random.default_rng(5), n_seeds=1)
    pooled = pool_seeds(np.repeat(row, 3, axis=0), codes, confidence=0.95)
    assert pooled.seed_sd == pytest.approx(0, abs=1e-7)
    # What is left is Student's t on the company means.
    assert pooled.df == pytest.approx(11)


def test_degenerate_and_bad_input_has_a_defined_answer_or_one_error():
    zero = pool_seeds(np.zeros((2, 4)), list("aabb"), confidence=0.95)
    assert (zero.low, zero.high, zero.p_value, zero.p_next_seed_above) == (0, 0, 1.0, 0.0)
    same = pool_seeds(np.full((2, 4), 0.1), list("aabb"), confidence=0.95)
    assert np.isnan(same.p_value) and same.low == same.high == pytest.approx(0.1)
    for rows, clusters, words in (
        (np.zeros((1, 4)), list("aabb"), "1 seed"),
        (np.zeros((2, 4)), list("aaaa"), "at least 2 are needed"),
        (np.zeros(4), list("aabb"), "shape"),
        ([[0, np.nan], [0, 0]], list("ab"), r"differences\[0, 1\] is nan"),
        ([[0, 0], [np.inf, 0]], list("ab"), r"differences\[1, 0\] is inf"),
        (np.zeros((2, 3)), list("ab"), "2 labels for 3"),
    ):
        with pytest.raises(ValueError, match=words):
            pool_seeds(rows, clusters, confidence=0.95)
    with pytest.raises(ValueError, match="confidence is 95"):
        pool_seeds(np.zeros((2, 4)), list("aabb"), confidence=95)
    with pytest.raises(ValueError, match="2 by 2"):
        reml_variances([[1.0, 2.0]])


def one_lucky():
    """Four seeds that do nothing and one that gains much, on twelve companies."""
    rng = np.random.default_rng(6)
    return rng.normal(0, 0.1, (5, 12)) + np.array([[0.5], [0], [0], [0], [0]]), list(range(12))


def test_a_win_of_one_lucky_seed_is_called_so():
    pooled = pool_seeds(*one_lucky(), confidence=0.95)
    words = in_words(pooled, 1, alpha=0.05)
    assert words.startswith("The gain does not hold across seeds: 1 of 5 trainings")
    assert pooled.low < 0 < pooled.high
    assert in_words(pooled, 0, alpha=0.05).startswith("Inconclusive")


def test_a_gain_of_every_seed_is_the_recipes_and_so_is_a_loss():
    rows, codes = study(np.random.default_rng(7), mean=2.0)
    words = in_words(pool_seeds(rows, codes, confidence=0.95), 5, alpha=0.05)
    assert words.startswith("The gain holds across seeds") and "5 of 5 seeds" in words
    words = in_words(pool_seeds(-rows, codes, confidence=0.95), 0, alpha=0.05)
    assert words.startswith("The loss holds across seeds") and "0 of 5 seeds" in words
    few = pool_seeds(rows[:2], codes, confidence=0.95)
    assert in_words(few, 2, alpha=0.05).endswith("poorly known.")


def run_of(gain, seed, companies="abcdefghijkl"):
    """The scores of one training; the base is the same in all."""
    base, rng = np.random.default_rng(0), np.random.default_rng(seed)
    rows = []
    for company in companies:
        for i in range(3):
            values = {"base": base.uniform(0.3, 0.5)}
            values["tuned"] = values["base"] + gain + rng.normal(0, 0.03)
            rows += [
                Score(
                    f"{company}:{i}",
                    model,
                    "test",
                    company,
                    "",
                    "",
                    "questions",
                    "human",
                    dict.fromkeys(METRICS, value),
                )
                for model, value in values.items()
            ]
    return rows


def test_the_command_pools_the_seeds_and_says_what_it_found(tmp_path, capsys):
    files = []
    for seed, gain in enumerate((0.10, 0.12, 0.09, 0.11, 0.10), 1):
        files.append(str(tmp_path / f"{seed}.jsonl"))
        rows = run_of(gain, seed)
        write_jsonl(Path(files[-1]), rows[::-1] if seed == 3 else rows)  # the order is no matter
    out = tmp_path / "seeds.json"
    cli.main(["seeds", *files, "--out", str(out), "--params", PARAMS])
    printed, found = capsys.readouterr().out, json.loads(out.read_text())
    assert "- base [95% interval of a new seed on a new company], p\n" in printed
    assert max(map(len, printed.splitlines())) <= 100
    assert "5 seeds, 12 companies" in printed and "The gain holds across seeds" in printed
    one = found["metrics"][found["primary_metric"]]
    assert one["estimate"] == pytest.approx(0.104, abs=0.01)
    assert one["seed_means"] == pytest.approx([0.10, 0.12, 0.09, 0.11, 0.10], abs=0.015)
    assert found["n_called_better_alone"] == 5
    cli.main(["seeds", *files, "--json", "--params", PARAMS])
    assert json.loads(capsys.readouterr().out) == found


def test_the_preferred_model_is_pooled_where_it_is_asked_for_and_missed_where_it_is_not(tmp_path):
    runs = {}
    for seed in (1, 2):
        rows = run_of(0.1, seed)
        better = [
            dataclasses.replace(
                row, model="preferred", values={k: v + 0.05 for k, v in row.values.items()}
            )
            for row in rows
            if row.model == "tuned"
        ]
        runs[f"{seed}"] = rows + better
    found = side_by_side(runs, model="preferred")
    tuned = side_by_side(runs)
    for metric, differences in found.differences.items():
        assert differences == pytest.approx(tuned.differences[metric] + 0.05)
    write_jsonl(tmp_path / "a.jsonl", run_of(0.1, 1))
    write_jsonl(tmp_path / "b.jsonl", run_of(0.1, 2))
    files = [str(tmp_path / name) for name in ("a.jsonl", "b.jsonl")]
    with pytest.raises(SystemExit, match=r"no test scores of the preferred model; set prefer\.met"):
        cli.main(["seeds", *files, "--model", "preferred", "--params", PARAMS])


def test_runs_that_are_no_seeds_of_one_recipe_are_one_line_of_error(tmp_path):
    first = run_of(0.1, 1)
    with pytest.raises(ValueError, match="at least two"):
        side_by_side({"a": first})
    with pytest.raises(ValueError, match="b tested different examples from a"):
        side_by_side({"a": first, "b": run_of(0.1, 2, "abc")})
    with pytest.raises(ValueError, match="b has the scores of a: the same run twice"):
        side_by_side({"a": first, "b": list(first)})
    runs = side_by_side({"a": first, "b": run_of(0.1, 2)})
    with pytest.raises(ValueError, match="primary metric is 'sense'; the metrics are rouge1"):
        compare_seeds(runs, primary="sense", alpha=0.05, n_bootstrap=199, seed=1)
    write_jsonl(tmp_path / "a.jsonl", first)
    with pytest.raises(
        SystemExit, match="a.jsonl: one file of scores; give those of at least two seeds"
    ):
        cli.main(["seeds", str(tmp_path / "a.jsonl"), "--params", PARAMS])
