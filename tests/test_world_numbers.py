"""Numbers of the world: the notations and languages that reports are written in."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finllm.numbers import extract_quantities, foreign, notations
from finllm.numbers.foreign import has_comma_decimals
from finllm.numbers.spelled import MAY_BEGIN, WORDS
from finllm.numbers.unit_first import unit_edits
from finllm.numbers.vocabulary import (
    FOLDER,
    apart,
    language_of,
    languages,
    magnitudes_behind,
    word_edits,
)

HERE = Path(__file__).parent
CASES = [json.loads(line) for line in (HERE / "world_cases.jsonl").read_text("utf-8").splitlines()]
# share of labelled sentences; 0.87, 0.82, 0.88, 0.95 and 0.98 were right at first reading
AT_LEAST = 0.95
MENTIONS = tuple(f"world_mentions{n}.tsv" for n in ("", "_2", "_3", "_4", "_5"))


def stated(text, language=""):
    found = []
    for q in extract_quantities(text, language):
        values = (q.unit,) if q.kind == "period" else (q.value,)
        found.append((q.kind, *(values if q.low is None else (q.low, q.high))))
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"])
def test_the_cases_are_read_as_labelled(case):
    wanted = case["quantities"]
    found = extract_quantities(case["text"])
    assert [q.kind for q in found] == [kind for kind, _, _ in wanted]
    for q, (kind, value, unit) in zip(found, wanted, strict=True):
        if kind == "period":
            assert q.unit in (unit, "2024M9")
        elif unit.startswith("W, or"):
            assert (q.value, q.unit) == (12.5, "GW")
        else:
            assert ([q.low, q.high] if isinstance(value, list) else q.value) == value
            assert unit in (q.unit, q.per, f"per {q.per}")


def mentions(file):
    """Language, text and labels of the labelled sentences."""
    for line in (HERE / file).read_text("utf-8").splitlines():
        if line.startswith(("#", "language\t")):
            continue
        language, text, labels = line.split("\t")
        wanted = []
        for label in filter(None, labels.split("; ")):
            kind, value, *unit = label.split(" ")
            read = (value,) if kind == "period" else tuple(map(float, value.split("..")))
            wanted.append(((kind, *read), unit))
        yield language, text, wanted


def is_right(language, text, wanted):
    found = stated(text, language)
    if [one[0] for one in found] != [one[0] for one, _ in wanted]:
        return False
    for one, (other, _) in zip(found, wanted, strict=True):
        if one[0] == "period" and one != other:
            return False
        if one[0] != "period" and one[1:] != pytest.approx(other[1:], rel=1e-9):
            return False
    units = [q.unit for q in extract_quantities(text, language)]
    return all(unit in ([], [own]) for own, (_, unit) in zip(units, wanted, strict=True))


@pytest.mark.parametrize("file", MENTIONS)
def test_at_least_95_of_100_labelled_sentences_stay_right(file):
    rows = list(mentions(file))
    assert len(rows) >= 100
    wrong = [text for language, text, wanted in rows if not is_right(language, text, wanted)]
    assert len(wrong) <= (1 - AT_LEAST) * len(rows), wrong


@pytest.mark.parametrize("language", ["", "de", "fr", "es", "pt"])
def test_no_language_is_far_behind(language):
    rows = [row for file in MENTIONS for row in mentions(file) if row[0] == language]
    assert sum(is_right(*row) for row in rows) >= 0.9 * len(rows)


@pytest.mark.parametrize(
    ("text", "language", "values"),
    [
        ("1.234 of 1.200.000 €", "", [1234, 1.2e6]),  # the document's other number decides
        ("1.234 of 1,200,000", "", [1.234, 1.2e6]),
        ("1.234 stores", "de", [1234]),
        ("1.234 stores", "", [1.234]),
        ("1,234 stores", "de", [1.234]),
        ("1,234 stores", "en", [1234]),
        ("1,234 Filialen, 5.5 % und 1.5 Mio.", "de", [1234, 5.5, 1.5e6]),  # an English document
    ],
)
def test_a_number_that_reads_both_ways_is_settled_by_the_document_then_the_language(
    text, language, values
):
    assert [q.value for q in extract_quantities(text, language)] == values


def test_the_convention_needs_a_sure_number_where_no_language_is_known():
    assert not has_comma_decimals("items 1,2 and 3,4", "")
    assert has_comma_decimals("3,4 %", "")
    assert has_comma_decimals("1.234", "de")
    assert not has_comma_decimals("1.5 and 2.5", "de")


def test_a_mention_of_another_notation_stands_where_it_was_written():
    text = "Der Umsatz betrug 1,2 Mrd. €, der Verlust 3,4 Mio. €."
    spans = [text[q.start : q.end] for q in extract_quantities(text, "de")]
    assert spans == ["1,2 Mrd. €", "3,4 Mio. €"]


@pytest.mark.parametrize("code", languages())
def test_every_language_file_is_read_whole(code):
    known = language_of(code)
    assert known.decimal == ","
    for words in known.english:
        assert words == words.lower()
        text = f" {words.replace('{n}', '12')} , 2025 "  # with a year, "T1" is a quarter
        assert word_edits(text, code), words


def test_an_unknown_language_is_an_error_that_names_the_file_and_the_known_ones():
    with pytest.raises(
        ValueError, match=r"'xx' \(.*xx\.tsv is missing\); available: en, de, es, fr, pt"
    ):
        extract_quantities("5 %", "xx")


def test_a_bad_line_of_a_language_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "zz.tsv").write_text("form\twords\npercent\n", encoding="utf-8")
    monkeypatch.setattr("finllm.numbers.vocabulary.FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"zz\.tsv, line 2: 'percent'"):
        language_of("zz")
    language_of.cache_clear()


def test_a_language_is_added_by_a_file(tmp_path, monkeypatch):
    for path in FOLDER.glob("*.tsv"):
        (tmp_path / path.name).write_text(path.read_text("utf-8"), encoding="utf-8")
    rows = "form\twords\ndecimal\t,\nbillion\tmiliardi di\tx".replace("\tx", "")
    (tmp_path / "it.tsv").write_text(f"{rows}\nloss\tperdita\nof\tdi\n", encoding="utf-8")
    monkeypatch.setattr("finllm.numbers.vocabulary.FOLDER", tmp_path)
    language_of.cache_clear()
    assert [q.value for q in extract_quantities("perdita di 1,2 miliardi di euro", "it")] == [
        -1.2e9
    ]
    language_of.cache_clear()


KINDS = [
    row
    for file in ("world_kinds.tsv", "world_references.tsv", "world_mixed.tsv", "world_spelled.tsv")
    for row in mentions(file)
]


@pytest.mark.parametrize(("language", "text", "wanted"), KINDS, ids=[text for _, text, _ in KINDS])
def test_sentences_of_each_kind_are_read_whole(language, text, wanted):
    assert is_right(language, text, wanted), stated(text, language)


@pytest.mark.parametrize("n", ["", "_2", "_3", "_4"])
def test_sentences_that_state_no_quantity_are_left_alone(n):
    rows = list(mentions(f"world_nonquantities{n}.tsv"))
    assert len(rows) >= 60
    wrong = [(text, found) for code, text, _ in rows if (found := stated(text, code))]
    assert len(wrong) <= 0.05 * len(rows), wrong


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("EPS of EUR 3.45 (3.12)", [3.45, 3.12]),
        ("Net sales: SEK 1,234 m (1,180)", [1.234e9, 1.18e9]),
        ("EBIT was SEK 345 million (-12).", [3.45e8, -1.2e7]),
        ("The loss was SEK 3.4 million (2.1).", [-3.4e6, -2.1e6]),
        ("The margin was 45.2% (44.8%).", [45.2, 44.8]),
        ("Operating income (3.12)", [-3.12]),
        ("Operating income | 12.4 | (3.1)", [12.4, -3.1]),  # a table's parentheses are a loss
        ("Operating income $ 12.4 (3.1)", [12.4, -3.1]),
        ("Margin 12.4% (3.1)%", [12.4, -3.1]),
        ("Net loss was $(14.2) million.", [-1.42e7]),
        ("EBIT was EUR 12.4 million (3).", [1.24e7]),  # a note's number
    ],
)
def test_last_years_figure_in_parentheses_is_no_loss_in_a_sentence(text, values):
    assert [q.value for q in extract_quantities(text)] == values


@pytest.mark.parametrize(
    ("text", "language", "kinds"),
    [
        ("We rent 1.8 million sq ft at $72.", "", ["count", "money"]),
        ("We take a two-fold approach.", "", []),
        ("Sales rose two-fold.", "", ["multiple"]),
        ("The increase was two-fold.", "", ["multiple"]),
        ("The Annexes cost 1,200 euros and 3 figures were sold.", "", ["money", "count"]),
        ("The number of patents: 12,000 and 15 stores.", "", ["count", "count"]),
        ("Deliveries in H2 were weak, H2-weighted as ever.", "", ["period", "period"]),
        ("Unsere 3 Anlagen haben 500 MW, siehe Anlage 3.", "de", ["count", "count"]),
        ("The loan matures in 12-to-18 months at 3-to-1 leverage.", "", ["count", "multiple"]),
        ("A 4-in-1 test under 28 U.S.C. and Regulation (EU) 2016/679.", "", []),
        ("We lease a 28-story tower at Dock 72, Track 9 and Exit 14.", "", ["count"]),
        ("Nos 14 bureaux et 3 étages, au niveau 3.", "fr", ["count", "count"]),
        ("Tenemos 9 pisos y 12 plantas, en el piso 9.", "es", ["count", "count"]),
    ],
)  # fmt: skip
def test_what_looks_like_a_reference_but_counts_is_kept(text, language, kinds):
    assert [q.kind for q in extract_quantities(text, language)] == kinds


@pytest.mark.parametrize(
    ("text", "per"),
    [
        ("Revenue per available room was $85.20.", "room"),
        ("We made $85.20 per available room.", "room"),
        ("Revenue per occupied room of $102", "room"),
        ("Revenue per available room rose, and revenue was $102", ""),
    ],
)
def test_an_amount_per_room_keeps_what_it_is_per(text, per):
    assert [q.per for q in extract_quantities(text)] == [per]


@pytest.mark.parametrize("code", languages())
def test_every_word_of_a_spelled_out_number_is_read_by_itself(code):
    for word, value in language_of(code).numerals.items():
        if value > 1:
            assert extract_quantities(f"{word} %", code)[0].value == value


def test_a_row_of_numerals_that_names_no_number_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "zz.tsv").write_text("numeral ten\tzehn\n", encoding="utf-8")
    monkeypatch.setattr("finllm.numbers.vocabulary.FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"zz\.tsv, line 1: 'numeral ten' must name a number"):
        language_of("zz")
    language_of.cache_clear()


def test_the_words_before_a_number_are_of_the_languages_file(tmp_path, monkeypatch):
    """A user adds a language's dates, times, laws and streets by a file, not by code."""
    rows = (
        "form\twords\ndecimal\t,\nof\tdi\nMay\tmaggio\nsection\tarticolo\nStreet of\tvia\n"
        "at {n} o'clock\talle {n}\n{n} times\t{n} volte\n"
    )
    (tmp_path / "it.tsv").write_text(rows, encoding="utf-8")
    monkeypatch.setattr("finllm.numbers.vocabulary.FOLDER", tmp_path)
    language_of.cache_clear()
    text = "Il 5 maggio 2025 alle 15, articolo 17, Via Roma, 12, 2,5 volte tanto."
    assert [(q.kind, q.value) for q in extract_quantities(text, "it")] == [("multiple", 2.5)]
    language_of.cache_clear()


def test_the_quick_look_at_first_letters_leaves_no_word_out():
    quick = WORDS[0]
    assert quick.pattern.count(MAY_BEGIN) == 1
    whole = re.compile(quick.pattern.replace(MAY_BEGIN, ""))
    words = sorted(set(re.findall(r"[a-z]+|[1-4](?:[a-z]{2})?|[qh][1-4]|y/y|y-o-y", whole.pattern)))
    words += ["q1", "h2", "fy", "fy21", "y/y", "q/q", "y-o-y", "1st", "2nd", "3rd", "4th"]
    text = " ".join(f"{first} {second}" for first in words for second in words)
    found, wanted = ([m.span() for m in p.finditer(text)] for p in (quick, whole))
    assert len(wanted) > 1000 and found == wanted


PARTS = (
    "1 12 2024 23 000 816 9M 6m , . / - ' Mio. mrd bi million FY c x2 ( ) $ % per".split(),
    (" ", "\n", "\u2013", "\u20ac"),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from([*PARTS[0], *PARTS[1]]), min_size=2, max_size=9))
def test_the_pass_that_says_which_notations_a_text_can_have_misses_none(parts):
    text = "\n" + "".join(parts) + "\n"
    pattern, table = magnitudes_behind()
    every = [
        *notations.amount_edits(text),
        *unit_edits(text),
        *foreign._digit_edits(text, ""),
        *notations.cent_edits(text),
        *notations.period_edits(text),
        *((m.start(1), m.end(1), table[m[1].lower()]) for m in pattern.finditer(text)),
    ]
    assert foreign.notation_edits(text, "") == apart(every)


@pytest.mark.parametrize(
    ("text", "language", "values"),
    [
        ("We expect to permit 15 wells this year", "", [15]),
        ("We currently license 12 compounds to partners", "", [12]),
        ("We renewed a permit 20 years ago", "", [20]),
        ("We hold the licence 15 more years", "", [15]),
        ("Production of tin 25,000 tonnes rose", "", [25000]),
        ("The final price per ticket 45", "", [45]),
        ("por valor 350 unidades", "es", [350]),
        ("These patents give us 12 years of exclusivity", "", [12]),
        ("Derzeit arbeiten im Werk 1.200 Mitarbeiter", "de", [1200]),
        ("im Haus 500 Mitarbeiter", "de", [500]),
        ("In der Halle 300 Mitarbeiter", "de", [300]),
        ("Die Absätze 40.000 Tonnen höher", "de", [40000]),
        ("En la planta 300 empleados", "es", [300]),
        ("En la sala 40 personas", "es", [40]),
        ("Dans le bureau 40 personnes travaillent", "fr", [40]),
        ("Sur la ligne 300 salariés", "fr", [300]),
        ("Na linha 300 funcionários", "pt", [300]),
        ("Na plataforma 300 clientes", "pt", [300]),
        ("do quadro 300 funcionários", "pt", [300]),
        ("At the gate 250 people work", "", [250]),
        ("rail and bus 12 vehicles", "", [12]),
        ("net loss of $12.5 million (15.2)", "", [-12500000.0, -15200000.0]),
        ("Gross margin | 52.1% (3.4)", "", [52.1, -3.4]),
        ("Operating margin 12.3% (11.8)", "", [12.3, 11.8]),
        ("Production is threefold what it was", "", [3]),
        ("an order book that is fourfold the level of 2019", "", [4, 2019]),
        ("two-fold last year's", "", [2]),
        ("demand was fivefold supply", "", [5]),
        ("Our H2 pipeline of deals is 40 million dollars", "", [0, 40000000.0]),
        ("In H2 engines grew 5%", "", [0, 5]),
        ("clean H2 results", "", [0]),
        ("a pure H2 effect", "", [0]),
        ("Headcount 40 is down.", "", [40]),
        ("Stores 40 is the target.", "", [40]),
        ("We plan to release 1 rig and 3 to 5 new products.", "", [1, 4]),
        ("We turned in line five Marcellus wells.", "", [5]),
        ("We run a 30-second spot with a group of eight banks.", "", [30, 8]),
        ("The combined ratio was at an 85 for the quarter.", "", [85]),
        ("At a cost per unit 12, we order 300 in May.", "", [12, 300]),
        ("Last year 45 of our stores opened; of the year 300 remain.", "", [45, 300]),
        ("Many firms may track 2 or 3 service metrics.", "", [2, 3]),
        ("See slide 5, 2019 was good.", "", [2019]),
        ("We see two sides, and my view: two cents.", "", [2, 0.02]),
        ("A standard 5G 600 megahertz band.", "", [600]),
        ("SAR100000 was paid, and EUR 450,000.", "", [1e5, 4.5e5]),
    ],
)
def test_what_stands_behind_a_naming_word_and_counts_is_kept(text, language, values):
    assert [q.value for q in extract_quantities(text, language)] == values
