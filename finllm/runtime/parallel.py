"""Parallel map over batches of records, on all cores or on Ray, with results in input order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from typing import TypeVar

from finllm.runtime.ray_cluster import BATCHES_A_TASK, map_on_ray

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[list[T]], R]

BATCH = 16  # records per batch
MIN_BATCHES = 16  # fewer are finished before a second process has started
MAX_WORKERS = 8  # reading and writing are not parallel, so more cores would be idle
IN_FLIGHT = 3  # batches per worker that are waiting or finished: this bounds the memory

_prepare: Callable[[], Work] | None = None
_work: Work | None = None


def n_cores() -> int:
    """Return the number of cores that this process may use, at most ``MAX_WORKERS``."""
    try:
        n = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        n = os.cpu_count() or 1
    return min(n, MAX_WORKERS)


def map_batches(
    prepare: Callable[[], Work[T, R]],
    records: Iterable[T],
    *,
    n_workers: int,
    batch_size: int = BATCH,
    engine: str = "local",
    lost: Callable[[T], R] | None = None,
) -> Iterator[R]:
    """Yield the result of the work on each batch of records, in order.

    Results do not depend on the number of workers. Processes are started with "spawn" on every
    system: all that they need is sent in ``prepare``, which each calls once. With one worker, or
    too few records to pay for starting processes, the work is done in this process.

    Parameters
    ----------
    prepare
        Returns the function for a batch; for example, a ``functools.partial`` of a function that
        loads the lexicon and returns a closure. It is pickled; its result is not. The work on a
        batch must depend only on that batch.
    records
        Read as needed, at most ``IN_FLIGHT`` batches per worker ahead.
    engine
        ``local``: ``n_workers`` processes of this machine; ``ray``: the cores of a cluster
        (``finllm.runtime.ray_cluster``).
    lost
        On Ray, gives the result for a record that kills its worker; None raises an error.

    Raises
    ------
    OSError
        If a worker is killed, usually because memory ran out. Errors raised by the work itself
        are passed on.
    """
    batches = _batches(iter(records), batch_size)
    on_ray = engine == "ray"
    head = list(islice(batches, MIN_BATCHES if n_workers > 1 or on_ray else 0))
    if len(head) < MIN_BATCHES:
        work = prepare()
        for batch in chain(head, batches):
            yield work(batch)
        return
    if on_ray:
        groups = _batches(chain(head, batches), BATCHES_A_TASK)
        yield from map_on_ray(prepare, groups, lost=lost)
        return
    pool = ProcessPoolExecutor(
        n_workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(prepare,),
    )
    waiting: deque[Future[R]] = deque()
    try:
        for batch in chain(head, batches):
            waiting.append(pool.submit(_run, batch))
            if len(waiting) >= IN_FLIGHT * n_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise OSError("a worker process was killed, possibly because memory ran out") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _batches(records: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(islice(records, size)):
        yield batch


def _start(prepare: Callable[[], Work]) -> None:
    """Store the work, and leave interrupts to the parent."""
    global _prepare
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prepare = prepare


def _run(batch: list) -> object:
    """Prepare at the first batch and not in ``_start``, so that an error reaches the parent."""
    global _work
    if _work is None:
        assert _prepare is not None
        _work = _prepare()
    return _work(batch)
