import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finllm.scoring import score_example

CALL = "In the third quarter revenue rose 12% to $452.2 million. Net loss was $3 million."
SUMMARY = "q3 revenue rose 12 percent to $452.2 million.\nq3 net loss $3 million."
KEYS = {
    "rouge1", "rouge2", "rougeL", "rougeLsum", "bleu", "chrf", "word_overlap",
    "term_recall", "number_accuracy", "coherence", "composite",
}  # fmt: skip


def test_a_summary_is_its_own_best_answer():
    found = score_example(SUMMARY, SUMMARY, CALL)
    assert found.keys() >= KEYS
    assert found == pytest.approx(dict.fromkeys(found, 1.0))


def test_an_empty_answer_scores_nothing():
    assert set(score_example(" \n", SUMMARY, CALL).values()) == {0.0}
    assert set(score_example("", "", "").values()) == {0.0}


def test_without_a_reference_the_source_tells_what_it_can():
    good, bad = (score_example(text, "", CALL) for text in (SUMMARY, SUMMARY.replace("2.2", "9.1")))
    assert good["number_accuracy"] == good["composite"] == 1
    assert bad["number_accuracy"] < 1 and bad["composite"] < 1
    assert good["rougeL"] == good["bleu"] == good["term_recall"] == 0


def test_rewording_leaves_the_domain_metrics_as_they_are():
    other = "Third quarter sales increased 12% to $0.4522 billion.\nQ3 net loss of $3 million."
    found = score_example(other, SUMMARY, CALL)
    assert found["number_accuracy"] == found["coherence"] == found["composite"] == 1
    assert found["rougeL"] < 0.8


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rose", "fell"),
        ("12 percent", "17 percent"),
        ("452.2 million", "452.2 billion"),
        ("q3 revenue", "q2 revenue"),
        ("revenue", "earnings"),
        ("net loss", "net income"),
        ("\nq3 net loss $3 million.", ""),
    ],
)
def test_any_error_lowers_the_composite(old, new):
    assert score_example(SUMMARY.replace(old, new), SUMMARY, CALL)["composite"] < 0.95


@settings(max_examples=100, deadline=None)
@given(*[st.text(max_size=40) | st.sampled_from(["q3 sales $5", "up 5%", CALL, SUMMARY])] * 3)
def test_every_score_of_any_texts_is_between_nothing_and_one(candidate, reference, source):
    found = score_example(candidate, reference, source)
    assert found.keys() >= KEYS
    assert all(0 <= value <= 1 for value in found.values())
    assert found == score_example(candidate, reference, source)


def test_a_long_source_is_read_once():
    source = " ".join(f"Revenue in unit {i} rose {i}% to ${i}.5 million." for i in range(400))
    score_example(SUMMARY, SUMMARY, source)
    started = time.process_time()
    for i in range(20):
        score_example(f"{SUMMARY} {i}", SUMMARY, source)
    assert (time.process_time() - started) / 20 < 0.1


def test_it_imports_without_torch():
    code = (
        "import sys\nfrom finllm.scoring import score_example\nscore_example('a', 'b', 'c')\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
