import pytest
from hypothesis import given
from hypothesis import strategies as st

from finllm.scoring import lexical

texts = st.text(alphabet="ab 1.$\n", max_size=30)


def test_rouge_of_a_small_case_is_what_a_hand_computes():
    # stems: revenu rose to 5 | revenu fell to 5 : 3 of 4 words, 1 of 3 bigrams, sequence of 3
    found = lexical.rouge("revenue rose to 5", "revenues fell to 5")
    assert found == pytest.approx(
        {"rouge1": 3 / 4, "rouge2": 1 / 3, "rougeL": 3 / 4, "rougeLsum": 3 / 4}
    )


def test_rouge_is_the_harmonic_mean_of_precision_and_recall():
    assert lexical.rouge("a b", "a b c d")["rouge1"] == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_the_longest_common_subsequence_asks_for_the_order():
    found = lexical.rouge("cash debt profit", "profit debt cash")
    assert found["rouge1"] == 1 and found["rougeL"] == pytest.approx(1 / 3)


def test_rouge_is_blind_to_numbers_as_its_docstring_says():
    found = lexical.rouge("rose 2.5% to $452.2 million", "fell 2.5% to $452.2 billion")
    assert found["rouge1"] > 0.6


def test_bleu_of_the_same_text_is_one_and_of_other_words_nothing():
    assert lexical.bleu("net income rose to $5", "net income rose to $5") == pytest.approx(1)
    assert lexical.bleu("alpha", "beta gamma") == 0


def test_bleu_of_a_small_case_is_what_a_hand_computes():
    # 4 of 4 words, 3 of 3, 2 of 2, 1 of 1; half as long as the reference: exp(1 - 8 / 4)
    assert lexical.bleu("a b c d", "a b c d e f g h") == pytest.approx(2.718281828**-1)


def test_lsum_takes_bullets_in_any_order_where_l_does_not():
    found = lexical.rouge("cash rose\ndebt fell", "debt fell\ncash rose")
    assert found["rougeLsum"] == 1 and found["rougeL"] == pytest.approx(1 / 2)


def test_chrf_of_a_small_case_is_what_a_hand_computes():
    # characters a, b of a, b, c: precision 1, recall 2/3; pairs ab of ab, bc: 1 and 1/2; no triple
    # in the candidate, so the orders that both have: means 1 and 7/12, then F with beta 2
    p, r = 1, (2 / 3 + 1 / 2) / 2
    assert lexical.chrf("ab", "abc") == pytest.approx(5 * p * r / (4 * p + r))


def test_word_overlap_is_shared_words_over_all_words():
    assert lexical.word_overlap("Net income rose", "net income fell 5%") == pytest.approx(2 / 5)


@pytest.mark.parametrize("empty", ["", "  \n"])
def test_an_empty_candidate_scores_nothing(empty):
    assert set(lexical.rouge(empty, "revenue rose").values()) == {0.0}
    assert lexical.chrf(empty, "revenue rose") == 0
    assert lexical.bleu(empty, "revenue rose") == 0
    assert lexical.word_overlap(empty, "revenue rose") == 0


@given(texts, texts)
def test_every_score_is_between_nothing_and_one(candidate, reference):
    scores = [*lexical.rouge(candidate, reference).values()]
    scores += [lexical.chrf(candidate, reference)]
    scores += [lexical.bleu(candidate, reference), lexical.word_overlap(candidate, reference)]
    assert all(0 <= score <= 1 + 1e-9 for score in scores)
