import os
import signal
import time
from functools import partial

import pytest

from finllm.runtime import parallel
from finllm.runtime.parallel import map_batches


def squarer(power=2):
    return lambda batch: [x**power for x in batch]


def sleeper():
    """The first batches take longest, so that they end last."""

    def work(batch):
        time.sleep(0.2 if batch[0] == 0 else 0)
        return os.getpid(), batch

    return work


def refuser(bad):
    def work(batch):
        if bad in batch:
            raise ValueError(f"{bad} is not wanted")
        return batch

    return work


def killer():
    return lambda batch: os.kill(os.getpid(), signal.SIGKILL)


def unprepared():
    raise ValueError("lexicon.tsv: no terms")


@pytest.mark.parametrize("n", [0, 1, 5, 64, 203])
def test_two_processes_give_what_one_gives_in_the_same_order(n):
    prepare = partial(squarer, power=3)
    one, two = (list(map_batches(prepare, range(n), n_workers=k, batch_size=3)) for k in (1, 2))
    assert one == two
    assert [x for batch in two for x in batch] == [x**3 for x in range(n)]


def test_a_batch_that_takes_longest_still_comes_first_and_others_do_the_work():
    found = list(map_batches(sleeper, range(40), n_workers=2, batch_size=2))
    assert [x for _, batch in found for x in batch] == list(range(40))
    assert os.getpid() not in {pid for pid, _ in found}


def test_few_records_start_no_process():
    n = parallel.MIN_BATCHES - 1
    found = list(map_batches(sleeper, range(n), n_workers=2, batch_size=1))
    assert {pid for pid, _ in found} == {os.getpid()}


def test_records_are_read_only_as_far_ahead_as_the_bound_allows():
    records = iter(range(1000))
    results = map_batches(squarer, records, n_workers=2, batch_size=1)
    next(results)
    assert next(records) <= parallel.MIN_BATCHES + parallel.IN_FLIGHT * 2
    results.close()


@pytest.mark.parametrize("n_workers", [1, 2])
def test_an_error_of_the_work_is_raised_as_it_is(n_workers):
    with pytest.raises(ValueError, match="70 is not wanted"):
        list(map_batches(partial(refuser, 70), range(100), n_workers=n_workers, batch_size=2))


@pytest.mark.parametrize("n_workers", [1, 2])
def test_an_error_in_the_preparation_is_raised_as_it_is(n_workers):
    with pytest.raises(ValueError, match="no terms"):
        list(map_batches(unprepared, range(100), n_workers=n_workers, batch_size=2))


def test_a_killed_worker_is_an_error_in_words():
    with pytest.raises(OSError, match="a worker process was killed"):
        list(map_batches(killer, range(100), n_workers=2, batch_size=2))


def test_the_workers_follow_the_cores_that_the_process_may_use(monkeypatch):
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system knows no affinity")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(3)))
    assert parallel.n_cores() == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert parallel.n_cores() == parallel.MAX_WORKERS
