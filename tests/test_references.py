import pytest
from conftest import make_call

from finllm.instruct import references
from finllm.languages.lexicon import BUILTIN, Lexicon
from finllm.numbers import extract_quantities
from finllm.records import Turn


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon(BUILTIN)


@pytest.mark.parametrize(
    ("sentence", "term", "figure", "direction"),
    [
        ("Net revenue rose to $4.2 billion.", "revenue", "$4.2 billion", "up"),
        ("Gross margin declined 50 basis points.", "gross margin", "50 basis points", "down"),
        ("Free cash flow was $220 million.", "free cash flow", "$220 million", ""),
    ],
)
def test_a_key_figure_is_a_term_its_figure_and_where_it_went(
    lexicon, sentence, term, figure, direction
):
    found = references.key_figure(sentence, lexicon)
    assert term in found.term.lower()
    assert (found.figure, found.direction) == (figure, direction)


@pytest.mark.parametrize(
    "sentence",
    [
        "We opened 12 plants in 2021.",  # counts and years are no results
        "In total $5 million, said about nothing.",
        "Revenue was strong.",
        "",
    ],
)
def test_a_sentence_without_a_term_before_a_figure_gives_none(lexicon, sentence):
    assert references.key_figure(sentence, lexicon) is None


def test_a_direction_that_is_said_both_ways_is_left_out():
    sentence = "Revenue rose while costs fell 5%."
    (quantity,) = extract_quantities(sentence)
    assert references.direction(sentence, quantity) == ""


def test_an_analysis_repeats_the_excerpt_and_invents_no_figure(lexicon):
    sentences = [
        "Revenue rose 12% to $4.2 billion.",
        "Operating margin fell 50 basis points.",
        "We expect revenue of $17 billion for the full year.",
    ]
    answer = references.analysis(sentences, lexicon)
    lines = answer.split("\n")
    assert [line.split(":")[0] for line in lines] == ["Key figures", "Themes", "Outlook", "Tone"]
    said = {(q.kind, q.value) for q in extract_quantities(" ".join(sentences))}
    assert {(q.kind, q.value) for q in extract_quantities(answer)} <= said
    assert "$17 billion" in lines[2] and "$17 billion" not in lines[0]


@pytest.mark.parametrize(
    ("sentence", "tone"),
    [
        ("Revenue rose 5%.", "positive"),
        ("Revenue fell 5%.", "negative"),
        ("Revenue rose 5% and profit fell 3%.", "mixed"),
        ("Revenue was $5 million.", "mixed"),
    ],
)
def test_the_tone_is_the_balance_of_words_for_up_and_down(lexicon, sentence, tone):
    assert references.analysis([sentence], lexicon).endswith(f"Tone: {tone}.")


def test_an_excerpt_without_a_key_figure_gives_no_analysis(lexicon):
    assert references.analysis(["Good morning.", "Revenue was fine."], lexicon) == ""


def test_a_question_is_what_an_analyst_asked_word_for_word():
    (question,) = references.analyst_questions(make_call())
    assert question == (
        "Could you tell us what drove the decline in operating margin this quarter?"
    )


@pytest.mark.parametrize(
    ("role", "section", "text"),
    [
        ("executive", "qa", "What a question is that, do you not think so too?"),
        ("analyst", "prepared", "What a question is that, do you not think so too?"),
        ("analyst", "qa", "And you?"),
        ("analyst", "qa", "Congratulations on a really very good and strong quarter, guys."),
    ],
)
def test_what_is_no_analysts_full_question_is_left_out(role, section, text):
    assert references.analyst_questions(make_call(turns=[Turn("X", role, section, text)])) == []


def test_a_decimal_point_does_not_cut_a_question():
    text = "How should we think about the 4.5% growth that you guided to for next year?"
    call = make_call(turns=[Turn("X", "analyst", "qa", text)])
    assert references.analyst_questions(call) == [text]
