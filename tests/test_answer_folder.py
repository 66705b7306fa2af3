"""A tiny model answers a folder of calls, as the pipeline asks; bad input is refused."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from conftest import make_call, tiny_llama
from ruamel.yaml import YAML

from finllm.answering.journal import Journal
from finllm.cli import main
from finllm.commands.predict.answer_folder import answer_folder, questions
from finllm.corpus.detection import detect
from finllm.corpus.sources import read_described
from finllm.instruct import chat, examples, templates
from finllm.instruct.drafting import call_generator, token_budget
from finllm.languages.lexicon import load_lexicon
from finllm.records import Example, Turn, read_jsonl
from finllm.settings.params import load_params

ROOT = Path(__file__).parents[1]
TEXT = (
    "Good morning and welcome.\nRevenue grew 12% to $4.2 billion.\nNet income fell to $310 million."
)
IDS = ["ACME_q1_2021", "BETA_q3_2020", "notes"]


@pytest.fixture
def workspace(tmp_path, chatml, monkeypatch):
    """A working folder with a tiny base model, its params.yaml, and three calls as ECTSum has."""
    monkeypatch.chdir(tmp_path)
    tiny_llama().bfloat16().save_pretrained(tmp_path / "base")
    chatml.save_pretrained(tmp_path / "base")
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["model"].update(name="base", gguf_package="", gguf_file="")
    params["predict"].update(max_new_tokens=4)
    params["templatize"].update(max_tokens=600)  # the tiny tokenizer has few words
    with open("params.yaml", "w", encoding="utf-8") as file:
        yaml.dump(params, file)
    (tmp_path / "calls/ects").mkdir(parents=True)
    for n, name in enumerate(reversed(IDS)):
        text = f"{TEXT}\nWe opened {n + 2} plants."
        (tmp_path / f"calls/ects/{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def predict(*words):
    main(["predict", "--input", "calls", "--output", "out.jsonl", "--model", "base", *words])
    return list(read_jsonl(Path("out.jsonl")))


def test_every_call_has_a_line_in_order_of_id(workspace, capsys):
    rows = predict()
    assert [row["id"] for row in rows] == IDS
    assert all(0 < row["n_new_tokens"] <= 4 and row["template"] == "summarization" for row in rows)
    assert all(isinstance(row["text"], str) and len(row["prompt_sha256"]) == 64 for row in rows)
    assert "3 answers" in capsys.readouterr().out
    assert not list(workspace.rglob("*.tmp")) + list(workspace.rglob("answers-*"))


def test_a_killed_run_goes_on_and_writes_the_same(workspace, monkeypatch, capsys):
    whole = predict()
    keep = Journal.keep

    def killed_after_one(self, answers):
        yield from islice(keep(self, answers), 1)
        raise RuntimeError("killed")

    Path("out.jsonl").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "keep", killed_after_one)
        with pytest.raises(RuntimeError, match="killed"):
            predict()
    assert not Path("out.jsonl").exists()
    capsys.readouterr()
    assert predict() == whole
    assert "resuming after 1 of 3 answers" in capsys.readouterr().out


def test_a_call_that_cannot_be_read_is_counted_and_not_dropped(workspace, capsys):
    Path("calls/ects/EMPTY_q1_2021.txt").write_text(" \n")
    rows = {row["id"]: row for row in predict()}
    assert rows["EMPTY_q1_2021"]["text"] == "" and len(rows) == 4
    assert rows["EMPTY_q1_2021"]["unanswered"].startswith("empty")
    assert "EMPTY_q1_2021: skipped" in capsys.readouterr().err


@pytest.mark.parametrize("template", templates.TEMPLATES)
def test_the_prompt_is_that_of_the_pipeline(chatml, tmp_path, template):
    chatml.save_pretrained(tmp_path)
    budget = token_budget(
        str(tmp_path),
        revision="",
        system_prompt="Be exact.",
        max_tokens=500,
        max_answer_tokens=200,
        sentences="rule",
    )
    told = " ".join(f"Revenue of plant {n} rose {n}% to ${n} million." for n in range(2, 40))
    first, *others = make_call().turns
    turns = [first, replace(first, role="executive", text=told), *others]
    lexicon, call = load_lexicon(""), make_call(turns=turns)
    drafts = examples.candidates(
        call, lexicon=lexicon, budget=budget, paraphrases=False, rng=call_generator(7, call.id)
    )
    (drafted,) = (d for d in drafts if isinstance(d, Example) and d.template == template)
    rng = call_generator(7, call.id)
    asked = examples.question(call, template, lexicon=lexicon, budget=budget, rng=rng)
    assert chat.render_example(chatml, asked, "Be exact.") == chat.render_example(
        chatml, drafted, "Be exact."
    )
    assert (asked.id, asked.answer, asked.n_prompt_tokens) == (
        drafted.id, "", drafted.n_prompt_tokens,
    )  # fmt: skip


def test_a_call_without_any_reference_is_asked_for_every_template(chatml, tmp_path):
    chatml.save_pretrained(tmp_path)
    budget = token_budget(
        str(tmp_path),
        revision="",
        system_prompt="",
        max_tokens=500,
        max_answer_tokens=200,
        sentences="rule",
    )
    call = make_call(turns=[Turn("", "unknown", "unknown", "Cash rose.")], summary=None)
    for template in templates.TEMPLATES:
        rng = np.random.default_rng(0)
        row = examples.question(call, template, lexicon=load_lexicon(""), budget=budget, rng=rng)
        assert row.excerpt == "Cash rose." and row.instruction == templates.wordings(template)[0]


def test_the_text_is_cleaned_as_the_clean_stage_does(workspace):
    Path("calls/ects/notes.txt").write_text("Revenue   grew\u00a012% to $4.2\u200b billion.")
    rows, _ = questions(
        Path("calls"), params=load_params(Path("params.yaml")), template="summarization"
    )
    assert rows[-1].excerpt == "Revenue grew 12% to $4.2 billion."


def test_folders_are_known_by_their_files(tmp_path):
    for name, file in {
        "flat": "A_q1_2021.txt",
        "splits": "val/ects/A_q1_2021.txt",
        "ectsum": "ects/A_q1_2021.txt",
    }.items():
        path = tmp_path / name / file
        path.parent.mkdir(parents=True)
        path.write_text(TEXT)
        (call,) = read_described(detect(tmp_path / name))
        assert (call.id, call.company, call.period) == ("A_q1_2021", "A", "2021Q1"), name
    path = tmp_path / "revcom/nlp/42.nlp"
    path.parent.mkdir(parents=True)
    path.write_text("token|speaker|punctuation|case\nrevenue|1||UC\nrose|1|.|LC\n")
    (call,) = read_described(detect(tmp_path / "revcom"))
    assert (call.id, call.text) == ("42", "Revenue rose.")
    path = tmp_path / "own/calls.jsonl"
    path.parent.mkdir()
    turn = {"speaker": "", "role": "unknown", "section": "unknown", "text": TEXT}
    row = {"id": "x", "company": "A", "period": "", "turns": [turn]}
    path.write_text(json.dumps(row) + "\n")
    (call,) = read_described(detect(tmp_path / "own"))
    assert call.id == "x"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--input", "nowhere"], "nowhere: no such folder"),
        (["--input", "void"], "void: no transcripts; readable are"),
        (["--template", "poetry"], "template 'poetry'; allowed: understanding"),
        (["--model", "best"], "model 'best'; allowed: base, tuned, preferred"),
        (["--model", "tuned"], "models/adapter: no tuned model; run `dvc repro train` first"),
        (["--model", "preferred"], "models/preferred: no preferred model; set prefer.method and"),
        (["--input", "blank"], "blank/a.txt empty: no text"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(workspace, words, says):
    Path("void").mkdir()
    Path("blank").mkdir()
    Path("blank/a.txt").write_text("")
    with pytest.raises(SystemExit, match="^finllm predict: ") as stopped:
        predict(*words)
    assert says in str(stopped.value) and "\n" not in str(stopped.value)
    assert not Path("out.jsonl").exists()


def test_the_tuned_model_is_the_one_of_the_folder(workspace):
    tiny_llama(seed=1).bfloat16().save_pretrained(workspace / "models/adapter")  # a full tuning
    params = load_params(Path("params.yaml"))
    found = {
        model: answer_folder(
            Path("calls"),
            Path(f"{model}.jsonl"),
            params=params,
            template="summarization",
            model=model,
            adapter=Path("models/adapter"),
        )
        for model in ("base", "tuned")
    }
    for base, tuned in zip(found["base"], found["tuned"], strict=True):
        assert base.prompt_sha256 == tuned.prompt_sha256
        assert base.weights_sha256 != tuned.weights_sha256
        assert base.text != tuned.text


def test_the_verdicts_candidate_answers_where_no_model_is_named(workspace):
    for name, seed in (("adapter", 1), ("preferred", 2)):
        tiny_llama(seed=seed).bfloat16().save_pretrained(workspace / "models" / name)
    words = ["predict", "--input", "calls", "--output", "out.jsonl"]

    def asked(**sections):
        yaml = YAML()
        params = yaml.load(Path("params.yaml"))
        for section, values in sections.items():
            params[section].update(values)
        yaml.dump(params, Path("params.yaml"))
        main(words)
        row = next(read_jsonl(Path("out.jsonl")))
        return row["model"], row["weights_sha256"]

    tuned = asked()
    preferred = asked(prefer={"method": "dpo"}, verdict={"candidate": "preferred"})
    assert (tuned[0], preferred[0]) == ("tuned", "preferred") and tuned[1] != preferred[1]
