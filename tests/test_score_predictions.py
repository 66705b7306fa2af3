"""A file of answers is scored by hand-made references; what is missing counts as 0."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import make_example

from finllm.cli import main
from finllm.commands.score.score_predictions import baseline_texts, light_values
from finllm.records import DOMAIN, LEXICAL, METRICS, write_jsonl
from finllm.scoring import baselines, score_example
from finllm.settings.params import load_params

ROOT = Path(__file__).parents[1]
SOURCES = {
    "ACME_q1_2021": "Welcome to the call.\nRevenue rose 12% to $4.2 billion.\nThe plant opened.\n"
    "Thank you.",
    "ACME_q2_2021": "Net income fell to $310 million.\nThank you.",
    "BETA_q1_2021": "Sales were $5 million, up 3%.\nCash rose.",
}
REFERENCES = {
    "ACME_q1_2021": "Revenue rose 12% to $4.2 billion.",
    "ACME_q2_2021": "Net income fell to $310 million.",
    "BETA_q1_2021": "Sales were $5 million.",
}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Three calls and their references as ECTSum has them, and one call without a reference."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    more = {"EXTRA_q1_2021": "Nobody wrote a summary of this."}
    for folder, texts in {"ects": SOURCES | more, "gt_summaries": REFERENCES}.items():
        (tmp_path / "val" / folder).mkdir(parents=True)
        for name, text in texts.items():
            (tmp_path / "val" / folder / f"{name}.txt").write_text(text, encoding="utf-8")
    write(REFERENCES)
    return tmp_path


def write(answers):
    rows = [json.dumps({"id": key, "text": text}) + "\n" for key, text in answers.items()]
    Path("answers.jsonl").write_text("".join(rows), encoding="utf-8")


def score(*words):
    main(
        ["score", "--predictions", "answers.jsonl", "--references", "val", "--sources", "val"]
        + ["--params", str(ROOT / "params.yaml"), "--json", "scores.json", *words]
    )
    return json.loads(Path("scores.json").read_text(encoding="utf-8"))


def test_the_references_as_answers_score_best_and_the_lead_stands_beside(workspace, capsys):
    found = score()
    answers, lead = found["table"]["predictions"], found["table"]["lead"]
    assert set(answers) == set(LEXICAL + DOMAIN)
    assert answers["rouge1"] == {"mean": 1.0, "low": None, "high": None}
    assert answers["number_accuracy"]["mean"] == 1.0
    by_hand = [
        score_example(" ".join(text.split("\n")[:3]), REFERENCES[key], text)["rouge1"]
        for key, text in SOURCES.items()
    ]
    assert lead["rouge1"]["mean"] == pytest.approx(np.mean(by_hand)) and min(by_hand) < 1
    assert found["counts"] == {"references": 3, "companies": 2, "missing": 0, "empty": 0}
    table = capsys.readouterr().out
    assert "3 references of 2 companies" in table
    lines = [line for line in table.splitlines() if line.startswith(METRICS)]
    assert len(lines) == len(LEXICAL + DOMAIN) and lines[0].startswith("rouge1 ")
    assert "1.000" in lines[0] and "[" not in "".join(lines)
    assert "means; an interval needs at least 5 companies" in table
    score("--json")  # the last one counts: no file, standard output
    printed = json.loads(capsys.readouterr().out)
    assert printed | {"seconds": 0} == found | {"seconds": 0}


def test_a_missing_and_an_empty_answer_score_0_and_are_counted(workspace, capsys):
    write({"ACME_q1_2021": REFERENCES["ACME_q1_2021"], "ACME_q2_2021": " "})
    found = score()
    assert found["counts"] == {"references": 3, "companies": 2, "missing": 1, "empty": 1}
    for metric, estimate in found["table"]["predictions"].items():
        assert estimate["mean"] == pytest.approx(1 / 3), metric
    assert "1 without a prediction, 1 empty" in capsys.readouterr().out


@pytest.mark.parametrize(("n", "has_interval"), [(1, False), (4, False), (5, True)])
def test_an_interval_takes_five_companies(workspace, capsys, n, has_interval):
    for folder in ("ects", "gt_summaries"):
        for path in Path("val", folder).glob("*.txt"):
            path.unlink()
    for i in range(n):
        Path(f"val/ects/C{i}_q1_2021.txt").write_text(f"Revenue rose {i} %. Costs fell.")
        Path(f"val/gt_summaries/C{i}_q1_2021.txt").write_text(f"Revenue rose {i} %.")
    write({f"C{i}_q1_2021": f"Revenue rose {i + i % 2} %." for i in range(n)})
    estimate = score()["table"]["predictions"]["rouge1"]
    table = capsys.readouterr().out
    assert (estimate["low"] is not None) == (estimate["high"] is not None) == has_interval
    assert ("mean [95% interval, companies resampled]" in table) == has_interval
    lines = [line for line in table.splitlines() if line.startswith(METRICS)]
    if has_interval:
        assert len({line.index("[", line.index("[") + 1) for line in lines}) == 1, "not aligned"
    else:
        assert "[" not in table


def test_the_nearest_training_answer_is_a_column_where_there_is_a_training_set(workspace):
    train = [
        make_example("a", excerpt="Cash rose. Sales were up.", answer="Sales were $5 million.")
    ]
    write_jsonl(Path("train.jsonl"), train)
    assert set(score()["table"]) == {"predictions", "lead", "dense"}
    found = score("--train", "train.jsonl")
    assert set(found["table"]) == {"predictions", "lead", "dense", "random", "nearest"}
    one = score_example("Sales were $5 million.", REFERENCES["BETA_q1_2021"], "x")["rouge1"]
    assert one == 1 and found["table"]["nearest"]["rouge1"]["mean"] > 1 / 3


def test_the_baselines_are_those_of_the_pipeline():
    train = [make_example("a", company="Beta", answer="Cash."), make_example("b", answer="Debt.")]
    asked = [
        make_example(key, company=key[:4].title(), excerpt=text) for key, text in SOURCES.items()
    ]
    theirs = baselines.baseline_answers(asked, train, rng=np.random.default_rng(3))
    assert baseline_texts(asked, train, 3) == {
        name: [by_id[example.id] for example in asked] for name, by_id in theirs.items()
    }
    assert "nearest_company" in theirs


def test_many_processes_score_as_one(workspace, monkeypatch):
    key = "ACME_q1_2021"
    rows = [make_example(f"e{n}", excerpt=SOURCES[key], answer=REFERENCES[key]) for n in range(130)]
    texts = {"predictions": [f"Revenue rose {n}% to $4.2 billion." for n in range(130)]}
    many = light_values(rows, texts)["predictions"]
    monkeypatch.setattr("finllm.commands.score.score_predictions.n_cores", lambda: 1)
    alone = light_values(rows, texts)["predictions"]
    assert {name: values.tolist() for name, values in many.items()} == {
        name: values.tolist() for name, values in alone.items()
    }
    assert alone["number_accuracy"].argmax() == 12


def test_the_semantic_metrics_load_their_encoder_once_for_all_columns(workspace, monkeypatch):
    from finllm.scoring import semantic

    calls = []

    def scores(candidates, references, **options):
        calls.append(options)
        same = [float(a == b) for a, b in zip(candidates, references, strict=True)]
        return semantic.SemanticScores(same, [0.5] * len(same), 2)

    monkeypatch.setattr(semantic, "semantic_scores", scores)
    monkeypatch.setattr(semantic, "encoder_folder", lambda name, package: name)
    monkeypatch.setattr(semantic, "signature", lambda encoder, layer: f"{encoder} {layer}")
    found = score("--semantic")
    p = load_params(ROOT / "params.yaml").evaluate
    assert calls == [
        {"encoder": p.encoder, "layer": p.encoder_layer, "batch_size": p.encoder_batch_size}
    ]
    assert found["table"]["predictions"]["bertscore"]["mean"] == 1
    assert found["table"]["lead"]["bertscore"]["mean"] == 0
    assert found["table"]["lead"]["similarity"]["mean"] == 0.5
    assert found["counts"]["texts_longer_than_the_encoder_reads"] == 2
    assert found["signatures"]["semantic"] == f"{p.encoder} {p.encoder_layer}"


def twice():
    text = Path("answers.jsonl").read_text()
    Path("answers.jsonl").write_text(text + text.splitlines()[0] + "\n")


BAD = {
    "two answers of one id": (twice, "answers.jsonl: more than one line for id ACME_q1_2021"),
    "an unknown id": (lambda: write({"NOBODY_q1_2021": "x"}), "for id NOBODY_q1_2021"),
    "no predictions": (lambda: Path("answers.jsonl").unlink(), "answers.jsonl: no such file"),
    "no JSON": (lambda: Path("answers.jsonl").write_text("x\n"), "answers.jsonl, line 1: not JSON"),
    "no object": (
        lambda: Path("answers.jsonl").write_text("[1]\n"),
        "line 1: it must be a JSON object with id and text",
    ),
    "text that is none": (
        lambda: Path("answers.jsonl").write_text('{"id": "ACME_q1_2021", "text": 5}\n'),
        "text of ACME_q1_2021 is 5",
    ),
    "a reference without a source": (
        lambda: Path("val/ects/BETA_q1_2021.txt").unlink(),
        "val: no source for the reference BETA_q1_2021",
    ),
    "an empty reference": (
        lambda: Path("val/gt_summaries/BETA_q1_2021.txt").write_text(""),
        "BETA_q1_2021.txt: empty",
    ),
    "no references": (
        lambda: [path.unlink() for path in Path("val/gt_summaries").iterdir()],
        "val: no references",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_that_names_it(workspace, name):
    spoil, says = BAD[name]
    spoil()
    with pytest.raises(SystemExit, match="^finllm score: ") as stopped:
        score()
    assert says in str(stopped.value) and "\n" not in str(stopped.value)
    assert not Path("scores.json").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--references", "nowhere"], "nowhere: no such folder"),
        (["--sources", "nowhere"], "nowhere: no such folder"),
        (["--sources", "void"], "void: no transcripts; readable are"),
        (["--template", "poetry"], "template 'poetry'; allowed:"),
    ],
)
def test_a_wrong_argument_is_named(workspace, words, says):
    Path("void").mkdir()
    with pytest.raises(SystemExit, match="^finllm score: ") as stopped:
        score(*words)
    assert says in str(stopped.value)
