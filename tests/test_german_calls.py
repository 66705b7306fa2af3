import hashlib
import re
from decimal import Decimal

import numpy as np
import pytest

from finllm.fiction import german
from finllm.fiction.german_call import vocabulary
from finllm.fiction.industries import SECTORS
from finllm.fiction.synthetic import held_out, iter_calls
from finllm.languages.detection import detect_language, spoken_in
from finllm.languages.lexicons import Lexicons
from finllm.records import to_json

ENGLISH_SHA256 = "20e2f10023fc0b317c1267225a92890ab602027f26d8a6e7f61d1966a0ee1e38"
SCALES = {"milliarden": 9, "mrd.": 9, "millionen": 6, "mio.": 6, "cent": -2}
ONE = r"(\d{1,3}(?:\.\d{3})+|\d+)(?:,(\d+))?"
UNIT = r"(?: (milliarden|mrd\.|millionen|mio\.|cent))?"
BULLET = re.compile(r"(\d[\d,]*(?:\.\d+)?)(?: (million|billion|cents))?")


def write(language="de", seed=7, n_companies=40, n_calls=150, **extra):
    rng = np.random.default_rng(seed)
    knobs = {"n_companies": n_companies, "n_calls": n_calls, "first_year": 2019}
    return list(iter_calls(**knobs, rng=rng, language=language, **extra))


@pytest.fixture(scope="module")
def pairs():
    odd = {"n_short": 2, "n_offtopic": 2, "n_duplicates": 2}
    return list(zip(write("en", **odd), write("de", **odd), strict=True))


def text_of(call):
    return "\n".join(turn.text for turn in call.turns)


def german_values(text):
    """Every number of a German text, at its magnitude; both ends of a range have the same."""
    found = set()
    for match in re.finditer(rf"(?<![\d.,]){ONE}(?: (?:bis|und) {ONE})?{UNIT}", text.lower()):
        for whole, part in (match.group(1, 2), match.group(3, 4)):
            if whole:
                value = Decimal(f"{whole.replace('.', '')}.{part or 0}")
                found.add(float(value.scaleb(SCALES.get(match[5], 0))))
    return found


def bullet_values(summary):
    """Every number of the English bullets, without quarters."""
    for match in BULLET.finditer(re.sub(r"\bq[1-4]\b", " ", summary.lower())):
        scale = {"million": 6, "billion": 9, "cents": -2}.get(match[2], 0)
        yield float(Decimal(match[1].rstrip(",").replace(",", "")).scaleb(scale))


def test_the_english_calls_are_what_they_were_to_the_byte():
    digest = hashlib.sha256()
    for call in write("en", n_short=2, n_offtopic=2, n_duplicates=2):
        digest.update(to_json(call).encode())
    assert digest.hexdigest() == ENGLISH_SHA256


def test_a_german_call_has_the_same_company_period_and_bullets(pairs):
    for english, german_call in pairs:
        assert german_call.id == english.id and german_call.summary == english.summary
        assert german_call.company == english.company and german_call.period == english.period
        assert text_of(german_call) != text_of(english)


def test_every_figure_of_the_bullets_is_stated_in_the_german_call(pairs):
    n_figures = 0
    for english, german_call in pairs:
        if not german_call.summary or german_call.id.endswith("_rev"):
            continue
        stated = german_values(text_of(german_call))
        for value in bullet_values(english.summary):
            n_figures += 1
            assert any(abs(value - other) <= 1e-9 * abs(value) for other in stated), (
                german_call.id, value, english.summary,
            )  # fmt: skip
    assert n_figures > 800


def test_every_german_call_is_found_to_be_german_and_dense_in_terms(pairs):
    lexicon = Lexicons("").of("de")
    for _, call in pairs:
        assert detect_language(text_of(call)) == "de"
        if call.summary:
            assert lexicon.density(text_of(call)) > 0.03


def test_a_german_call_has_remarks_questions_and_several_speakers(pairs):
    for _, call in pairs:
        if call.summary and not call.id.endswith("_rev"):
            assert len({turn.speaker for turn in call.turns}) >= 6
            assert [turn.section for turn in call.turns] == sorted(
                turn.section for turn in call.turns
            )
            assert {turn.role for turn in call.turns} == {"operator", "executive", "analyst"}
            assert 400 < len(text_of(call).split()) < 1800


def test_german_calls_vary(pairs):
    texts = [text_of(call) for _, call in pairs if call.summary]
    assert len({text.split(". ")[0] for text in texts}) > 100
    assert {"Milliarden US-Dollar", "Mrd. US-Dollar", "Mrd. USD"} <= {
        unit for text in texts for unit in ("Milliarden US-Dollar", "Mrd. US-Dollar", "Mrd. USD")
        if unit in text
    }  # fmt: skip
    assert any(" %" in text for text in texts) and any(" Prozent" in text for text in texts)


def test_german_calls_have_losses_and_no_english_and_no_empty_slot(pairs):
    texts = [text_of(call) for _, call in pairs if call.summary]
    assert sum("Nettoverlust" in text for text in texts) > 10
    for text in texts:
        assert not re.search(r"[{}\[\]|]|  | ,|\bthe\b|\bquarter\b|\bpercent\b", text)


def test_the_same_seed_gives_the_same_german_bytes():
    one, two = (write(seed=3, n_companies=9, n_calls=20) for _ in range(2))
    assert [to_json(call) for call in one] == [to_json(call) for call in two]


def test_every_sector_has_german_words_for_each_segment_and_indicator():
    own = vocabulary()["sectors"]
    assert set(own) == {sector.name for sector in SECTORS}
    for sector in SECTORS:
        assert set(own[sector.name]["segments"]) == set(sector.segments)
        assert len(own[sector.name]["kpis"]) == len(sector.kpis)


def test_every_german_phrase_is_german():
    for name, text in vocabulary()["phrases"].items():
        words = re.sub(r"[\[\]|*]|\{\w+\}", " ", text)
        assert spoken_in(words) == "de", name


def test_held_out_calls_are_proper_calls_of_the_sectors():
    calls = write("de", n_short=2, n_offtopic=2, n_duplicates=2)
    found = list(held_out(calls, sectors=("energy",)))
    assert {call.sector for call in found} == {"energy"}
    assert all(call.summary and not call.id.endswith("_rev") for call in found)
    assert len(list(held_out(calls, sectors=()))) == 150


@pytest.mark.parametrize(
    ("english", "wanted"),
    [
        ("$40,000", "40.000 US-Dollar"),
        ("$452.2 million", "452,2 Mio. US-Dollar"),
        ("$1.24 billion", "1,24 Mrd. US-Dollar"),
        ("$446 million to $458 million", "446 bis 458 Mio. US-Dollar"),
        ("between $1.80 billion and $1.85 billion", "1,80 bis 1,85 Mrd. US-Dollar"),
        ("114 basis points", "114 Basispunkte"),
        ("5,200", "5.200"),
        ("1.21 million", "1,21 Millionen"),
        ("12%", "12 Prozent"),
    ],
)
def test_figures_are_written_the_german_way(english, wanted):
    assert german.figure(english, german.WRITTEN[1], " Prozent") == wanted


def test_another_language_than_the_two_is_refused():
    with pytest.raises(ValueError, match="language 'fr'; the calls can be in en, de"):
        write("fr", n_companies=8, n_calls=8)
