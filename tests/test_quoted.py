import dataclasses
import math

import numpy as np
import pytest
from conftest import make_call
from test_examples import budget_for

from finllm.instruct import examples, quoted, windows
from finllm.languages.lexicon import load_lexicon
from finllm.records import Turn

RESULT = "Diluted earnings per share came in at $1.32, up from $1.10 a year ago."
ASIDE = "We opened 14 new offices over 3 years."
PLAIN = "Our people did a remarkable job."


def log_odds(*sentences, company="Acme"):
    contents = [windows.content(sentence, ()) for sentence in sentences]
    figures = quoted.figures_of(sentences)
    costs = [len(sentence.split()) for sentence in sentences]
    rows = quoted.inputs(sentences, figures, contents, costs, n_prepared=len(sentences))
    return quoted.log_odds(rows, company)


def test_earnings_per_share_are_quoted_rather_than_a_count_of_offices():
    result, aside, plain = log_odds(RESULT, ASIDE, PLAIN)
    assert result > aside and plain is None


def test_log_odds_are_the_weighted_sum_of_the_inputs_of_the_companys_own_fold(monkeypatch):
    company = next(name for name in "ABCDEFGHIJ" if quoted.fold_of(name) == 3)
    weights = {quoted.CONSTANT: (0, 0, 0, -1, 0), "sales": (9, 9, 9, 0.5, 9)}
    monkeypatch.setattr(quoted, "load_weights", lambda: weights)
    rows = [{"sales": 2.0, "unknown": 7.0}, None, {"sales": 99.0}]
    assert quoted.log_odds(rows, company) == [pytest.approx(0.0), None, quoted.MOST_LIKELY]


def test_every_fold_has_finite_weights_and_companies():
    weights = quoted.load_weights()
    assert {len(values) for values in weights.values()} == {quoted.N_FOLDS}
    assert all(math.isfinite(value) for values in weights.values() for value in values)
    assert {quoted.fold_of(f"Company {n}") for n in range(100)} == set(range(quoted.N_FOLDS))


def test_the_best_sentences_come_first_and_a_told_figure_is_not_bought_twice():
    one, other = frozenset({"a"}), frozenset({"b"})
    chosen = windows.most_quoted(
        [2.0, 1.9, 0.0, None], [one, one, other, frozenset()], [10] * 4, 20
    )
    assert chosen == [0, 2]


def test_a_budget_of_tokens_holds_and_text_order_is_kept():
    draw = np.random.default_rng(3)
    for _ in range(50):
        costs = draw.integers(1, 40, size=30).tolist()
        odds = [None if value < -1 else value for value in draw.normal(size=30).tolist()]
        figures = [frozenset(draw.integers(9, size=2).tolist()) for _ in costs]
        chosen = windows.most_quoted(odds, figures, costs, 100)
        assert chosen == sorted(set(chosen)) and sum(costs[i] for i in chosen) <= 100


@pytest.mark.parametrize(("language", "shown"), [("", True), ("en", True), ("de", False)])
def test_excerpts_of_english_calls_are_chosen_by_the_regression(chatml, language, shown):
    plants = (f"Net income of plant {n} was ${n} million or {n}%." for n in range(5, 40))
    told = " ".join([*plants, RESULT])
    call = make_call(turns=[Turn("Jane Doe", "executive", "prepared", told)])
    budget = budget_for(chatml, max_tokens=400, max_answer_tokens=100)
    lexicon, rng = load_lexicon(""), np.random.default_rng(0)
    call = dataclasses.replace(call, language=language)

    def excerpt(sentences):
        chosen = dataclasses.replace(budget, sentences=sentences)
        return examples.question(
            call, "summarization", lexicon=lexicon, budget=chosen, rng=rng
        ).excerpt

    assert (RESULT in excerpt("quoted")) == shown
    assert (excerpt("quoted") != excerpt("rule")) == shown
