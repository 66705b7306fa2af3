import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.rewordings import REWORDINGS
from finllm.preference.corruptions import ERRORS
from finllm.scoring import score_example

ROOT = Path(__file__).parent.parent
SUMMARY = (
    "q3 revenue rose 2.5 percent to $452.2 million.\n"
    "q3 loss per share $0.14.\n"
    "sees fy 2021 sales growth of 4% to 6%.\n"
    "qtrly net income was $12.7 million versus $9.9 million."
)
CALL = (
    "Revenue in the third quarter rose 2.5% to $452.2 million. Loss per share was $0.14. "
    "Net income was $12.7 million against $9.9 million. Free cash flow was $77 million, up 31%."
)


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_changes_the_summary_and_costs_it_the_composite(error):
    changed = ERRORS[error](SUMMARY, CALL, np.random.default_rng(3))
    assert changed != SUMMARY
    assert score_example(changed, SUMMARY, CALL)["composite"] < 1


@pytest.mark.parametrize("kind", REWORDINGS)
@pytest.mark.parametrize("seed", range(5))
def test_every_rewording_changes_the_words_and_no_domain_metric(kind, seed):
    changed = REWORDINGS[kind](SUMMARY, CALL, np.random.default_rng(seed))
    assert changed != SUMMARY
    found = score_example(changed, SUMMARY, CALL)
    assert found["number_accuracy"] == found["coherence"] == 1
    assert found["composite"] == pytest.approx(1)


def test_a_summary_that_an_error_does_not_fit_stays_as_it_is():
    for name in ("scaled number", "flipped direction", "dropped bullet"):
        assert ERRORS[name]("good morning", "", np.random.default_rng(3)) == "good morning"


def test_the_benchmark_counts_wins_and_ends_in_json(tmp_path):
    for folder in ("ects", "gt_summaries"):
        (tmp_path / folder).mkdir()
    for name, growth in (("AAA_q2_2021", "2.1"), ("AAA_q3_2021", "2.5"), ("BBB_q3_2021", "7.5")):
        (tmp_path / "gt_summaries" / f"{name}.txt").write_text(SUMMARY.replace("2.5", growth))
        (tmp_path / "ects" / f"{name}.txt").write_text(CALL.replace("2.5", growth))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.metric_meta", "--calls", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["calls"] == 3
    assert set(found["wins"]["composite"]) == {*ERRORS, "another call", "previous summary"}
    assert found["mean"]["composite"] == 1
    assert found["mean"]["rougeL"] < 1


def test_a_folder_without_summaries_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.metric_meta", "--calls", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0 and "give a folder in ECTSum's layout" in done.stderr
