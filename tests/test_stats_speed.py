"""The statistics are quick: a bar in processor seconds, which other work leaves alone."""

import time

import numpy as np

from benchmarks.stats_speed import scores
from finllm.stats.comparison import compare


def test_ten_metrics_on_five_hundred_examples_take_seconds():
    # The bar is 2 s on a quiet machine; four times that here, for slower and shared ones.
    base, tuned, companies = scores(10, 500, 40, seed=7)
    assert len(set(companies)) == 40 and np.shape(list(base.values())) == (10, 500)
    settings = {"primary": "metric0", "confidence": 0.95, "seed": 7}
    compare(base, tuned, companies, n_permutations=100, n_bootstrap=100, **settings)
    started = time.process_time()
    found = compare(base, tuned, companies, n_permutations=10_000, n_bootstrap=10_000, **settings)
    assert time.process_time() - started < 8
    assert len(found) == 10 and found["metric0"].n == 500 and found["metric0"].n_clusters == 40
