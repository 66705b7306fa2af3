from conftest import make_example

from finllm.records import Transcript, Turn
from finllm.scoring import oracle

EXCERPT = (
    "Good morning and welcome. Revenue was $4.2 billion. Margin was 30%, and thanks to everybody. "
    "Our margin rose to 30%. Costs were $9 million."
)


def call(name, text):
    turn = Turn("", "executive", "prepared", text)
    return Transcript(name, "Acme", "2021Q3", "Energy", "sample", (turn,), None)


def test_the_rouge_oracle_takes_sentences_while_rouge_l_gains():
    example = make_example(excerpt=EXCERPT, answer="Revenue was $4.2 billion. Margin rose to 30%.")
    # with both sentences 8 of 9 + 8 tokens agree; a third one only makes the answer longer
    assert oracle.rouge_oracle(example) == "Revenue was $4.2 billion. Our margin rose to 30%."


def test_the_rouge_oracle_is_empty_where_nothing_agrees():
    assert oracle.rouge_oracle(make_example(excerpt="Cash rose.", answer="Debt fell.")) == ""


def test_the_number_oracle_states_each_figure_once_in_the_fewest_words():
    example = make_example(excerpt=EXCERPT, answer="30% margin on $4.2 billion, against 77 stores.")
    assert oracle.number_oracle(example) == "Revenue was $4.2 billion. Our margin rose to 30%."


def test_the_number_oracle_of_a_reference_without_figures_is_the_rouge_oracle():
    example = make_example(excerpt=EXCERPT, answer="Good morning and welcome.")
    assert oracle.number_oracle(example) == "Good morning and welcome."


def test_the_answers_are_by_the_oracles_names():
    found = oracle.oracle_answers([make_example("t")])
    assert tuple(found) == oracle.ORACLES
    assert found["oracle_numbers"] == {"t": "Revenue grew 12% to $4.2 billion."}


def test_the_ceiling_counts_the_figures_of_call_and_excerpt_whatever_the_order():
    calls = [
        call("t1", "Revenue was $4.2 billion. Margin was 30%."),
        call("other", "nothing"),
        call("t0", "Costs were $9 million."),
    ]
    answer = "$4.2 billion, 30%, $8 million and $7 million."
    examples = [
        make_example("a", transcript_id="t1", excerpt="Margin was 30%.", answer=answer),
        make_example("b", transcript_id="t0", excerpt="Costs were $9 million.", answer="none"),
    ]
    (found,) = oracle.number_recall_ceiling(examples, calls).values()
    assert found == {
        "n_figures": 4,
        "share_supported": 0.5,
        "recall_ceiling": 0.25,
        "share_lost_by_cut": 0.25,
    }
