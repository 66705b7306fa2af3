import shutil

import pytest

from finllm.corpus import cues, turns
from finllm.corpus.cleaning import clean_transcript
from finllm.corpus.description import describe_source
from finllm.corpus.quality import judge, measure
from finllm.corpus.sources import read_source
from finllm.instruct.windows import is_guidance, sentences
from finllm.languages import files
from finllm.languages.cues import CUES, cue_patterns
from finllm.languages.detection import detect_language, said_in, spoken_in
from finllm.languages.files import FOLDER, check_language, expand, known_languages
from finllm.languages.lexicon import BUILTIN, read_terms
from finllm.languages.lexicons import Lexicons
from finllm.languages.terms import read_language_terms
from finllm.languages.wording import CLASSES, ENGLISH_WORDING, wording, wording_rows
from finllm.records import Reject, Transcript, Turn
from finllm.scoring.coherence import coherence
from finllm.scoring.domain import number_accuracy, term_recall
from finllm.scoring.reading import read
from finllm.scoring.statements import statements

FOREIGN = known_languages()[1:]
ALLOWED = ", ".join(known_languages())
OPENING = {
    "en": "Good morning. Revenue for the third quarter rose by five percent, and the gross margin "
    "improved as well. We expect higher earnings per share for the full year.",
    "de": "Guten Morgen. Der Umsatz im dritten Quartal stieg um fünf Prozent, und auch die "
    "Bruttomarge verbesserte sich. Wir erwarten ein höheres Ergebnis je Aktie im Gesamtjahr.",
    "fr": "Bonjour à tous. Le chiffre d'affaires du troisième trimestre a augmenté de cinq pour "
    "cent, et la marge brute s'est améliorée. Nous prévoyons un bénéfice par action plus élevé.",
    "es": "Buenos días. Los ingresos del tercer trimestre subieron un cinco por ciento y el margen "
    "bruto también mejoró. Esperamos un beneficio por acción mayor para todo el ejercicio.",
}


def call(text, language="", **rest):
    turn = Turn("Anna Berg", "executive", "prepared", text)
    return Transcript("a", "A", "2021Q3", "", "s", (turn,), None, language=language, **rest)


def test_the_languages_are_english_and_the_folders():
    assert known_languages()[0] == "en" and {"de", "es", "fr"} < set(known_languages())


@pytest.mark.parametrize("code", FOREIGN)
def test_every_language_has_canonical_terms_of_the_english_lexicon_only(code):
    english = {term.canonical: term.category for term in read_terms(BUILTIN)}
    terms = read_language_terms(FOLDER / code / "lexicon.tsv")
    assert len(terms) > 100
    assert {t.canonical: t.category for t in terms}.items() <= english.items()


@pytest.mark.parametrize("code", FOREIGN)
def test_every_language_has_canonical_tokens_of_the_english_wording_and_each_class(code):
    known = {(kind, token) for kind, token, _ in wording_rows(ENGLISH_WORDING)}
    known |= {("period", "may"), ("word", "yoy"), ("word", "qoq")}
    rows = wording_rows(FOLDER / code / "wording.tsv")
    assert {(kind, token) for kind, token, _ in rows if token} <= known
    assert {kind for kind, _, _ in rows} == set(CLASSES) - {"item"}
    assert sum(kind == "period" for kind, _, _ in rows) == 12


@pytest.mark.parametrize("code", FOREIGN)
def test_every_language_has_a_pattern_for_each_cue(code):
    assert all(cue_patterns(FOLDER / code / "cues.tsv")[cue] for cue in CUES)


@pytest.mark.parametrize("code", FOREIGN)
def test_up_is_not_down_in_any_language(code):
    ways = {"up": set(), "down": set(), "flat": set()}
    for kind, token, forms in wording_rows(FOLDER / code / "wording.tsv"):
        if kind == "direction":
            ways[token] |= set(forms)
    assert not ways["up"] & ways["down"] and not ways["flat"] & (ways["up"] | ways["down"])


def test_braces_write_out_inflection():
    assert list(expand("{,netto}umsatz{,es}")) == [
        "umsatz", "umsatzes", "nettoumsatz", "nettoumsatzes",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "text", "terms"),
    [
        ("de", "Konzernumsatz und bereinigtes EBITDA stiegen", {"revenue", "adjusted EBITDA"}),
        ("de", "ein Verlust je Aktie und freier Cashflow", {"loss per share", "free cash flow"}),
        ("fr", "le chiffre d'affaires et la marge brute", {"revenue", "gross margin"}),
        ("fr", "un résultat net par action", {"earnings per share"}),
        ("es", "los ingresos y el beneficio neto", {"revenue", "net income"}),
        ("es", "el flujo de caja libre y los dividendos", {"free cash flow", "dividend"}),
    ],
)
def test_terms_have_the_english_names(code, text, terms):
    assert set(Lexicons("").of(code).canonical_terms(text)) == terms


def test_an_english_summary_is_scored_against_a_german_one():
    said, wanted = "q3 revenue rose, gross margin up", "Umsatz und Bruttomarge stiegen"
    assert term_recall(said, wanted, Lexicons("")) == 1.0
    assert term_recall("q3 net loss", wanted, Lexicons("")) == 0.0


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Der Umsatz stieg deutlich", ["revenue", "up", "deutlich"]),
        ("Die Bruttomarge ging zurück", ["gross margin", "down"]),
        ("Le chiffre d'affaires a reculé", ["revenue", "down"]),
        ("Los ingresos se mantuvieron estables", ["revenue", "flat", "flat"]),
        ("Das bereinigte Ergebnis je Aktie sank", ["adjusted", "earnings per share", "down"]),
    ],
)
def test_a_text_is_read_in_its_own_language(text, tokens):
    assert [token.text for token in read(text)] == tokens


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Der Umsatz stieg gegenüber dem Vorjahr um 5,3 Prozent.", ("revenue", "up", 5.3)),
        ("Der Gewinn je Aktie sank auf 0,45 US-Dollar.", ("earnings per share", "down", 0.45)),
        ("Das operative Ergebnis betrug 1,24 Mrd. USD.", ("operating income", "", 1.24e9)),
        ("Le chiffre d'affaires a augmenté de 5,3 %.", ("revenue", "up", 5.3)),
        ("Los ingresos subieron un 5,3 %.", ("revenue", "up", 5.3)),
    ],
)
def test_a_statement_in_another_language_has_item_direction_and_value(text, wanted):
    found = [s for s in statements(text) if s.value is not None]
    assert [(s.item, s.direction, s.value.quantity.value) for s in found] == [wanted]


def test_english_bullets_hold_against_a_german_call():
    call = "Der Umsatz stieg um 5 Prozent auf 1,24 Mrd. USD. Der Nettoverlust betrug 12,3 Mio. USD."
    right, wrong = "q3 revenue rose 5% to $1.24 billion", "q3 revenue fell 5% to $1.42 billion"
    assert number_accuracy(right, "", call) == 1.0 > number_accuracy(wrong, "", call)
    assert coherence(right, "", call).supported == 1.0
    assert coherence("q3 revenue fell 5%", "", call).contradicted == 1.0


def test_ordinals_and_abbreviations_end_no_german_sentence():
    text = "Im 3. Quartal stieg der Umsatz auf 1,2 Mrd. Euro. Das freut uns."
    assert sentences(text) == ["Im 3. Quartal stieg der Umsatz auf 1,2 Mrd. Euro.",
                               "Das freut uns."]  # fmt: skip
    ends = [token for token in read(text) if token.kind == "end"]
    assert len(ends) == 1  # between the two sentences
    assert sentences("We sold 3. Quartal is German.") == ["We sold 3.", "Quartal is German."]


@pytest.mark.parametrize("code", OPENING)
def test_guidance_is_heard_in_every_language(code):
    told = sentences(OPENING[code])
    assert is_guidance(told[-1]) and not is_guidance(told[0])


@pytest.mark.parametrize("code", OPENING)
def test_the_language_of_a_call_is_found(code):
    assert detect_language(OPENING[code]) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "en"),
        ("$5 million", "en"),
        ("q3 eps $0.45", "en"),
        ("q3 net income $12.3 million, up 5%", "en"),
        ("Umsatz 1,2 Mrd. €", "de"),
        ("bénéfice par action 1,20 €", "fr"),
        ("ingresos netos 1.200 millones", "es"),
    ],
)
def test_a_line_is_read_by_its_words(text, code):
    assert spoken_in(text) == code
    assert detect_language(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("A receita líquida do 4T24 foi de R$ 9,6 bilhões.", "pt"),
        ("O prejuízo por ação foi de R$ 0,37.", "pt"),
        ("Mais informações na Nota Explicativa 28.", "pt"),
        ("La pérdida operativa ascendió a 7,3 millones de euros.", "es"),
        ("no, as a company we sold 5 units", "en"),
        ("", "en"),
    ],
)  # fmt: skip
def test_a_language_with_a_file_of_its_numbers_alone_is_told_too(text, code):
    assert said_in(text) == code
    assert detect_language(text) == code
    assert spoken_in(text) in known_languages()  # callers read that language's lexicon


def test_of_a_mixed_call_it_is_the_language_with_more_text():
    german = OPENING["de"] * 4
    assert detect_language(f"{OPENING['en']} {german}") == "de"
    assert detect_language(f"{OPENING['en'] * 4} {OPENING['de']}") == "en"


def test_detection_gives_the_same_every_time():
    assert len({detect_language(OPENING["fr"]) for _ in range(5)}) == 1


def cleaned(record):
    return clean_transcript(record, repair_mojibake=True, infer_turns=True, removable=())[0]


def test_cleaning_records_the_language_and_leaves_a_stated_one():
    assert cleaned(call(OPENING["de"])).language == "de"
    assert cleaned(call(OPENING["de"], language="fr")).language == "fr"


def test_a_german_call_is_dense_in_german_terms():
    german = cleaned(call(OPENING["de"] * 10))
    lexicons = Lexicons("")
    found = measure(german, german.text, german.text.split(), lexicon=lexicons.of("de"))
    blind = measure(german, german.text, german.text.split(), lexicon=lexicons.of("en"))
    assert found.term_density > 0.1 > blind.term_density


def test_a_call_without_a_lexicon_is_dropped_with_the_reason():
    text = "Dobry dzień i witamy państwa na naszej konferencji o wynikach spółki. " * 30
    polish = cleaned(call(text))
    assert polish.language == "pl"
    measured = measure(polish, text, text.split(), lexicon=Lexicons("").of("pl"))
    bounds = {"min_words": 10, "max_words": 10_000, "min_term_density": 0.05}
    (reject,) = judge([measured], max_outlier_z=8.0, **bounds).values()
    assert reject.reason == "low_term_density"
    assert "it is in 'pl', for which there is no lexicon" in reject.detail


QUESTIONS = {
    "de": "Wir beginnen mit der Fragerunde. Die erste Frage kommt von Max Stein, Nordbank.",
    "fr": "Nous passons à la séance de questions. La première question vient de Max Stein.",
    "es": "Iniciamos la sesión de preguntas. La primera pregunta viene de Max Stein, del banco.",
}


@pytest.mark.parametrize("code", QUESTIONS)
def test_the_questions_begin_where_an_operator_says_so(code):
    speech = f"{OPENING[code]} " * 2
    said = [
        ("Zentrale", QUESTIONS[code][:0] + OPENING[code][:40]),
        ("Anna Berg", speech),
        ("Zentrale", QUESTIONS[code]),
        ("Max Stein", {"de": "Danke. Könnten Sie die Marge erklären?",
                       "fr": "Merci. Pourriez-vous expliquer la marge ?",
                       "es": "Gracias. ¿Podrían explicar el margen?"}[code]),
        ("Anna Berg", speech),
    ]  # fmt: skip
    found = turns.assign([Turn(name, "unknown", "unknown", text) for name, text in said])
    assert [turn.section for turn in found] == ["prepared"] * 2 + ["qa"] * 3
    roles = {turn.speaker: turn.role for turn in found}
    assert (roles["Anna Berg"], roles["Max Stein"]) == ("executive", "analyst")


def test_english_text_has_no_foreign_cue():
    for text in (OPENING["en"], "Our first question is from the line of Max Stein."):
        assert not any(files_says(cue, text) for cue in CUES)
    assert cues.hands_over("Our first question is from the line of Max Stein.")


def files_says(cue, text):
    from finllm.languages.cues import says

    return says(cue, text)


def source(folder, extra, row='{"id": "a", "body": "Guten Tag"}'):
    folder.mkdir()
    (folder / "a.jsonl").write_text(row + "\n")
    (folder / "source.yaml").write_text(f"format: jsonl\npath: a.jsonl\n{extra}")
    return folder


def test_source_yaml_can_state_the_language(tmp_path):
    folder = source(tmp_path / "mine", "fields: {id: id, text: body}\nlanguage: de\n")
    assert [record.language for record in read_source(folder)] == ["de"]


def test_a_column_can_state_the_language(tmp_path):
    fields = "fields: {id: id, text: body, language: tongue}\n"
    rows = '{"id": "a", "body": "Guten Tag", "tongue": "DE"}\n'
    rows += '{"id": "b", "body": "Hei", "tongue": "fi"}'
    german, finnish = read_source(source(tmp_path / "mine", fields, rows))
    assert german.language == "de"
    assert isinstance(finnish, Reject) and finnish.reason == "unknown_language"
    assert f"'fi'; allowed: {ALLOWED}" in finnish.detail


def test_an_unknown_language_code_is_refused_with_those_that_exist(tmp_path):
    folder = source(tmp_path / "mine", "fields: {id: id, text: body}\nlanguage: german\n")
    with pytest.raises(ValueError, match=f"language is 'german'; allowed: {ALLOWED}"):
        describe_source(folder)
    with pytest.raises(ValueError, match=f"mine is 'xx'; allowed: {ALLOWED}"):
        check_language("xx", "mine")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("umsatz\tumsatz\t", "line 2: 'umsatz' is not a canonical term"),
        ("revenue\tumsatz{,es\t", "line 2: .*every brace closed"),
        ("revenue\t\t", "line 2: 'revenue' has no form"),
        ("revenue\tumsatz\t\tmore", "line 2: .*must have the cells"),
        ("revenue\tumsatz\nrevenue\terlös", "line 3: 'revenue' occurs twice"),
        ("revenue\tumsatz\nsales\tumsatz", "line 3: 'umsatz' belongs to both"),
    ],
)
def test_a_bad_line_of_a_lexicon_names_file_and_line(tmp_path, line, message):
    path = tmp_path / "lexicon.tsv"
    path.write_text(f"canonical\tforms\tcased\n{line}\n")
    with pytest.raises(ValueError, match=rf"lexicon\.tsv, {message}"):
        read_language_terms(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("greeting\thallo", "line 2: cue 'greeting'; allowed: hand_over"),
        ("asks\t(unclosed", r"line 2: pattern '\(unclosed'"),
        ("asks\tx*", "line 2: .*found in an empty text"),
    ],
)
def test_a_bad_line_of_a_cues_file_names_file_and_line(tmp_path, line, message):
    path = tmp_path / "cues.tsv"
    path.write_text(f"cue\tpattern\n{line}\n")
    with pytest.raises(ValueError, match=rf"cues\.tsv, {message}"):
        cue_patterns(path)


def test_a_bad_line_of_a_wording_file_names_file_and_line(tmp_path):
    path = tmp_path / "wording.tsv"
    path.write_text("class\tcanonical\tforms\ndirection\tup\tstieg{,en\n")
    with pytest.raises(ValueError, match=r"wording\.tsv, line 2: .*every brace closed"):
        wording(path)


@pytest.mark.parametrize("content", ["", "wrong\theader\n", "# only a comment\n"])
def test_a_file_without_its_header_is_refused(tmp_path, content):
    path = tmp_path / "lexicon.tsv"
    path.write_text(content)
    with pytest.raises(ValueError, match="must be canonical <tab> forms <tab> cased"):
        read_language_terms(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"lexicon\.tsv: missing"):
        read_language_terms(tmp_path / "lexicon.tsv")


def test_a_language_is_added_by_a_folder_of_files(tmp_path):
    folder = tmp_path / "it"
    folder.mkdir()
    (folder / "lexicon.tsv").write_text("canonical\tforms\tcased\nrevenue\tfatturato|ricavi\t\n")
    (folder / "wording.tsv").write_text("class\tcanonical\tforms\ndirection\tup\tsalit{o,i}\n")
    (folder / "cues.tsv").write_text("cue\tpattern\nasks\t\\bmi chiedevo\\b\n")
    assert files.known_languages(tmp_path) == ("en", "it")
    (term,) = read_language_terms(folder / "lexicon.tsv")
    assert (term.canonical, term.category) == ("revenue", "income")
    assert wording(folder / "wording.tsv") == {
        "salito": ("direction", "up"),
        "saliti": ("direction", "up"),
    }


ADDED = """
import sys
from finllm.languages.detection import detect_language
from finllm.languages.files import known_languages
from finllm.languages.lexicons import Lexicons
from finllm.scoring.reading import read
text = "I ricavi sono saliti"
print(known_languages(), detect_language(text), [t.text for t in read(text)][::2])
print(Lexicons("").of("it").canonical_terms("il fatturato"))
"""


def test_an_added_language_works_throughout(tmp_path):
    import subprocess
    import sys
    from pathlib import Path

    package = tmp_path / "finllm"
    ignored = shutil.ignore_patterns("*pyc", "it", "it.tsv")  # somebody may have added it
    shutil.copytree(Path(files.__file__).parents[1], package, ignore=ignored)
    folder = package / "languages/it"
    folder.mkdir()
    (folder / "lexicon.tsv").write_text("canonical\tforms\tcased\nrevenue\tfatturato|ricavi\t\n")
    rows = "direction\tup\tsalit{o,i}\nfunction\t\ti|il|sono\noutlook\texpect\tprevede\n"
    (folder / "wording.tsv").write_text("class\tcanonical\tforms\n" + rows)
    (folder / "cues.tsv").write_text("cue\tpattern\nasks\t\\bmi chiedevo\\b\n")
    said = subprocess.run(
        [sys.executable, "-c", ADDED], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines() == [
        "('en', 'de', 'es', 'fr', 'it') it ['revenue']",
        "('revenue',)",
    ]
