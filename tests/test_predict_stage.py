"""The predict stage on a tiny model: what each of the three models is asked and writes."""

import json
import sys
from itertools import islice
from pathlib import Path

import pytest
from conftest import make_example, tiny_llama
from ruamel.yaml import YAML

from finllm.answering.journal import Journal
from finllm.instruct import chat
from finllm.instruct.disturbance import noisy, reworded
from finllm.records import read_losses, read_predictions, write_jsonl
from finllm.scoring.score import check_paired
from stages import predict

ROOT = Path(__file__).parents[1]
TRAIN = [make_example(f"s{i}", company=f"Other {i}", answer=f"It was {i}.") for i in range(4)]
TEST = [
    make_example("a", answer="Up 12%."),
    make_example("b", company="Bex", excerpt="Margins fell."),
]
TRANSFER = [make_example("t", company="Coda", excerpt="Costs rose.")]
FLAGS = ("test", "transfer", "reworded", "noise", "weights", "shots")


@pytest.fixture
def run(tmp_path, chatml, monkeypatch):
    """The stage's main for one model; its metrics and the three files it writes."""
    monkeypatch.chdir(tmp_path)
    tiny_llama().bfloat16().save_pretrained(tmp_path / "tiny")
    chatml.save_pretrained(tmp_path / "tiny")
    Path("none").mkdir()
    Path("weights.txt").write_text("")
    sets = {"train": TRAIN, "test": TEST, "transfer": TRANSFER, "reworded": reworded(TEST[:1])}
    for name, rows in {**sets, "noise": noisy(TEST, typo_share=0.5, seed=1)}.items():
        write_jsonl(Path(f"{name}.jsonl"), rows)

    def go(name, *, shots="none", weights="weights.txt", model=(), engine="local", **knobs):
        yaml = YAML()
        params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        params["model"].update(name="tiny", gguf_package="", gguf_file="", **dict(model))
        params["execution"].update(engine=engine)
        params["predict"].update(max_new_tokens=4, latency_prompts=1, **knobs)
        with open("params.yaml", "w", encoding="utf-8") as file:
            yaml.dump(params, file)
        given = {flag: f"{flag}.jsonl" for flag in FLAGS} | {"weights": weights}
        given |= {
            "shots": shots,
            "predictions": f"out/{name}.jsonl",
            "changed": "out/changed.jsonl",
        }
        given |= {"references": "out/references.jsonl", "metrics": f"out/{name}.json"}
        given |= {"costs": f"out/costs/{name}.json"}
        argv = [part for flag, value in given.items() for part in (f"--{flag}", value)]
        monkeypatch.setattr(sys, "argv", ["predict", *argv])
        predict.main()
        written = [read_predictions(Path(given[kind])) for kind in ("predictions", "changed")]
        losses = read_losses(Path(given["references"]))
        found, costs = (json.loads(Path(given[kind]).read_text()) for kind in ("metrics", "costs"))
        assert "cost" not in found
        return {**found, **costs}, *written, losses

    return go


def test_the_base_answers_every_set_and_its_references_are_weighed(run, chatml):
    metrics, rows, changed, losses = run("base")
    assert [(row.example_id, row.asked) for row in rows] == [("a", ""), ("b", ""), ("t", "")]
    asked = [("a", "reworded"), ("a", "noise"), ("b", "noise"), ("a", "free"), ("b", "free")]
    assert [(row.example_id, row.asked) for row in changed] == asked
    system = YAML(typ="safe").load(ROOT / "params.yaml")["templatize"]["system_prompt"]
    wanted = [chat.render_example(chatml, x, system) for x in (*TEST, *TRANSFER)]
    assert [row.prompt_sha256 for row in rows] == [chat.prompt_sha256(text) for text in wanted]
    assert len({row.prompt_sha256 for row in rows + changed}) == 6
    assert [(row.example_id, row.model) for row in losses] == [("a", "base"), ("b", "base")]
    ids = chat.encode_answer(chatml, "Up 12%.")
    assert losses[0].n_tokens == len(ids) and losses[0].nats > 0
    cost = metrics["cost"]
    assert metrics["answers"] == 3 and cost["latency"]["in_batch"]["n"] == 3 + len(asked)
    assert cost["latency"]["alone"]["n"] == 1
    assert cost["reading"]["seconds"] + cost["generation"]["seconds"] == pytest.approx(
        cost["seconds"]
    )
    assert not list(Path().rglob("answers-*")) + list(Path().rglob("*.tmp"))


def test_the_few_shot_base_is_asked_the_test_set_behind_its_examples(run):
    _, plain, _, _ = run("base")
    metrics, rows, changed, losses = run("fewshot", shots="train.jsonl", few_shot=2)
    assert [row.example_id for row in rows] == ["a", "b"] and not changed + losses
    assert metrics["few_shot"] == {"k": 2, "mean_shown": 2.0}
    assert all(row.model == "fewshot" for row in rows)
    for row, zero in zip(rows, plain, strict=False):
        assert row.prompt_sha256 != zero.prompt_sha256
        assert row.n_prompt_tokens > zero.n_prompt_tokens
        assert (row.weights_sha256, row.decoding) == (zero.weights_sha256, zero.decoding)


def test_every_model_answers_by_the_rules_of_the_run_and_says_so(run):
    rules = {"grounding": "figures", "repetition": "bullets"}
    metrics, zero, _, _ = run("base", **rules)
    shown_metrics, shown, _, _ = run("fewshot", shots="train.jsonl", few_shot=2, **rules)
    _, _, changed, _ = run("base", **rules)
    plain_metrics, plain, asked_otherwise, _ = run("base", grounding="none", repetition="allow")
    # the examples of the noisy set once more, without the rules: what they would have been
    free = [(row.example_id, row.text, row.decoding) for row in changed if row.asked == "free"]
    assert free == [(row.example_id, row.text, row.decoding) for row in plain[:2]]
    assert {row.asked for row in asked_otherwise} == {"reworded", "noise"}
    for found in (metrics, shown_metrics):
        assert rules.items() <= found["decoding"].items()
    assert plain_metrics["decoding"]["grounding"] == "none"
    assert plain_metrics["decoding"]["repetition"] == "allow"
    assert {row.decoding for row in zero} == {row.decoding for row in shown}
    with pytest.raises(ValueError, match=r"decoded in 2 ways.*figures of the excerpt alone"):
        check_paired([*TEST, *TRANSFER], {"base": plain, "tuned": zero})


def test_without_examples_to_show_the_few_shot_base_is_no_model(run):
    metrics, rows, changed, losses = run("fewshot", shots="train.jsonl", few_shot=0)
    assert metrics == {"answers": 0} and rows == changed == losses == []


def test_weights_that_say_that_they_are_off_are_no_model(run, tmp_path):
    Path("off").mkdir()
    Path("off/off.txt").write_text("prefer.method is none\n")
    metrics, rows, changed, losses = run("preferred", weights="off")
    assert metrics == {"answers": 0} and rows == changed == losses == []


def killed_after_two(run, monkeypatch, **settings):
    """The base is asked, and the run ends when two answers are on the disk."""
    keep = Journal.keep

    def two(self, answers):
        yield from islice(keep(self, answers), 2)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "keep", two)
        with pytest.raises(KeyboardInterrupt):
            run("base", **settings)
    (journal,) = Path().rglob("answers-*")
    return journal


def test_a_killed_run_goes_on_and_writes_the_same(run, monkeypatch):
    _, *whole = run("base")
    killed_after_two(run, monkeypatch)
    metrics, *again = run("base")
    assert again == whole
    cost = metrics["cost"]
    assert cost["answers_before_a_kill"] == 2 and "reading" not in cost
    assert cost["latency"]["in_batch"]["n"] == 6


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"quantization": "nf4"}),
        ({"quantization": "nf4"}, {"quantization": "fp4"}),
        ({"quantization": "nf4"}, {"quantization": "nf4", "model": {"double_quantization": False}}),
        ({}, {"model": {"compute_dtype": "float32"}}),
        ({}, {"batch_size": 2}),
        ({}, "limit"),
    ],
)
def test_a_run_that_is_killed_and_started_otherwise_uses_none_of_its_answers(
    run, monkeypatch, before, after
):
    journal = killed_after_two(run, monkeypatch, **before)
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    journal.write_text("".join(json.dumps({**row, "ids": [7] * 50}) + "\n" for row in rows))
    if after == "limit":
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")  # too late for this process, but read
        after = {}
    metrics, rows, _, _ = run("base", **{**before, **after})
    assert metrics["cost"]["answers_before_a_kill"] == 0
    assert all(row.n_new_tokens <= 4 for row in rows)
    assert journal.exists(), "it is left for the return of what was killed"
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    metrics, again, changed, _ = run("base", **before)  # back to it: its answers, forged, are taken
    assert metrics["cost"]["answers_before_a_kill"] == 2
    assert sum(row.n_new_tokens == 50 for row in again + changed) == 2
