"""Real calls from raw to sets: at every stage, what came in is what was kept and what was dropped.

The stages run as the pipeline runs them, on a few dozen calls of the shared sources, with a
tokenizer made by the tests; ``benchmarks/corpus_scale.py`` and docs/experiments.md have full runs.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from finllm.fiction.synthetic import iter_calls
from finllm.records import read_jsonl, write_jsonl, write_text
from stages.sample import SOURCE

ROOT = Path(__file__).parents[1]
DATA = ROOT / "../shared/data"
STAGES = {
    "clean": "--source raw --transfer second --transcripts transcripts.jsonl"
    " --rejects clean_rejects.jsonl",
    "filter": "--transcripts transcripts.jsonl --ratings ratings --kept kept.jsonl"
    " --dropped dropped.jsonl --trimmed trimmed.jsonl --groups groups.json --review sample.csv"
    " --plots plots",
    "templatize": "--kept kept.jsonl --examples examples.jsonl --rejects template_rejects.jsonl",
    "split": "--examples examples.jsonl --groups groups.json --folder split",
}


def copy_calls(source: Path, folder: Path, n: int) -> None:
    """The first calls of a shared source, and its description."""
    if source.name == "ectsum":
        for kind in ("ects", "gt_summaries"):
            (folder / "calls" / kind).mkdir(parents=True)
        for path in sorted((source / "val" / "ects").glob("*.txt"))[:n]:
            for kind in ("ects", "gt_summaries"):
                shutil.copyfile(
                    source / "val" / kind / path.name, folder / "calls" / kind / path.name
                )
        text = "format: ectsum\npath: calls\n"
    else:
        (folder / "calls" / "nlp").mkdir(parents=True)
        for path in sorted((source / "nlp").glob("*.nlp"))[:n]:
            shutil.copyfile(path, folder / "calls" / "nlp" / path.name)
        for name in ("metadata.csv", "speakers.csv"):
            shutil.copyfile(source / name, folder / "calls" / name)
        text = "format: revcom\npath: calls\n"
    (folder / "source.yaml").write_text(f"{text}licence: see the source\norigin: shared\n")


def run(folder: Path, tokenizer: Path, changes: dict) -> dict[str, dict]:
    """The four stages in a folder; their metrics by stage."""
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["model"].update(name=str(tokenizer), gguf_package="", gguf_file="")
    for section, values in changes.items():
        params[section].update(values)
    with open(folder / "params.yaml", "w", encoding="utf-8") as file:
        yaml.dump(params, file)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    metrics = {}
    for stage, arguments in STAGES.items():
        out = folder / f"{stage}.json"
        done = subprocess.run(
            [sys.executable, "-m", f"stages.{stage}", *arguments.split(), "--metrics", str(out)],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        metrics[stage] = json.loads(out.read_text())
    return metrics


def write_calls(folder: Path, calls: list) -> None:
    """A source of fictional calls, as the sample stage writes it."""
    write_jsonl(folder / "calls.jsonl", calls)
    write_text(folder / "source.yaml", SOURCE)


def sets_in(folder: Path) -> dict[str, list]:
    return {path.stem: list(read_jsonl(path)) for path in folder.glob("*.jsonl")}


def test_a_transfer_source_is_in_the_transfer_set_alone_and_leaves_training_as_it_was(
    tmp_path, chatml
):
    chatml.save_pretrained(tmp_path / "tokenizer")
    sizes = {"n_companies": 14, "n_calls": 40, "n_short": 0, "n_offtopic": 0, "n_duplicates": 0}
    calls = list(iter_calls(**sizes, first_year=2020, rng=np.random.default_rng(1)))
    held_out = set(sorted({call.company for call in calls})[:4])
    own = [call for call in calls if call.company not in held_out]
    second = [call for call in calls if call.company in held_out]
    changes = {
        "templatize": {"max_tokens": 1500, "max_answer_tokens": 500},
        "split": {"transfer_sectors": [], "min_test_companies": 2, "max_transfer_examples": 0},
    }
    found = {}
    for name in ("none", "second"):
        folder = tmp_path / name
        write_calls(folder / "raw", own)
        write_calls(folder / "second", [*second, own[0]])  # the last id is taken
        metrics = run(
            folder, tmp_path / "tokenizer", {**changes, "data": {"transfer_source": name}}
        )
        found[name] = sets_in(folder / "split")
    assert metrics["clean"]["rejected_by_reason"] == {"duplicate_id": 1}
    assert metrics["clean"]["kept_by_source"] == {"raw": len(own), "second": len(second)}
    assert {row["source"] for row in found["second"]["transfer"]} == {"second"}
    assert {row["company"] for row in found["second"]["transfer"]} <= held_out
    for name in ("train", "val", "test"):
        assert found["second"][name] == found["none"][name] != []
    assert found["none"]["transfer"] == []


def test_earnings21_serves_ectsum_as_the_transfer_set(tmp_path, chatml):
    if not ((DATA / "ectsum").is_dir() and (DATA / "earnings21").is_dir()):
        pytest.skip("../shared/data is absent")
    chatml.save_pretrained(tmp_path / "tokenizer")
    copy_calls(DATA / "ectsum", tmp_path / "raw", 20)
    copy_calls(DATA / "earnings21", tmp_path / "second", 6)
    weights = {"understanding": 0.5, "completion": 0.3, "summarization": 0.2, "questions": 0.0}
    metrics = run(
        tmp_path,
        tmp_path / "tokenizer",
        {
            "data": {"transfer_source": "second"},
            "templatize": {"weights": weights, "max_tokens": 2000, "max_answer_tokens": 600},
            "split": {"transfer_sectors": [], "min_test_companies": 2},
        },
    )
    assert metrics["clean"]["kept_by_source"] == {"raw": 20, "second": 6}
    assert metrics["split"]["sets"]["transfer"]["transcripts"] == 6
    assert metrics["split"]["audit"]["shared_companies"] == 0
    sets = sets_in(tmp_path / "split")
    assert {row["source"] for row in sets["transfer"]} == {"second"}
    assert {row["source"] for name in ("train", "val", "test") for row in sets[name]} == {"raw"}
    rejected = n_lines(tmp_path / "split" / "rejects.jsonl")
    assert metrics["split"]["kept"] + rejected == metrics["split"]["examples_read"]


def n_lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


@pytest.mark.parametrize(
    ("source", "weights"),
    [
        ("ectsum", {"summarization": 0.2, "questions": 0.0}),
        ("earnings21", {"summarization": 0.0, "questions": 0.2}),
    ],
)
def test_counts_add_up_at_every_stage_on_real_calls(tmp_path, chatml, source, weights):
    if not (DATA / source).is_dir():
        pytest.skip(f"../shared/data/{source} is absent")
    tokenizer = tmp_path / "tokenizer"
    chatml.save_pretrained(tokenizer)
    copy_calls(DATA / source, tmp_path / "raw", 24)
    found = run(
        tmp_path,
        tokenizer,
        {
            "clean": {"remove_boilerplate": ["operator_instructions", "safe_harbor"]},
            "filter": {"min_words": 1500, "min_reference_support": 0.5, "n_review": 6},
            "templatize": {
                "weights": {"understanding": 0.5, "completion": 0.3, **weights},
                "max_tokens": 2000,
                "max_answer_tokens": 600,
            },
            "split": {"transfer_sectors": [], "min_test_companies": 2, "max_val_examples": 4},
        },
    )  # fmt: skip
    clean, filtered, made, split = (found[stage] for stage in STAGES)
    assert clean["records_read"] == 24 == clean["kept"] + clean["rejected"]
    assert clean["kept"] == n_lines(tmp_path / "transcripts.jsonl") == filtered["transcripts_read"]
    assert filtered["transcripts_read"] == filtered["kept"] + filtered["dropped"]
    assert filtered["dropped"] == n_lines(tmp_path / "dropped.jsonl")
    assert filtered["references"]["bullets_trimmed"] == n_lines(tmp_path / "trimmed.jsonl")
    assert made["candidates"] == 4 * filtered["kept"]
    assert made["candidates"] == made["examples"] + n_lines(tmp_path / "template_rejects.jsonl")
    assert made["examples"] == n_lines(tmp_path / "examples.jsonl") == split["examples_read"]
    sets = sum(rows["examples"] for rows in split["sets"].values())
    assert sets == split["kept"]
    assert split["kept"] + n_lines(tmp_path / "split" / "rejects.jsonl") == split["examples_read"]
    assert split["reworded"] == n_lines(tmp_path / "split" / "test_reworded.jsonl") > 0
    assert n_lines(tmp_path / "sample.csv") >= 7
    assert not re.search(r"NaN|null|Infinity|\[", json.dumps(found)), "dvc compares scalars only"
