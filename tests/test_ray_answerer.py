"""The predict stage on a real Ray cluster: what one machine writes, also when a node dies."""

import os
import signal
from pathlib import Path

import pytest
from conftest import tiny_llama
from peft import LoraConfig, get_peft_model
from ray_nodes import cluster  # noqa: F401
from test_predict_stage import killed_after_two, run  # noqa: F401

from finllm.answering import ray_answerer
from finllm.answering.journal import Journal
from finllm.answering.ray_answerer import Crew, Device, Facts, places
from finllm.settings.params import load_params


def results(found):
    """What the stage wrote, without its costs."""
    metrics, *rows = found
    return {key: value for key, value in metrics.items() if key not in ("cost", "provenance")}, rows


def test_two_nodes_answer_as_one_machine_does(cluster, run):  # noqa: F811
    asked = {"grounding": "figures", "repetition": "bullets"}
    assert results(run("base", **asked)) == results(run("base", **asked, engine="ray"))


def test_an_adapter_is_sent_to_the_nodes(cluster, run):  # noqa: F811
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(tiny_llama().bfloat16(), config).save_pretrained("adapter")
    here, there = (run("tuned", weights="adapter", engine=e) for e in ("local", "ray"))
    assert results(here) == results(there)
    assert here[1][0].weights_sha256 != run("base")[1][0].weights_sha256


def test_a_node_that_dies_during_predict_costs_its_block_only(cluster, run, monkeypatch):  # noqa: F811
    here, doomed, kept = run("base"), cluster.add_node(num_cpus=1), Journal.keep

    def killing(self, answers):
        for number, answer in enumerate(kept(self, answers)):
            if number == 1:
                cluster.remove_node(doomed, allow_graceful=False)
            yield answer

    monkeypatch.setattr(Journal, "keep", killing)
    assert results(run("base", engine="ray")) == results(here)
    assert not doomed.any_processes_alive()


def test_a_killed_driver_goes_on_from_its_journal(cluster, run, monkeypatch):  # noqa: F811
    whole = run("base")
    journal = killed_after_two(run, monkeypatch, engine="ray")
    assert len(journal.read_text().splitlines()) == 2
    again = run("base", engine="ray")
    assert again[0]["cost"]["answers_before_a_kill"] == 2 and results(again) == results(whole)


class Killing:
    """References whose reading ends the process."""

    def __iter__(self):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_block_that_ends_every_device_stops_the_stage(cluster, run, monkeypatch):  # noqa: F811
    run("base")
    answerer = ray_answerer.ray_answerer(load_params(Path("params.yaml")), weights=Path("none.txt"))
    monkeypatch.setattr(ray_answerer, "MAX_TRIES", 1)
    with pytest.raises(OSError, match="a block of prompts killed its device 1 times") as caught:
        list(answerer.crew.work([("losses", (Killing(),))]))
    assert "\n" not in str(caught.value)


def test_a_node_without_the_tuned_weights_does_not_answer_as_the_base(run):  # noqa: F811
    run("base")
    with pytest.raises(ValueError, match=r"^on node .*: /nowhere: no such folder; .* every node"):
        Device().load(load_params(Path("params.yaml")), "/nowhere", {}, os.getcwd())


def facts(node, **identity):
    return Facts(node, node, identity, "greedy", "greedy", "float32", 512, "0", None)


def test_nodes_that_would_answer_otherwise_are_refused_by_what_differs():
    crew = Crew.__new__(Crew)
    crew.facts = facts("10.0.0.1", weights="0", arithmetic="AMX")
    crew._join(facts("10.0.0.2", weights="0", arithmetic="AMX"))
    with pytest.raises(ValueError, match=r"10\.0\.0\.1 and 10\.0\.0\.3 differ in arithmetic,"):
        crew._join(facts("10.0.0.3", weights="0", arithmetic="AVX2"))


def test_there_is_an_actor_a_gpu_or_where_there_is_none_a_node():
    cpu, gpu = {"CPU": 16.0}, {"CPU": 8.0, "GPU": 4.0}
    alive = [{"Alive": True, "Resources": each} for each in (cpu, gpu, {"CPU": 0.0})]
    dead = {"Alive": False, "Resources": {"CPU": 2.0, "GPU": 8.0}}
    assert places([*alive, dead]) == (4, {"num_gpus": 1})
    assert places([alive[0], alive[0], alive[2], dead]) == (2, {"num_cpus": 16})
