import random
from pathlib import Path

import pytest

from finllm.corpus import ectsum
from finllm.corpus.duplicates import (
    SHINGLE,
    check_values,
    group_signatures,
    shingle_hashes,
    signer,
)
from finllm.languages.lexicon import words

ECTSUM = Path(__file__).parents[1] / "../shared/data/ectsum"
VOCABULARY = [f"word{i}" for i in range(500)]


def make(seed: int, n_words: int = 400) -> list[str]:
    return random.Random(seed).choices(VOCABULARY, k=n_words)


def changed(text: list[str], n_changes: int) -> list[str]:
    rng = random.Random(99)
    copy = list(text)
    for position in rng.sample(range(len(text)), n_changes):
        copy[position] = "changed"
    return copy


def group(texts: dict[str, list[str]], *, threshold: float = 0.7, seed: int = 1) -> dict[str, str]:
    return group_texts([(name, " ".join(text)) for name, text in texts.items()], threshold, seed)


def group_texts(texts: list[tuple[str, str]], threshold: float, seed: int) -> dict[str, str]:
    sign = signer(128, seed)
    signed = ((name, sign(words(text.lower()))) for name, text in texts)
    return group_signatures(signed, threshold=threshold)


def jaccard(a: list[str], b: list[str]) -> float:
    one, two = ({tuple(t[i : i + SHINGLE]) for i in range(len(t) - SHINGLE + 1)} for t in (a, b))
    return len(one & two) / len(one | two)


def test_copies_join_and_strangers_do_not():
    base = make(1)
    texts = {"b": base, "a": changed(base, 5), "c": make(2), "d": make(3)}
    assert jaccard(texts["b"], texts["a"]) > 0.8
    assert group(texts) == {"b": "a", "a": "a", "c": "c", "d": "d"}


def test_a_chain_of_small_changes_is_one_group():
    texts = {"t0": make(1)}
    for i in range(1, 8):
        last = list(texts[f"t{i - 1}"])
        last[50 * i : 50 * i + 8] = [f"new{i}"] * 8
        texts[f"t{i}"] = last
    assert jaccard(texts["t0"], texts["t7"]) < 0.8
    assert set(group(texts, threshold=0.8).values()) == {"t0"}


def test_the_groups_do_not_depend_on_the_order():
    base = make(1)
    texts = {f"x{i}": changed(base, i) for i in range(4)} | {f"y{i}": make(i + 5) for i in range(9)}
    backwards = dict(reversed(texts.items()))
    assert group(texts) == group(backwards)
    assert list(group(backwards)) == list(backwards)


def test_threshold_one_joins_only_equal_sets_of_runs():
    base = make(1)
    texts = {"a": base, "b": list(base), "c": changed(base, 1)}
    assert group(texts, threshold=1.0) == {"a": "a", "b": "a", "c": "c"}


def test_short_paragraphs_are_compared_whole():
    texts = {
        "a": ["thank", "you"],
        "b": ["Thank", "you."],
        "c": ["thank", "them"],
        "d": [],
        "e": [],
    }
    assert group(texts) == {"a": "a", "b": "a", "c": "c", "d": "d", "e": "d"}


def test_the_estimate_finds_most_pairs_above_and_few_below_the_threshold():
    above = below = 0
    for seed in range(20):
        base = make(seed, n_words=600)
        near, far = changed(base, 8), changed(base, 60)
        assert jaccard(base, near) > 0.8 and jaccard(base, far) < 0.5
        above += group({"a": base, "b": near}, seed=seed)["b"] == "a"
        below += group({"a": base, "b": far}, seed=seed)["b"] == "a"
    assert above >= 19
    assert below == 0


def test_vectorised_shingles_are_as_many_as_distinct_runs():
    text = make(1, n_words=300) * 2
    runs = {tuple(text[i : i + SHINGLE]) for i in range(len(text) - SHINGLE + 1)}
    assert len(shingle_hashes(text)) == len(runs)
    assert words("A b, c d e!") == ["A", "b", "c", "d", "e"]


def test_case_and_punctuation_do_not_count():
    texts = [("z", "Sales rose, 5%."), ("y", "sales ROSE 5%"), ("x", "Sales rose 6%.")]
    assert group_texts(texts, 1.0, seed=1) == {"z": "y", "y": "y", "x": "x"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threshold": 0}, "threshold 0"),
        ({"threshold": 1.2}, "threshold 1.2"),
        ({"n_permutations": 4}, "n_permutations 4"),
    ],
)
def test_values_out_of_range_are_errors(change, said):
    values = {"threshold": 0.7, "n_permutations": 64} | change
    with pytest.raises(ValueError, match=said):
        check_values(**values)


def test_repeated_ids_are_errors_and_nothing_gives_nothing():
    with pytest.raises(ValueError, match="duplicate id 'a'"):
        group_texts([("a", "x"), ("a", "y")], 0.7, seed=1)
    assert group_texts([], 0.7, seed=1) == {}


@pytest.mark.skipif(not ECTSUM.is_dir(), reason="../shared/data/ectsum is absent")
def test_a_planted_copy_is_found_among_real_calls():
    calls = ectsum.read(ECTSUM / "val", source="x", encoding="utf-8")
    texts = [(record.id, record.text) for record, _, _ in calls]
    planted = [("copy", texts[7][1].replace("quarter", "period", 5)), *texts]
    groups = group_texts(planted, 0.8, seed=1)
    joined = [name for name, first in groups.items() if first == groups["copy"]]
    assert sorted(joined) == sorted(["copy", texts[7][0]])
    assert sum(name != first for name, first in groups.items()) == 1
