from finllm.scoring.statements import statements


def fields(text):
    return [
        (s.item, s.direction, s.value and s.value.text, s.period and s.period.text)
        for s in statements(text)
    ]


def test_a_telegram_states_each_of_its_figures():
    assert fields("q3 revenue rose 12 percent to $5 million") == [
        ("revenue", "up", "percent 12", "Q3"),
        ("revenue", "up", "money 5e+06 USD", "Q3"),
    ]


def test_a_direction_behind_a_comma_is_of_the_figure_it_stands_before():
    assert fields("quarterly revenue $2.47 billion, up 35%") == [
        ("revenue", "", "money 2.47e+09 USD", None),
        ("revenue", "up", "percent 35", None),
    ]


def test_a_direction_may_stand_behind_its_figure():
    assert fields("a 12% decline in backlog")[0] == ("backlog", "down", "percent 12", None)


def test_a_claim_without_a_figure_is_a_statement():
    found = statements("raises full-year revenue guidance")
    assert [(s.item, s.direction, s.value, s.outlook) for s in found] == [
        ("revenue", "up", None, True)
    ]


def test_a_comparison_belongs_to_the_figure_behind_it():
    found = statements("q1 revenue $108.5 million versus estimate of $113.1 million")
    assert [s.comparison for s in found] == ["", "estimate vs"]


def test_a_second_period_is_not_lost():
    assert [f[3] for f in fields("q3 sales rose 5% from q2")] == ["Q3", "Q2"]


def test_a_sentence_does_not_borrow_from_the_one_before():
    assert fields("q3 revenue was fine. It rose 5%.")[1] == ("", "up", "percent 5", None)


def test_words_without_a_claim_state_nothing():
    assert statements("Good morning, and welcome.") == ()
