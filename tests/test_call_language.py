"""A call's figures are read in its language, wherever its text is read; the answers are English."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from conftest import make_call, make_example

from finllm.corpus.notation import standardise_transcript
from finllm.instruct import augment
from finllm.instruct import disturbance as robustness
from finllm.instruct.reference_audit import audit_references
from finllm.numbers import extract_quantities
from finllm.numbers.support import Support, stated_figures, support, trim_summary
from finllm.records import Turn
from finllm.report.marked import SUPPORTED, marked
from finllm.report.passages import QUOTED, passages
from finllm.scoring import baselines, oracle
from finllm.scoring.figures import figures
from finllm.scoring.memorisation import memorisation

GERMAN = (
    "Der Umsatz stieg im dritten Quartal um 12,5 Prozent auf 1.245 Millionen Euro. "
    "Das Ergebnis lag bei 98,4 Millionen Euro nach 1.234 neuen Filialen. "
    "Wir danken allen Mitarbeitern."
)
BULLETS = "Revenue rose 12.5% to EUR 1,245 million.\nNet income EUR 98.4 million."
N_FIGURES = 3


def german_call(summary=BULLETS, language="de"):
    turn = Turn("Anna Beck", "executive", "prepared", GERMAN)
    return replace(make_call(turns=[turn], summary=summary), language=language)


def german_example(**other):
    return make_example(excerpt=GERMAN, answer=BULLETS, **other)


def test_the_figures_of_english_bullets_are_found_in_a_german_call():
    assert support(BULLETS, stated_figures(GERMAN, "de")) == Support(N_FIGURES, N_FIGURES)
    assert support(BULLETS, stated_figures(GERMAN)).n_supported < N_FIGURES, "the language decides"
    call, trimmed, audit = trim_summary(german_call(), min_support=1.0)
    assert call.summary == BULLETS and not trimmed
    assert audit == Support(N_FIGURES, N_FIGURES)


@pytest.mark.parametrize("language", ["ja", "xx", "en", ""])
def test_a_language_without_a_file_of_numbers_is_read_by_english_rules(language):
    text = "Revenue was $1.2 billion, up 5%."
    assert stated_figures(text, language) == stated_figures(text)
    call = replace(make_call(), language=language)
    assert trim_summary(call, min_support=0.5)[1:] == trim_summary(make_call(), min_support=0.5)[1:]


def test_one_notation_changes_no_amount_of_a_german_call():
    call, _ = standardise_transcript(german_call())
    before, after = (
        [(q.kind, q.value, q.unit) for q in extract_quantities(text, "de")]
        for text in (GERMAN, call.text)
    )
    assert before == after and ("money", 1.245e9, "EUR") in before


def test_the_audit_of_references_reads_call_and_excerpt_in_the_calls_language():
    call = german_call()
    example = german_example(transcript_id=call.id)
    (shares,) = audit_references([example], [call]).values()
    assert shares["share_supported"] == shares["recall_ceiling"] == 1.0


def test_no_word_of_a_german_figure_is_misspelt():
    text = GERMAN.replace("Wir danken allen Mitarbeitern.", "")
    slips = robustness.with_typos(text, 1.0, np.random.default_rng(1))
    assert slips.count("Millionen Euro") == 2 and "12,5 Prozent" in slips and slips != text


def test_german_amounts_are_scaled_in_their_own_notation():
    scaled = augment.scale_money(GERMAN, Decimal("0.8"), "de")
    assert "996 Millionen Euro" in scaled and "78,7 Millionen Euro" in scaled
    assert "12,5 Prozent" in scaled and "1.234 neuen Filialen" in scaled
    rngs = map(np.random.default_rng, range(12))
    copies = (augment.perturb(german_example(), ["Acme"], rng) for rng in rngs)
    copy = next(copy for copy in copies if copy is not None)
    assert support(copy.answer, stated_figures(copy.excerpt, "de")).n_supported == N_FIGURES


def test_oracle_baseline_and_memorisation_read_the_excerpt_in_its_language():
    example = german_example()
    assert oracle.number_oracle(example) == GERMAN.removesuffix(" Wir danken allen Mitarbeitern.")
    assert baselines.number_dense_lead(example) == GERMAN
    found = memorisation([example], {example.id: BULLETS}, [example])
    assert (found.n_figures, found.n_not_in_source) == (N_FIGURES, 0)


def test_the_report_marks_what_a_german_excerpt_states():
    assert [p.mark for p in marked(BULLETS, [GERMAN]) if p.mark] == [SUPPORTED] * N_FIGURES
    quoted = [p.text for p in passages(GERMAN, [BULLETS], n_characters=999) if p.mark == QUOTED]
    assert quoted == ["12,5 Prozent", "1.245 Millionen Euro", "98,4 Millionen Euro"]


def test_the_score_reads_capitals_that_say_what_a_german_number_is():
    text = "Der Umsatz lag am 3. Mai 2025 bei TEUR 1.245, das Ergebnis bei 98,4 Millionen Euro."
    said = [figure.text for figure in figures(text) if figure.quantity.kind == "money"]
    assert said == ["money 1.245e+06 EUR", "money 9.84e+07 EUR"]
