"""Ray: connection to a cluster, and an ordered map over batches on its nodes."""

from __future__ import annotations

import copy
import importlib.util
import logging
import os
import subprocess
import sys
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import finllm

T = TypeVar("T")
R = TypeVar("R")

SECONDS_TO_ANSWER = 30  # timeout for a connection to a cluster
BATCHES_A_TASK = 4  # a task costs the driver and Ray some milliseconds, whatever it computes
OBJECT_STORE_BYTES = 256 * 2**20  # for a local cluster; batches are small, and few at a time
MAX_RETRIES = 3  # for a task whose worker or node died
IN_FLIGHT = 3  # tasks per core that are waiting or finished: this bounds the driver's memory
SHARE = "; a stage's inputs must be at a path that exists on every node"
INSTALL = "install it with: pip install -r requirements-ray.txt"
_PROBE = """
import logging, sys
logging.getLogger("ray").setLevel(logging.ERROR)
import ray
try:
    ray.init(address=sys.argv[1], configure_logging=False, log_to_driver=False)
except BaseException as error:
    sys.exit("REASON " + " ".join(str(error).split()))
"""

_last: tuple[str, Callable] | None = None  # in a worker: key and function of its last work


def check_installed() -> None:
    """Raise an error if the package ``ray``, needed by ``execution.engine: ray``, is missing.

    Raises
    ------
    ValueError
        If it is missing; the message has the command to install it.
    """
    if importlib.util.find_spec("ray") is None:
        raise ValueError(f"execution.engine is ray, but the package ray is missing; {INSTALL}")


def connect() -> ModuleType:
    """Return Ray, connected to the cluster at ``RAY_ADDRESS``, or to a local one if it is not set.

    Later calls reuse the first connection. A local cluster ends with the process. The package
    ``finllm`` is sent to an existing cluster, so that its nodes do not need a copy.

    Raises
    ------
    ValueError
        If ``ray`` is not installed, or ``RAY_ADDRESS`` is not a valid address.
    OSError
        If the cluster does not answer, or has another version of Ray or Python.
    """
    check_installed()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)  # its import sets another level
    if ray.is_initialized():
        return ray
    address = os.environ.get("RAY_ADDRESS", "")
    quiet = {"configure_logging": False, "log_to_driver": False}
    if not address:
        ray.init(
            address="local",
            num_cpus=len(os.sched_getaffinity(0)) if sys.platform == "linux" else None,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            **quiet,
        )
        return ray
    check_answers(address)
    package = str(Path(finllm.__file__).parent)
    ray.init(address=address, runtime_env={"py_modules": [package]}, **quiet)
    return ray


def check_answers(address: str) -> None:
    """Check from another process that a cluster answers.

    Ray itself would wait for minutes and then end its process.

    Raises
    ------
    ValueError, OSError
        As in ``connect``.
    """
    if "://" in address:
        raise ValueError(
            f"RAY_ADDRESS is {address}; it must be HOST:PORT or auto, and this machine must be a "
            "node of that cluster (ray start --address=HOST:PORT)"
        )
    probe = [sys.executable, "-c", _PROBE, address]
    try:
        done = subprocess.run(
            probe, capture_output=True, text=True, timeout=SECONDS_TO_ANSWER, check=False
        )
    except subprocess.TimeoutExpired:
        raise OSError(
            f"RAY_ADDRESS is {address}, where no Ray cluster answers within {SECONDS_TO_ANSWER} "
            "seconds; start one (ray start --head), or unset RAY_ADDRESS to run on this machine"
        ) from None
    if done.returncode:
        _, _, reason = done.stderr.rpartition("REASON ")
        raise OSError(f"RAY_ADDRESS is {address}: {reason.strip() or 'Ray could not join'}")


def map_on_ray(
    prepare: Callable[[], Callable[[list[T]], R]],
    groups: Iterable[list[list[T]]],
    *,
    lost: Callable[[T], R] | None,
) -> Iterator[R]:
    """Yield the results of ``finllm.runtime.parallel.map_batches``, computed on a cluster's nodes.

    Each group of batches is a task. A task whose worker or node dies is run again elsewhere. If it
    kills its worker every time, its records are run one by one, and the record at fault is given to
    ``lost``.

    Raises
    ------
    OSError
        If a record kills its worker and ``lost`` is None, the object store is full, or Ray itself
        fails otherwise.
    """
    ray = connect()
    run = ray.remote(_run).options(max_retries=MAX_RETRIES, scheduling_strategy="SPREAD")
    key = uuid.uuid4().hex  # distinguishes this work from earlier ones
    waiting: deque[tuple[object, list[list[T]]]] = deque()
    try:
        shared = ray.put((prepare, key, os.getcwd()))
        for group in groups:
            waiting.append((run.remote(shared, group), group))
            if len(waiting) >= IN_FLIGHT * cluster_cores(ray):
                yield from _results(ray, run, shared, *waiting.popleft(), lost)
        while waiting:
            yield from _results(ray, run, shared, *waiting.popleft(), lost)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise OSError(in_words(error)) from None
    finally:
        for ref, _ in waiting:
            ray.cancel(ref)


def cluster_cores(ray: ModuleType) -> int:
    """Return the number of cores that the cluster has now."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _results(
    ray: ModuleType,
    run: object,
    shared: object,
    ref: object,
    group: list[list[T]],
    lost: Callable[[T], R] | None,
) -> Iterator[R]:
    try:
        yield from _owned(ray.get(ref))
        return
    except ray.exceptions.WorkerCrashedError:
        pass
    for record in chain.from_iterable(group):
        try:
            yield from _owned(ray.get(run.remote(shared, [[record]])))
        except ray.exceptions.WorkerCrashedError:
            if lost is None:
                raise OSError(f"this record kills its worker: {str(record)[:200]}") from None
            yield lost(record)


def _owned(results: list[R]) -> list[R]:
    """Return a copy in this process's memory.

    Ray's arrays are views of its object store, so a result that is kept would occupy it until the
    end: with 100,000 signatures of calls it was full, and Ray moved objects to the disk and back.
    """
    return copy.deepcopy(results)


def _run(shared: tuple[Callable[[], Callable], str, str], group: list[list]) -> list:
    """Run the work on each batch of a group in a worker, after preparing it once."""
    global _last
    prepare, key, home = shared
    if _last is None or _last[0] != key:
        if os.path.isdir(home):  # relative paths refer to the driver's folder, if this node has it
            os.chdir(home)
        try:
            _last = key, prepare()
        except (ValueError, OSError) as error:
            said = " ".join(str(error).split())
            raise ValueError(f"on node {here()}: {said}{SHARE}") from None
    return [_last[1](batch) for batch in group]


def here() -> str:
    """Return the address of the node that this process runs on."""
    import ray

    return ray.util.get_node_ip_address()


def node_id() -> str:
    """Return Ray's id of the node that this process runs on; several nodes can share an address."""
    import ray

    return ray.get_runtime_context().get_node_id()


def in_words(error: Exception) -> str:
    """Return an error of Ray as one sentence that says what to do."""
    from ray import exceptions

    if isinstance(error, exceptions.ObjectStoreFullError | exceptions.OutOfDiskError):
        return (
            "Ray's object store is full; start the nodes with a larger --object-store-memory, or "
            "free the disk below /tmp/ray"
        )
    if isinstance(error, exceptions.OutOfMemoryError):
        return "Ray ended a worker because its node was out of memory; give it fewer --num-cpus"
    first = next(iter(str(error).strip().splitlines()), "")
    return f"Ray: {first or type(error).__name__}"
