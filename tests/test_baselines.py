import numpy as np
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


def test_the_number_dense_lead_is_the_three_sentences_with_most_figures_in_order():
    excerpt = (
        "Welcome. Revenue was $1.2 billion, up 5%. Thanks. Margin was 4%. "
        "We sold $3 million, $4 million and $5 million of three lines."
    )
    assert baselines.number_dense_lead(make_example(excerpt=excerpt)) == (
        "Revenue was $1.2 billion, up 5%. Margin was 4%. "
        "We sold $3 million, $4 million and $5 million of three lines."
    )


def test_the_number_dense_lead_without_figures_is_the_lead():
    example = make_example(excerpt="Margin fell. Cash rose. Debt fell. Thanks.")
    assert baselines.number_dense_lead(example) == baselines.lead(example)


def test_a_random_answer_is_of_the_template_and_the_same_for_the_same_seed():
    train = [make_example(f"a{i}", answer=f"summary {i}") for i in range(5)]
    train.append(make_example("q", template="questions", answer="a question"))
    asked = [make_example(f"t{i}") for i in range(200)]

    def drawn(seed):
        rng = np.random.default_rng(seed)
        return baselines.random_training_answers(asked, train, rng=rng)

    assert set(drawn(1).values()) == {f"summary {i}" for i in range(5)}
    assert drawn(1) == drawn(1) != drawn(2)
    other = make_example("u", template="completion")
    rng = np.random.default_rng(1)
    assert baselines.random_training_answers([other], train, rng=rng) == {"u": ""}


def test_the_nearest_of_the_company_falls_back_on_the_nearest_and_is_absent_without_any():
    train = [
        make_example("a", company="Acme", excerpt="steel", answer="own"),
        make_example("b", company="Breskara", excerpt="cash rose again", answer="alike"),
    ]
    asked = [
        make_example("t", company="Acme", excerpt="cash rose again"),
        make_example("u", company="Calder", excerpt="cash rose"),
    ]
    found = baselines.baseline_answers(asked, train, rng=np.random.default_rng(0))
    assert tuple(found) == baselines.BASELINES
    assert found["nearest"] == {"t": "alike", "u": "alike"}
    assert found["nearest_company"] == {"t": "own", "u": "alike"}
    found = baselines.baseline_answers(asked[1:], train, rng=np.random.default_rng(0))
    assert "nearest_company" not in found
