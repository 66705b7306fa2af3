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

from finllm.runtime.ray_cluster import map_on_ray

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[list[T]], R]

BATCH = 16  # records that travel together
MIN_BATCHES = 16  # fewer are done before a second process has started
MAX_WORKERS = 8  # reading and writing are not shared, so more cores stand idle
IN_FLIGHT = 3  # batches a worker has waiting or finished: this bounds the memory

_prepare: Callable[[], Work] | None = None
_work: Work | None = None


def n_cores() -> int:
    """The cores that this process may use, at most ``MAX_WORKERS``."""
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
    """What the work gives for each batch of records, in order; the same however it is done.

    Processes start from nothing ("spawn", as on every system): what they need travels in
    ``prepare``, which each calls once. With one worker, or too few records to pay for starting
    processes, the work is done here.

    Parameters
    ----------
    prepare
        Gives the function of a batch, such as a ``functools.partial`` of a function that loads the
        lexicon and returns a closure. It is pickled; what it returns is not. The work on a batch
        must depend on nothing but that batch.
    records
        Read as the batches are needed, at most ``IN_FLIGHT`` batches a worker ahead.
    engine
        ``local``: ``n_workers`` processes of this machine; ``ray``: the cores of a cluster
        (``finllm.runtime.ray_cluster``).
    lost
        On Ray, what stands for a record that kills its worker; without it that is an error.

    Raises
    ------
    OSError
        If a worker is killed, which is mostly for want of memory. Errors of the work itself are
        raised as they are.
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
        yield from map_on_ray(prepare, chain(head, batches), lost=lost)
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
        raise OSError("a worker process was killed, perhaps for want of memory") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _batches(records: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(islice(records, size)):
        yield batch


def _start(prepare: Callable[[], Work]) -> None:
    """Remember the work; an interrupt is the parent's to handle."""
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
