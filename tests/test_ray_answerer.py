"""The predict stage on a real Ray cluster: what one machine writes, also when a node dies."""

from ray_nodes import cluster  # noqa: F401
from test_predict_stage import killed_after_two, run  # noqa: F401

from finllm.scoring.journal import Journal


def results(found):
    """What the stage wrote, without its costs."""
    metrics, *rows = found
    return {key: value for key, value in metrics.items() if key not in ("cost", "provenance")}, rows


def test_two_nodes_answer_as_one_machine_does(cluster, run):  # noqa: F811
    asked = {"grounding": "figures", "repetition": "bullets"}
    assert results(run("base", **asked)) == results(run("base", **asked, engine="ray"))


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
