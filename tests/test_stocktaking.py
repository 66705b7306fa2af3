from dataclasses import replace

import numpy as np
from test_quality import spread

from finllm.corpus.screening import Look, Stock
from finllm.corpus.stocktaking import Stocktaking, duplicate_groups, judged
from finllm.records import Reject


def test_only_kept_calls_that_are_alike_have_a_group():
    calls = [replace(row, id=name) for row, name in zip(spread(5), "abcde", strict=True)]
    rng = np.random.default_rng(5)
    rows = rng.integers(0, 2**32, size=(3, 64), dtype=np.uint32)
    looks = [Look(call, rows[nth]) for call, nth in zip(calls, (0, 0, 1, 2, 1), strict=True)]
    dropped = {"e": Reject("e", "src", 0, "too_short", "")}
    groups = duplicate_groups(looks, dropped, threshold=0.8)
    assert set(groups) == {"a", "b"} and groups["a"] == groups["b"]


def test_calls_read_are_kept_or_dropped():
    measures = spread(9)
    dropped = {
        "n1": Reject("n1", "src", 0, "outlier_length", ""),
        "n2": Reject("n2", "src", 0, "too_short", ""),
    }
    groups = {"n3": "g1", "n4": "g1", "n5": "g2", "n6": "g2"}
    figures = judged(measures, dropped, groups)
    assert figures["transcripts_read"] == 9 == figures["kept"] + figures["dropped"]
    assert figures["outliers"] == 1 and figures["near_duplicate_groups"] == 2
    assert figures["median_words"] == 95  # of 90, 93, 94, ..., 98


def test_batches_are_added_up_and_a_reference_without_figures_divides_by_nothing():
    stock = Stocktaking()
    assert list(stock.lines([Stock(lines=["a"]), Stock(lines=["b", "c"])])) == ["a", "b", "c"]
    assert stock.metrics({})["references"]["share_supported"] == 0
    stock.counts.update(n_figures=4, n_supported=3)
    assert stock.metrics({})["references"]["share_supported"] == 0.75
