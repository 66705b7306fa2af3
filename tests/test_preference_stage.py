"""Preference tuning in the pipeline: off it costs nothing, on it is compared, planned and shown."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_example, tiny_llama
from ruamel.yaml import YAML
from safetensors.torch import load_file
from test_report import PRIMARY, decided, make_evidence, render, render_markdown

from finllm.commands.plan.plan_text import page as plan_page
from finllm.comparing.chain import chain
from finllm.instruct import chat
from finllm.model import attention
from finllm.model.adapter import save_adapter
from finllm.model.loading import add_lora
from finllm.planning.plan_request import plan_params
from finllm.preference.encoding import EncodedPair
from finllm.preference.pairs import read_pairs
from finllm.preference.run import _fit
from finllm.rating.answered import Answered, keep_answered
from finllm.rating.clicks import Click, append
from finllm.records import METRICS, Score, write_jsonl
from finllm.report.candidate import with_candidate
from finllm.report.outcome import from_metrics, to_metrics
from finllm.report.summary import preferred
from finllm.report.verdict_text import sentence, terminal
from finllm.settings.params import load_params
from finllm.stats.inference import infer_mean
from finllm.stats.multiplicity import holm
from stages import prefer

ROOT = Path(__file__).parents[1]
COMPANIES = [f"c{i}" for i in range(12)]
NOISE = np.random.default_rng(3).normal(0, 0.03, 24)
SETTINGS = {"primary": "number_accuracy", "alpha": 0.05, "n_bootstrap": 999, "seed": 7}


def shipped(folder, **sections):
    document = YAML(typ="safe").load(ROOT / "params.yaml")
    for section, values in sections.items():
        document[section].update(values)
    with open(folder / "params.yaml", "w", encoding="utf-8") as file:
        YAML(typ="safe").dump(document, file)
    return load_params(folder / "params.yaml")


SETS = ("train", "val", "test", "transfer")


def test_where_it_is_off_the_stage_says_so_and_loads_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped(tmp_path)
    for name in SETS:
        write_jsonl(Path(f"{name}.jsonl"), [make_example()])
    given = {name: f"{name}.jsonl" for name in SETS} | {
        "groups": "groups.json",
        "ratings": "ratings",
    }
    given |= {"adapter": "adapter", "preferred": "preferred", "pairs": "pairs.jsonl"}
    given |= {"curve": "curve.csv", "metrics": "details.json", "costs": "costs.json"}
    argv = [part for flag, value in given.items() for part in (f"--{flag}", value)]
    monkeypatch.setattr(sys, "argv", ["prefer", *argv])
    Path("preferred").mkdir()
    Path("preferred/adapter_config.json").write_text("{}")  # of the run before
    assert prefer.main() == "off: prefer.method is none"
    assert [path.name for path in Path("preferred").iterdir()] == ["off.txt"]
    assert json.loads(Path("details.json").read_text()) == {
        "pairs": 0,
        "forgetting": {"ratio": 1.0},
    }
    assert Path("pairs.jsonl").read_text() == Path("curve.csv").read_text() == ""


CALL = "In q3 2021 revenue rose 12% to $4.2 billion and net income was $310 million."
ANSWER = "q3 revenue rose 12% to $4.2 billion\nnet income was $310 million"


def an_example(name, i, *, more=""):
    """One of a company of its own."""
    return make_example(
        f"{name}{i}",
        transcript_id=f"{name}{i}",
        company=f"{name} {i}",
        excerpt=CALL + more,
        answer=ANSWER,
    )


@pytest.fixture
def run(tmp_path, chatml, monkeypatch):
    """The stage's main on a tiny model with an adapter and examples of three companies a set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINLLM_CHECKPOINTS", str(tmp_path / "checkpoints"))
    tiny_llama().save_pretrained("tiny")
    chatml.save_pretrained("tiny")
    adapted = add_lora(
        tiny_llama(attention.NAME),
        r=4, alpha=8, dropout=0.1, targets="all-linear", checkpoint_layers=0, seed=0,
    )  # fmt: skip
    save_adapter(adapted, Path("adapter"), base_name="tiny", revision="")
    given = {name: f"{name}.jsonl" for name in SETS} | {
        "groups": "groups.json",
        "ratings": "ratings",
    }
    for name in SETS:
        rows = [an_example(name, i) for i in range(3)]
        write_jsonl(Path(given[name]), rows)
    Path("groups.json").write_text("{}")
    given |= {"adapter": "adapter", "preferred": "preferred", "pairs": "pairs.jsonl"}
    given |= {"curve": "curve.csv", "metrics": "details.json", "costs": "costs.json"}
    argv = [part for flag, value in given.items() for part in (f"--{flag}", value)]
    monkeypatch.setattr(sys, "argv", ["prefer", *argv])

    def go(**knobs):
        model = {"name": "tiny", "gguf_package": "", "gguf_file": "", "quantization": "none"}
        shipped(
            tmp_path,
            model={**model, "compute_dtype": "float32"},
            train={"checkpoint_every": 1},
            predict={"max_new_tokens": 4},
            prefer={"method": "dpo", "learning_rate": 1e-3, **knobs},
        )
        return prefer.main()

    return go


def test_the_stage_trains_the_adapter_on_pairs_of_training_companies(run):
    said = run(weights={"corrupted": 1.0, "sampled": 0.0, "rated": 0.0})
    assert said.startswith("the chosen answer leads in") and said.endswith("of 3")
    pairs = read_pairs(Path("pairs.jsonl"))
    assert len(pairs) == 18 and {pair.company for pair in pairs} == {f"train {i}" for i in range(3)}
    details = json.loads(Path("details.json").read_text())
    assert (
        details["by_part"] == {"train": 12, "val": 6} and details["audit"]["shared_companies"] == 0
    )
    assert details["left_out"] == {"not_worse": 0, "unstated_lines": 0}
    assert details["kinds_by_part"] == {"train": {"corrupted": 12}, "val": {"corrupted": 6}}
    assert details["n_steps"] == 3 and details["after"]["loss"] < details["before"]["loss"]
    assert details["alarms"].keys() >= {"explosion", "vanishing"}
    curve = Path("curve.csv").read_text().splitlines()
    assert curve[0] == "step,loss,accuracy,lead_nats,chosen_nats,drift_nats" and len(curve) == 4
    before, after = (
        Path(folder, "adapter_model.safetensors").read_bytes()
        for folder in ("adapter", "preferred")
    )
    assert len(before) == len(after) and before != after
    assert not list(Path("checkpoints").rglob("step-*"))
    assert "cost" in json.loads(Path("costs.json").read_text()) and "cost" not in details


def test_what_people_preferred_of_training_examples_is_trained_on_and_nothing_of_the_test_set(
    run, chatml
):
    system = YAML(typ="safe").load(ROOT / "params.yaml")["templatize"]["system_prompt"]
    rows = [an_example("train", i) for i in range(3)] + [an_example("test", 0)]
    prompts = [chat.prompt_sha256(chat.render_example(chatml, row, system)) for row in rows]
    kept = [
        Answered(row.id, prompt, "w", "revenue rose", f"{row.id} fell")
        for row, prompt in zip(rows, prompts, strict=True)
    ]
    keep_answered(Path("ratings"), kept)
    for row in kept:
        said = ("preference", "", "A", "base", row.sha256, "2026-01-01")
        append(Path("ratings"), Click("ann", row.example_id, *said))
    run(weights={"corrupted": 0.0, "sampled": 0.0, "rated": 1.0})
    pairs = read_pairs(Path("pairs.jsonl"))
    assert {(pair.company, pair.chosen) for pair in pairs} == {
        (f"train {i}", "revenue rose") for i in range(3)
    }
    details = json.loads(Path("details.json").read_text())
    assert details["by_kind"] == {"rated": 3} and details["audit"]["shared_companies"] == 0
    assert details["left_out"] == {"rated_even": 0, "rated_cut": 0, "rated_of_other_examples": 1}


def test_kto_without_a_reference_is_refused_with_what_to_set(tmp_path):
    with pytest.raises(
        ValueError, match=r"prefer\.method is kto .* set prefer\.reference to tuned"
    ):
        shipped(tmp_path, prefer={"method": "kto", "reference": "none"})


def test_simpo_with_a_beta_that_asks_for_a_lead_no_answer_has_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"prefer\.beta is 0\.1 .* 5 nats a token.* 2 or more"):
        shipped(tmp_path, prefer={"method": "simpo"})
    assert shipped(tmp_path, prefer={"method": "simpo", "beta": 2.0}).prefer.beta == 2.0


def test_kto_trains_on_the_same_pairs_and_a_run_without_a_better_step_says_so(run):
    only = {"corrupted": 1.0, "sampled": 0.0, "rated": 0.0}
    with pytest.raises(ValueError, match="answers to other prompts, but all 18 preference pairs"):
        run(method="kto", weights=only)
    rows = [an_example("train", i, more=" Good morning." * i) for i in range(3)]
    write_jsonl(Path("train.jsonl"), rows)
    said = run(method="kto", weights=only)
    assert said == (
        "no step lowered the loss on the pairs left out: the preferred model is the tuned model"
    )
    details = json.loads(Path("details.json").read_text())
    assert details["best_step"] == 0 and details["alarms"]["no_improvement"] == 1
    tuned, kept = (
        load_file(Path(folder, "adapter_model.safetensors")) for folder in ("adapter", "preferred")
    )
    assert all(kept[name].equal(value) for name, value in tuned.items())
    assert details["before"]["loss"] == pytest.approx(0.5, rel=1e-3)
    losses = [float(line.split(",")[1]) for line in Path("curve.csv").read_text().split()[1:]]
    assert losses[0] == pytest.approx(0.5, rel=1e-3) and losses[-1] < losses[0]


@pytest.mark.parametrize("every", [0, 1])
def test_without_memory_the_advice_is_to_recompute_only_where_layers_are_not(
    every, tmp_path, monkeypatch
):
    params = shipped(tmp_path, train={"checkpoint_layers": every})
    monkeypatch.setattr(
        "finllm.preference.run.training_arguments", lambda **_: torch.empty(2**60)
    )  # more than any machine has
    pair = EncodedPair([1, 2], ([3], [4]))
    with pytest.raises(ValueError, match="out of memory") as said:
        _fit(params, None, None, [pair], [pair], checkpointer=None, monitor=None)
    assert ("train.checkpoint_layers" in str(said.value)) == (every == 0)


def test_a_preference_of_nobody_is_one_message(run):
    with pytest.raises(ValueError, match=r"prefer\.weights\.rated is 1, and no human preference"):
        run(weights={"corrupted": 0.0, "sampled": 0.0, "rated": 1.0})
    assert not Path("preferred").exists()


def test_samples_that_all_rank_the_same_leave_no_pair_and_the_message_says_what_to_raise(run):
    with pytest.raises(ValueError, match=r"prefer\.weights\.sampled is 1.*were cut; raise"):
        run(weights={"corrupted": 0.0, "sampled": 1.0, "rated": 0.0}, samples=2)
    assert not Path("preferred").exists()


def scores(models):
    """Two examples of each of twelve companies, by model and mean."""
    place = ("Energy", "2021Q3", "summarization", "human")
    return [
        Score(
            f"e{i}", model, "test", COMPANIES[i // 2], *place,
            {**dict.fromkeys(METRICS), "number_accuracy": value + noise * x},
        )
        for model, (value, noise) in models.items()
        for i, x in enumerate(NOISE)
    ]  # fmt: skip


CHAIN = {"base": (0.3, 0), "tuned": (0.5, 1), "preferred": (0.53, 2)}


def test_each_model_is_held_against_the_one_before_it_and_corrected():
    first, second = found = chain(scores(CHAIN), **SETTINGS)
    assert [(row["before"], row["after"]) for row in found] == [
        ("base", "tuned"),
        ("tuned", "preferred"),
    ]
    assert first["estimate"] == pytest.approx(0.2 + NOISE.mean())
    assert second["before_mean"] == pytest.approx(0.5 + NOISE.mean())
    companies = [COMPANIES[i // 2] for i in range(24)]
    alone = infer_mean(
        0.03 + NOISE,
        companies,
        confidence=0.975,
        n_bootstrap=999,
        rng=np.random.default_rng([7, 1]),
    )
    assert (second["low"], second["high"]) == pytest.approx((alone.low, alone.high))
    expected = holm([first["p_value"], second["p_value"]])
    assert [row["p_corrected"] for row in found] == pytest.approx(list(expected))


def test_without_a_preferred_model_there_is_no_chain():
    rows = scores({name: CHAIN[name] for name in ("base", "tuned")})
    assert chain(rows, **SETTINGS) == []
    assert preferred([]) == {}


def test_the_summary_has_the_preferred_model_beside_its_gain_over_the_tuned_one():
    found = preferred(chain(scores(CHAIN), **SETTINGS))
    assert found["Preferred"] == pytest.approx(0.53 + 2 * NOISE.mean())
    assert found["Preferred/gain"] == pytest.approx(0.03 + NOISE.mean())


def test_the_candidate_stands_in_the_place_of_the_tuned_model():
    rows = scores(CHAIN)
    assert with_candidate(rows, "tuned") == rows
    found = with_candidate(rows, "preferred")
    assert {row.model for row in found} == {"base", "tuned"}
    values = [row.values["number_accuracy"] for row in found if row.model == "tuned"]
    assert values == [r.values["number_accuracy"] for r in rows if r.model == "preferred"]


def test_the_report_shows_the_chain_only_where_there_is_one():
    evidence = make_evidence()
    assert "step by step" not in render(evidence)
    evidence.metrics["significance"]["chain"] = chain(scores(CHAIN), **SETTINGS)
    shown = render(evidence)
    assert "step by step" in shown and "tuned → preferred" in shown
    assert "a family of tests of their own" in shown
    assert "| tuned → preferred |" in render_markdown(evidence)


def test_a_verdict_on_the_preferred_model_says_so_and_one_on_the_tuned_model_is_as_before():
    plain = decided(make_evidence())
    assert "candidate" not in to_metrics(plain)
    found = replace(plain, candidate="preferred")
    assert from_metrics(to_metrics(found)) == found
    assert "fine-tuning with preferences" in sentence(found)
    assert "\n  preferred " in terminal(found, "x") and "\n  tuned " in terminal(plain, "x")
    assert PRIMARY == found.primary_metric


def test_the_plan_counts_two_rows_a_pair(tmp_path):
    request = {"launcher": "", "devices": 0, "examples": 10, "tokens_per_second": 0.0}
    request |= {"train_set": None, "metrics": None}
    off = plan_params(shipped(tmp_path), **request)
    assert off.preferred is None and "preference" not in plan_page(off)
    model = {"compute_dtype": "float32"}
    same = plan_params(
        shipped(tmp_path, model=model, prefer={"method": "dpo", "batch_size": 2}), **request
    )
    more = plan_params(
        shipped(tmp_path, model=model, prefer={"method": "dpo", "batch_size": 8}), **request
    )
    assert more.preferred.activations > 3 * same.preferred.activations
    assert "peak of preference tuning" in plan_page(more)
    assert same.setting.batch_size == 4 and same.preferred.peak <= same.memory.peak
