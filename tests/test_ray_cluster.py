"""Stages on a real Ray cluster of two nodes: what one machine writes, also when a node dies."""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from ray_nodes import cluster, ray  # noqa: F401
from ruamel.yaml import YAML

from finllm.commands.score.score_predictions import _scorer
from finllm.runtime import ray_cluster
from finllm.runtime.parallel import map_batches
from stages import clean, filter, sample, templatize

ROOT = Path(__file__).parents[1]
N_CALLS = 160
STAGES = {
    clean: "--source data/raw/sample --transfer data/raw/none --transcripts {0}/transcripts.jsonl"
    " --rejects {0}/rejects.jsonl --metrics {0}/clean.json",
    filter: "--transcripts {0}/transcripts.jsonl --ratings ratings --kept {0}/kept.jsonl"
    " --dropped {0}/dropped.jsonl --trimmed {0}/trimmed.jsonl --groups {0}/groups.json"
    " --review {0}/sample.csv --plots {0}/plots --metrics {0}/filter.json",
    templatize: "--kept {0}/kept.jsonl --examples {0}/examples.jsonl"
    " --rejects {0}/not_templated.jsonl --metrics {0}/templatize.json",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with the sample and what the stages write from it on this machine, in ``local``."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "ratings").mkdir()
        write_params(engine="local")
        run(patch, sample, "--folder data/raw/sample --german data/raw/sample_de")
        for stage, flags in STAGES.items():
            run(patch, stage, flags.format("local"))
    return folder


@pytest.fixture
def in_project(project, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.setattr("finllm.runtime.parallel.MIN_BATCHES", 2)
    write_params(engine="ray")


def write_params(*, engine):
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["sample"].update(n_calls=N_CALLS)
    params["execution"]["engine"] = engine
    with open("params.yaml", "w", encoding="utf-8") as file:
        yaml.dump(params, file)


def run(patch, stage, flags):
    patch.setattr(sys, "argv", [stage.__name__, *flags.split()])
    stage.main()


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_stages_write_on_two_nodes_what_one_machine_writes(cluster, in_project, monkeypatch):  # noqa: F811
    for stage, flags in STAGES.items():
        run(monkeypatch, stage, flags.format("ray"))
    here, there = contents(Path("local")), contents(Path("ray"))
    assert len(here) > 10 and here == there


def test_a_node_that_dies_during_clean_changes_no_byte(cluster, in_project, monkeypatch):  # noqa: F811
    doomed, used = cluster.add_node(num_cpus=1), set()
    read = clean.read_sources

    def killing(folders):
        for number, record in enumerate(read(folders)):
            if number == 100:
                used.update(node["NodeID"] for node in ray.nodes() if node["Alive"])
                cluster.remove_node(doomed, allow_graceful=False)
            yield record

    monkeypatch.setattr(clean, "read_sources", killing)
    run(monkeypatch, clean, STAGES[clean].format("killed"))
    assert len(used) == 3 and not doomed.any_processes_alive()
    whole = contents(Path("local"))
    assert all(whole[path] == content for path, content in contents(Path("killed")).items())


def squarer():
    return lambda batch: [x**2 for x in batch]


def refuser(bad):
    def work(batch):
        if bad in batch:
            raise ValueError(f"{bad} is not wanted")
        return batch

    return work


def killer(bad):
    def work(batch):
        if bad in batch:
            os.kill(os.getpid(), signal.SIGKILL)
        return batch

    return work


def terms_of(file):
    Path(file).read_text(encoding="utf-8")


def places():
    return lambda batch: ray.get_runtime_context().get_node_id()


def on_ray(prepare, records, **options):
    return list(map_batches(prepare, records, n_workers=1, batch_size=2, engine="ray", **options))


def test_results_come_in_order_from_both_nodes(cluster):  # noqa: F811
    found = on_ray(squarer, range(101))
    assert [x for batch in found for x in batch] == [x**2 for x in range(101)]
    assert len(set(on_ray(places, range(101)))) == 2


def test_a_record_that_kills_its_worker_costs_itself(cluster, monkeypatch):  # noqa: F811
    monkeypatch.setattr(ray_cluster, "MAX_RETRIES", 0)
    found = on_ray(partial(killer, 70), range(100), lost=lambda record: [f"lost {record}"])
    assert [x for batch in found for x in batch] == [*range(70), "lost 70", *range(71, 100)]
    with pytest.raises(OSError, match="this record kills its worker: 70"):
        on_ray(partial(killer, 70), range(100))


def test_an_error_of_the_work_is_raised_as_it_is(cluster):  # noqa: F811
    with pytest.raises(ValueError, match="^70 is not wanted$"):
        on_ray(partial(refuser, 70), range(100))


def test_a_worker_without_the_lexicon_is_one_sentence_that_names_node_and_file(cluster):  # noqa: F811
    with pytest.raises(ValueError, match=r"^on node [\d.]+: .*missing\.tsv.*exists on every node$"):
        on_ray(partial(terms_of, "missing.tsv"), range(100))


def test_scores_from_two_nodes_are_those_of_one_machine(cluster, monkeypatch):  # noqa: F811
    monkeypatch.setattr("finllm.runtime.parallel.MIN_BATCHES", 2)
    rows = [(f"Up {i}%.", f"Revenue rose {i % 7}%.", f"It rose {i % 7}%.") for i in range(60)]
    here = list(map_batches(_scorer, rows, n_workers=1, batch_size=8))
    there = list(map_batches(_scorer, rows, n_workers=1, batch_size=8, engine="ray"))
    assert here == there and len(here) == 8


def test_an_address_where_no_cluster_answers_is_one_sentence_in_time(monkeypatch):
    monkeypatch.setattr(ray_cluster, "SECONDS_TO_ANSWER", 4)
    started = time.monotonic()
    with pytest.raises(OSError, match=r"^RAY_ADDRESS is 127\.0\.0\.1:9, where no .* 4 seconds"):
        ray_cluster.check_answers("127.0.0.1:9")
    assert time.monotonic() - started < 8


def test_an_address_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="RAY_ADDRESS is ray://head:10001; it must be HOST:PORT"):
        ray_cluster.check_answers("ray://head:10001")


def test_a_node_with_another_version_of_ray_is_one_sentence(cluster, monkeypatch):  # noqa: F811
    other = "import ray\nray.__version__ = '1.0.0'\n" + ray_cluster._PROBE
    monkeypatch.setattr(ray_cluster, "_PROBE", other)
    with pytest.raises(OSError, match=r"RAY_ADDRESS is .*: Version mismatch: .*1\.0\.0") as caught:
        ray_cluster.check_answers(cluster.address)
    assert "\n" not in str(caught.value)


def test_a_full_object_store_is_one_sentence(cluster, monkeypatch):  # noqa: F811
    def full(value):
        raise ray.exceptions.ObjectStoreFullError("Failed to put object\nThe local object store...")

    monkeypatch.setattr(ray, "put", full)
    with pytest.raises(OSError, match="^Ray's object store is full; start .*memory.*$"):
        on_ray(squarer, range(100))
