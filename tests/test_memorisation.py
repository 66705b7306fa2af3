import pytest
from conftest import make_example

from finllm.scoring.memorisation import Memorisation, memorisation

TRAIN = [
    make_example("a", company="Acme", answer="Revenue was $5 million, up 7%."),
    make_example("b", company="Breskara", template="questions", answer="$5 million? $6 million?"),
    make_example("c", company="Breskara", template="completion", answer="It was $8 million."),
]
EXCERPT = "Revenue was $1 million."


def test_figures_of_training_answers_count_where_the_excerpt_has_them_not():
    asked = make_example("t", company="Calder", excerpt=EXCERPT)
    text = "Revenue was $1 million, after $5 million, $6 million, 7% and $99 million."
    # not in the excerpt: 5, 6, 7 % and 99; of the template: 5 and 7 %. The others' figures are
    # 5, 6 and 8 million, of which as many as the template's two hold 5 and 6 with chance 2/3 each.
    found = memorisation([asked], {"t": text}, TRAIN)
    assert found == Memorisation(5, 4, 2, pytest.approx(4 / 3), None)


def test_a_rounder_figure_is_in_the_source_but_is_no_memory():
    asked = make_example("t", company="Calder", excerpt="Revenue was $5.03 million.")
    assert memorisation([asked], {"t": "It was $5.0 million."}, TRAIN).n_not_in_source == 0
    asked = make_example("t", company="Calder", excerpt=EXCERPT)
    assert memorisation([asked], {"t": "It was $5.04 million."}, TRAIN).n_of_template == 0


def test_figures_of_the_company_count_where_training_has_it():
    asked = make_example("t", company="Breskara", excerpt=EXCERPT)
    found = memorisation([asked], {"t": "$6 million, $8 million and 7%."}, TRAIN)
    assert (found.n_of_company, found.n_of_template) == (2, 1)


def test_an_answer_without_figures_memorises_nothing():
    asked = make_example("t", company="Calder", template="unseen")
    assert memorisation([asked], {"t": ""}, TRAIN) == Memorisation(0, 0, 0, 0.0, None)
