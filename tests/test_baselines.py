from conftest import make_example

from finllm.scoring import baselines


def test_lead_is_the_first_three_sentences():
    excerpt = "Revenue was $1.2 billion. Margin fell. Cash rose. Debt fell."
    assert baselines.lead(make_example(excerpt=excerpt)) == (
        "Revenue was $1.2 billion. Margin fell. Cash rose."
    )


def test_lead_of_a_shorter_excerpt_is_all_of_it():
    assert baselines.lead(make_example(excerpt="Cash rose.")) == "Cash rose."


def test_the_nearest_answer_is_that_of_the_excerpt_with_the_most_shared_words():
    train = [
        make_example("a", excerpt="steel prices rose", answer="steel"),
        make_example("b", excerpt="Patients in the hospital network rose", answer="patients"),
    ]
    asked = make_example("t", excerpt="the hospital network grew")
    assert baselines.nearest_training_answers([asked], train) == {"t": "patients"}
    assert baselines.nearest_training_answers([asked], train[:1]) == {"t": "steel"}


def test_the_nearest_answer_is_of_the_same_template():
    train = [make_example("a", template="questions", excerpt="same words", answer="a question")]
    asked = make_example("t", template="summarization", excerpt="same words")
    assert baselines.nearest_training_answers([asked], train) == {"t": ""}


def test_the_first_of_equals_is_taken():
    train = [make_example(name, excerpt="cash rose", answer=name) for name in ("one", "two")]
    asked = [make_example("t", excerpt="cash"), make_example("u", excerpt="")]
    assert baselines.nearest_training_answers(asked, train) == {"t": "one", "u": "one"}
