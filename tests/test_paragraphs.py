import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finllm.corpus.paragraphs import N_HASHES, near_groups, plain_words, sketches

LETTERS = "abcdefghij"


def made(seed, n=40):
    """A paragraph of words that no other seed has."""
    return ["".join(LETTERS[int(d)] for d in f"{seed}{i:03}") for i in range(n)]


def groups(*paragraphs):
    return near_groups(sketches(paragraphs)).tolist()


def test_paragraphs_alike_but_for_a_word_are_one_group_and_others_are_their_own():
    one = made(1)
    changed = [*one[:20], "other", *one[21:]]
    found = groups(one, made(2), changed, made(3))
    assert found[0] == found[2] and len(set(found)) == 3


def test_a_chain_of_small_changes_joins_its_ends():
    one = made(1)
    chain = [[*made(9)[:k], *one[k:]] for k in range(0, 41, 2)]
    assert len(set(groups(*chain))) == 1 != len(set(groups(chain[0], chain[-1])))


def test_figures_and_punctuation_do_not_count():
    assert plain_words("Q3 2021: $1.2 billion, up 5%!") == ["q", "billion", "up"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=6), max_size=12))
def test_a_sketch_does_not_depend_on_the_paragraphs_beside_it(paragraphs):
    rows = sketches(paragraphs)
    assert rows.shape == (len(paragraphs), N_HASHES)
    for words, row in zip(paragraphs, rows, strict=True):
        assert np.array_equal(sketches([words])[0], row)


def test_the_share_of_equal_cells_estimates_the_similarity():
    rng = np.random.default_rng(0)
    errors = []
    for seed in range(10, 60):
        one = made(seed, 60)
        kept = int(rng.integers(5, 55))
        rows = sketches([one, [*one[:kept], *made(seed + 500, 60 - kept)]])
        true = (kept - 1) / (2 * 59 - (kept - 1))
        errors.append(float((rows[0] == rows[1]).mean()) - true)
    assert abs(np.mean(errors)) < 0.03 and np.std(errors) < 0.1


@pytest.mark.parametrize("n", [0, 1])
def test_none_and_one_have_groups_of_their_own(n):
    assert groups(*[made(1)] * n) == [0] * n


def test_a_thousand_copies_among_others_are_one_group():
    found = np.array(groups(*([made(1)] * 1000 + [made(i) for i in range(2, 200)])))
    assert len(set(found[:1000])) == 1 and len(set(found)) == 199
