"""Answers from a Ray cluster: one actor per device, with rows distributed in blocks."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from transformers import PreTrainedTokenizerBase

from finllm.answering.answerer import Answering
from finllm.answering.backend import answerer_here
from finllm.answering.efficiency import Stopwatch
from finllm.answering.generate import Answer, plan_batches
from finllm.instruct.chat import Encoded
from finllm.model.full import is_full
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import base_folder
from finllm.runtime.provenance import Provenance, provenance
from finllm.runtime.ray_cluster import SHARE, connect, here, in_words, node_id
from finllm.settings.params import Params

MAX_TRIES = 3  # for a block whose device dies
SECONDS_TO_START = 1800  # for the first device, including download of the weights
BLOCKS_A_DEVICE = 4  # if the batch does not matter: devices then finish together
LOSSES_A_BLOCK = 16

Block = tuple[str, tuple]  # "answers", "losses" or "alone", and the arguments


@dataclass(frozen=True)
class Facts:
    """Facts about the model on a device, for the driver, which has no model."""

    node: str  # its address
    node_id: str
    identity: Mapping[str, object]
    decoding: str
    free_decoding: str
    compute_dtype: str
    context: int
    weights_sha256: str
    made_with: Provenance


class Device:
    """Actor with a model that is loaded once, on one device."""

    def load(self, params: Params, weights: str, files: Mapping[str, bytes], home: str) -> Facts:
        """Load the model; tuned weights come as ``files``, or are in the folder ``weights``."""
        if os.path.isdir(home):  # for relative paths as on the driver, if this node has it
            os.chdir(home)
        tuned = Path(weights or os.devnull)
        if files:
            self._sent = tempfile.TemporaryDirectory()  # kept with this actor: vLLM reads it late
            tuned = Path(self._sent.name)
        for name, content in files.items():
            Path(tuned, name).write_bytes(content)
        try:
            if weights and not tuned.is_dir():
                raise ValueError(f"{weights}: no such folder")
            self.answerer = a = answerer_here(params, weights=tuned)
        except (ValueError, OSError) as error:
            said = " ".join(str(error).split())
            raise ValueError(f"on node {here()}: {said}{SHARE}") from None
        if files and params.predict.backend != "vllm":
            self._sent.cleanup()
        return Facts(
            here(), node_id(), a.identity, a.decoding, a.free().decoding, a.compute_dtype,
            a.context, a.weights_sha256, a.provenance(),
        )  # fmt: skip

    def do(self, what: str, args: tuple) -> object:
        """Compute the answers, losses or latencies of a block, as ``what`` names them."""
        if what == "answers":
            return list(self.answerer.generated(*args, None))
        return list(self.answerer.losses(*args)) if what == "losses" else self.answerer.alone(*args)


class Crew:
    """Actors of a cluster: one per GPU, or one per node if no node has a GPU.

    If an actor dies, alone or with its node, its block is queued again and another actor is
    requested, which the cluster starts as soon as it has room.
    """

    def __init__(self, ray: ModuleType, load: tuple) -> None:
        self._ray, self._load, self._n_lost = ray, load, 0
        self.n, self._needs = places(ray.nodes())
        self._starting: dict[object, object] = {}  # by the reference to the facts
        self._idle: list[object] = []
        self._node_of: dict[object, str] = {}
        self.facts: Facts | None = None
        for _ in range(self.n):
            self._start()
        while self.facts is None:
            self._wait({})

    def _start(self) -> None:
        actor = self._ray.remote(Device).options(scheduling_strategy="SPREAD", **self._needs)
        one = actor.remote()
        self._starting[one.load.remote(*self._load)] = one

    def _bury(self, actor: object, error: Exception) -> str:
        """Request a replacement for a dead actor, and return the reason if a block may be to blame.

        If the whole node is gone, its idle actors are replaced too, and the reason is "".

        Raises
        ------
        OSError
            If ``MAX_TRIES`` devices per actor died while loading the model.
        """
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        node = self._node_of.pop(actor, "")
        if not node:
            self._n_lost += 1
            if self._n_lost == MAX_TRIES * self.n:
                raise OSError(
                    f"{self._n_lost} devices died while loading the model; {in_words(error)}"
                )
        gone = [one for one in self._idle if self._node_of[one] not in alive]
        self._idle = [one for one in self._idle if one not in gone]
        for _ in (actor, *gone):
            self._start()
        return in_words(error) if node in alive else ""

    def work(self, blocks: Sequence[Block]) -> Iterator[tuple[int, object]]:
        """Yield the index and result of each block, in the order of completion.

        Raises
        ------
        OSError
            If a block kills its device ``MAX_TRIES`` times, or no device starts.
        """
        left, running = deque(enumerate(blocks)), {}
        n_tries = [0] * len(blocks)
        try:
            while left or running:
                while left and self._idle:
                    place, (what, args) = left.popleft()
                    actor = self._idle.pop()
                    running[actor.do.remote(what, args)] = actor, place
                for place, result, why in self._wait(running):
                    if why is None:
                        yield place, result
                        continue
                    n_tries[place] += bool(why)
                    if n_tries[place] == MAX_TRIES:
                        raise OSError(
                            f"a block of prompts killed its device {MAX_TRIES} times; "
                            f"Ray's last error: {why}"
                        )
                    left.appendleft((place, blocks[place]))
        finally:
            for actor, _ in running.values():
                self._ray.kill(actor)

    def _wait(self, running: dict) -> list[tuple[int, object, str | None]]:
        """Wait, and return each ended block's index, result, and why its device died, or None."""
        exceptions = self._ray.exceptions
        refs = [*running, *self._starting]
        ready, _ = self._ray.wait(refs, timeout=None if running else SECONDS_TO_START)
        if not ready:
            raise OSError(
                f"no node of the Ray cluster had room for the model within "
                f"{SECONDS_TO_START // 60} minutes; it needs {self._needs}"
            )
        found = []
        for ref in ready:
            actor, place = running.pop(ref, (None, None))
            actor = actor or self._starting.pop(ref)
            try:
                result, why = self._ray.get(ref), None
            except exceptions.RayTaskError as error:
                raise error.cause from None
            except exceptions.RayActorError as error:
                result, why = None, self._bury(actor, error)
            except exceptions.RayError as error:
                raise OSError(in_words(error)) from None
            else:
                self._idle.append(actor)
            if place is not None:
                found.append((place, result, why))
            elif result is not None:
                self._node_of[actor] = result.node_id
                self._join(result)
        return found

    def _join(self, facts: Facts) -> None:
        """Record a device's facts; raise ValueError if its answers could differ from others'."""
        self.facts = self.facts or facts
        mine, theirs = self.facts.identity, facts.identity
        if differing := [key for key in mine if mine[key] != theirs.get(key)]:
            raise ValueError(
                f"nodes {self.facts.node} and {facts.node} differ in {', '.join(differing)}, so "
                "their answers could differ; use nodes of the same kind"
            )


def places(nodes: Sequence[Mapping]) -> tuple[int, dict[str, int]]:
    """Return how many actors there is room for, and the resources of each."""
    found = [node["Resources"] for node in nodes if node["Alive"]]
    if n_gpus := int(sum(each.get("GPU", 0) for each in found)):
        return n_gpus, {"num_gpus": 1}
    cores = [int(each["CPU"]) for each in found if each.get("CPU", 0) >= 1]
    return len(cores), {"num_cpus": min(cores, default=1)}


@dataclass(frozen=True)
class RayAnswerer(Answering):
    """A model on the devices of a cluster; this process has its tokenizer but no weights."""

    tokenizer: PreTrainedTokenizerBase
    crew: Crew
    max_new_tokens: int
    batch_size: int
    grounding: str
    repetition: str
    stop_penalty: float
    decoding: str

    @property
    def facts(self) -> Facts:
        """Facts on which the devices agree."""
        assert self.crew.facts is not None
        return self.crew.facts

    @property
    def weights_sha256(self) -> str:
        """Hash of the weights."""
        return self.facts.weights_sha256

    @property
    def compute_dtype(self) -> str:
        """Compute type of the devices."""
        return self.facts.compute_dtype

    @property
    def context(self) -> int:
        """Maximum number of tokens of prompt and answer together."""
        return self.facts.context

    @property
    def identity(self) -> Mapping[str, object]:
        """Identity of every device, since they give the same answers."""
        return self.facts.identity

    def provenance(self) -> Provenance:
        """Return the provenance: the commit of this process and the processor of the devices."""
        made = self.facts.made_with
        return provenance(processor=made.processor, dtype=made.dtype)

    def free(self) -> RayAnswerer:
        """Return this answerer with plain greedy decoding, without rules."""
        unruled = {"grounding": "none", "repetition": "allow", "stop_penalty": 0.0}
        return replace(self, decoding=self.facts.free_decoding, **unruled)

    def generated(
        self,
        ids: Sequence[Sequence[int]],
        excerpts: Sequence[str],
        parts: Sequence[str],
        done: Collection[int],
        watch: Stopwatch | None,
    ) -> Iterator[Answer]:
        """Yield the answers that are not ``done``, block by block; ``watch`` is not used."""
        parts = list(parts) or [""] * len(ids)
        batches = plan_batches([len(row) for row in ids], self.block_size(len(ids)), parts)
        batches = [batch for batch in batches if not all(i in done for i in batch)]
        blocks = [
            (
                "answers",
                (
                    [list(ids[i]) for i in batch],
                    [excerpts[i] for i in batch],
                    [parts[i] for i in batch],
                    [k for k, i in enumerate(batch) if i in done],
                ),
            )
            for batch in batches
        ]
        for place, rows in self.crew.work(blocks):
            for row in rows:
                yield replace(row, index=batches[place][row.index])

    def block_size(self, n: int) -> int:
        """Return the rows per block: a batch, or fewer if answers do not depend on the batch."""
        if "any company" not in self.decoding:
            return self.batch_size
        return max(1, min(self.batch_size, -(-n // (BLOCKS_A_DEVICE * self.crew.n))))

    def losses(self, rows: Sequence[Encoded]) -> Iterator[float]:
        """Return the nats of each reference, in order."""
        starts = range(0, len(rows), LOSSES_A_BLOCK)
        blocks = [("losses", (list(rows[i : i + LOSSES_A_BLOCK]),)) for i in starts]
        found = dict(self.crew.work(blocks))
        return (value for place in sorted(found) for value in found[place])

    def alone(self, ids: Sequence[Sequence[int]], excerpts: Sequence[str]) -> dict[str, float]:
        """Measure the latency of single requests, on one device."""
        block = ("alone", ([list(row) for row in ids], list(excerpts)))
        return dict(self.crew.work([block]))[0]


def ray_answerer(params: Params, *, weights: Path) -> RayAnswerer:
    """Load the model on every device of the cluster.

    An adapter is sent to the devices; all other weights must be there.
    """
    ray, p, files = connect(), params.predict, {}
    folder = str(weights.absolute()) if weights.is_dir() else ""
    if folder and not is_full(weights):
        files = {file.name: file.read_bytes() for file in weights.iterdir() if file.is_file()}
    load = (params, folder, ray.put(files), os.getcwd())
    crew = Crew(ray, load)
    assert crew.facts is not None
    return RayAnswerer(
        load_tokenizer(base_folder(params.model), revision=params.model.revision),
        crew,
        p.max_new_tokens, p.batch_size, p.grounding, p.repetition, p.stop_penalty,
        crew.facts.decoding,
    )  # fmt: skip
