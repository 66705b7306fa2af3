"""docs/metrics.md says the truth: every metric is there, and its sums by hand come out."""

import json
import re
from pathlib import Path

import pytest

from finllm.languages.lexicon import load_lexicon
from finllm.records import METRICS
from finllm.scoring import lexical
from finllm.scoring.coherence import coherence
from finllm.scoring.domain import composite, number_accuracy, term_precision, term_recall

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
EVALUATED = ROOT / "metrics" / "details" / "evaluate.json"
PLAIN = " ".join(PAGE.split())


def said(*words: str) -> None:
    """The page says these words, whatever its line breaks."""
    for word in words:
        assert word in PLAIN, word


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_on_the_page_and_in_the_metrics(name):
    assert f"`{name}`" in PAGE
    tables = json.loads(
        (ROOT / "metrics" / "details" / "evaluate.json").read_text(encoding="utf-8")
    )
    assert name in tables["test"]["tuned"]


def test_every_key_of_the_scores_is_on_the_page_and_none_besides():
    found = json.loads(EVALUATED.read_text(encoding="utf-8"))
    section = PAGE.split("## Beside the scores")[1].split("\n\nThe models in")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = {key.split(".")[0] for cell in cells for key in re.findall(r"`([\w.]+)`", cell)}
    assert named == set(found)


def test_the_models_of_the_tables_are_named():
    found = json.loads(EVALUATED.read_text(encoding="utf-8"))
    for model in found["test"]:
        assert f"`{model}`" in PAGE, model


def test_the_lexical_sums_by_hand():
    candidate, reference = "revenue rose to 5", "revenues fell to 5"
    said(
        f'C "{candidate}", R "{reference}"', "2·3/8 = 0.75", "2·1/6 = 0.33", "`word_overlap` = 0.33"
    )
    found = lexical.rouge(candidate, reference)
    assert found["rouge1"] == found["rougeL"] == found["rougeLsum"] == 0.75
    assert found["rouge2"] == pytest.approx(1 / 3)
    assert lexical.word_overlap(candidate, reference) == pytest.approx(1 / 3)
    said(
        '"a b c d" against "a b c d e f g h"', "exp(1 - 8/4) = 0.37", '"ab" against "abc"', "= 0.64"
    )
    assert lexical.bleu("a b c d", "a b c d e f g h") == pytest.approx(0.37, abs=0.005)
    assert lexical.chrf("ab", "abc") == pytest.approx(0.64, abs=0.005)


def test_rouge_is_as_blind_to_figures_as_the_page_says():
    pair = "rose 2.5% to $452.2 million", "fell 2.5% to $452.2 billion"
    said(f'"{pair[0]}" against "{pair[1]}" has ROUGE-L 0.71')
    assert lexical.rouge(*pair)["rougeL"] == pytest.approx(5 / 7)


def test_the_term_sums_by_hand():
    lexicon = load_lexicon("")
    reference = "Gross margin, free cash flow and capital expenditures"
    said(f'R "{reference}", C "CapEx and backlog rose": recall 1/3, precision 1/2')
    assert term_recall("CapEx and backlog rose", reference, lexicon) == pytest.approx(1 / 3)
    assert term_precision("CapEx and backlog rose", reference, lexicon) == 0.5


def test_the_number_sums_by_hand():
    reference, candidate = "Up 12% to $452.2 million", "Up 12% to $452.2 million, from $7 million"
    said(f'R "{reference}": C "{candidate}"', "1.67 = 0.80")
    assert number_accuracy(candidate, reference, "") == pytest.approx(0.8)


def test_the_coherence_sums_by_hand():
    reference = "q3 revenue rose 12 percent. q3 gross margin fell 50 basis points."
    said(f'R "{reference}"', "`coherence` 0.50", '"q3 revenue rose 12%" alone', "`coherence` 0.67")
    wrong = coherence(reference.replace("margin fell", "margin rose"), reference, "")
    assert (wrong.consistency, wrong.coverage, wrong.score) == (0.5, 0.5, 0.5)
    alone = coherence("q3 revenue rose 12%", reference, "")
    assert (alone.consistency, alone.coverage) == (1, 0.5)
    assert alone.score == pytest.approx(2 / 3)


def test_a_text_without_a_statement_scores_as_the_page_says():
    said("A text without a statement scores 0, unless R has none either: then 1.")
    assert coherence("thank you", "q3 revenue rose 12%", "").score == 0
    assert coherence("thank you", "good morning", "").score == 1


def test_the_composite_by_hand():
    said('R "Q3 revenue rose 12%", C "Q3 net income rose 12%"', "= 0.40")
    found = composite("Q3 net income rose 12%", "Q3 revenue rose 12%", "net income rose 12%")
    assert found == pytest.approx(0.40, abs=0.005)
