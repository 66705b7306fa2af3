import json
from pathlib import Path

import numpy as np
import pytest

from finllm import cli
from finllm.comparing.folds import pool
from finllm.records import METRICS, Score, write_jsonl

PARAMS = str(Path(__file__).parents[1] / "params.yaml")


def fold(companies, *, gain=0.1, split="test"):
    rng = np.random.default_rng(len(companies))

    def values(model):
        return dict.fromkeys(METRICS, float(rng.normal(0.4 + gain * (model == "tuned"), 0.05)))

    facts = {"sector": "", "period": "2021Q1", "template": "summarization", "provenance": "human"}
    return [
        Score(f"{company}:{i}", model, split, company, values=values(model), **facts)
        for company in companies
        for i in range(3)
        for model in ("base", "tuned")
    ]


def test_pooled_folds_are_all_test_scores_and_no_transfer_scores():
    one, two = fold("abc"), fold("de")
    assert pool({"1": one + fold("xy", split="transfer"), "2": two}) == one + two


def test_a_company_that_two_folds_tested_is_named():
    with pytest.raises(ValueError, match="2 tests b, and so does 1"):
        pool({"1": fold("ab"), "2": fold("bc")})


@pytest.mark.parametrize("folds", [{"1": fold("ab")}, {"1": fold("ab"), "2": []}])
def test_one_fold_or_an_empty_one_is_an_error(folds):
    with pytest.raises(ValueError, match="at least two|2: no test scores"):
        pool(folds)


def test_the_command_compares_over_the_companies_of_all_folds(tmp_path, capsys):
    files = []
    for name, companies in (("0", "abcd"), ("1", "efgh"), ("2", "ijkl")):
        files.append(str(tmp_path / f"{name}.jsonl"))
        write_jsonl(tmp_path / f"{name}.jsonl", fold(companies))
    out = tmp_path / "pooled.json"
    cli.main(["pool", *files, "--out", str(out), "--params", PARAMS])
    found = json.loads(out.read_text())
    assert (found["n_folds"], found["n_companies"], found["n_examples"]) == (3, 12, 36)
    one = found["metrics"][found["primary_metric"]]
    assert one["n_clusters"] == 12 and one["low"] < one["difference"] < one["high"]
    assert one["difference"] == pytest.approx(0.1, abs=0.05)
    printed = capsys.readouterr().out
    assert printed.startswith("3 folds, 12 companies; tuned - base [95% interval], corrected p\n")
    assert f"* {found['primary_metric']}" in printed
    cli.main(["pool", *files, "--json", "--params", PARAMS])
    assert json.loads(capsys.readouterr().out) == found


def test_files_that_are_no_folds_are_one_line_of_error(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", fold("ab"))
    write_jsonl(tmp_path / "b.jsonl", fold("ab"))
    with pytest.raises(SystemExit, match="finllm pool: .*tests a, and so does"):
        cli.main(["pool", str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl"), "--params", PARAMS])
