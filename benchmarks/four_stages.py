"""Run whole sources through clean, filter, templatize and split, and check all counts.

    python -m benchmarks.four_stages data/raw/ectsum data/raw/earnings21

Each folder is a source with a ``source.yaml``. The stages run as in the pipeline, in a temporary
project with the parameters of params.yaml, except that there are no transfer sectors and no caps,
and that templates for which the source has no reference get weight 0 (the others are rescaled). The
exit code is 1 if any counts disagree.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ruamel.yaml import YAML

from finllm.instruct.references import analyst_questions
from finllm.instruct.templates import QUESTIONS, SUMMARIZATION, TEMPLATES, offered
from finllm.records import read_jsonl, read_transcripts

ROOT = Path(__file__).parents[1]
STAGES = {
    "clean": "--transfer none --transcripts transcripts.jsonl --rejects rejects.jsonl",
    "filter": "--transcripts transcripts.jsonl --ratings ratings --kept kept.jsonl"
    " --dropped dropped.jsonl --trimmed trimmed.jsonl --groups groups.json --review sample.csv"
    " --plots plots",
    "templatize": "--kept kept.jsonl --examples examples.jsonl --rejects not_templated.jsonl",
    "split": "--examples examples.jsonl --groups groups.json --folder split",
}
Metrics = dict[str, dict]


def write_params(folder: Path, available: set[str]) -> None:
    """Write params.yaml without caps and transfer sectors, with weights for available templates."""
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    weights = offered(params["templatize"]["weights"], available)
    for name in TEMPLATES:
        params["templatize"]["weights"][name] = weights.get(name, 0.0)
    params["data"]["transfer_source"] = "none"
    params["split"]["transfer_sectors"] = []
    for name in ("train", "val", "test", "transfer"):
        params["split"][f"max_{name}_examples"] = 0
    with open(folder / "params.yaml", "w", encoding="utf-8") as file:
        yaml.dump(params, file)


def run_stage(name: str, folder: Path, arguments: list[str]) -> dict:
    """Run a stage in a folder; return its metrics, with its duration under ``seconds``.

    Raises
    ------
    ValueError
        If the stage fails.
    """
    out = folder / f"{name}.json"
    command = [sys.executable, "-m", f"stages.{name}", *arguments, "--metrics", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ValueError(f"stage {name} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(out.read_text()) | {"seconds": time.perf_counter() - started}


def references(folder: Path) -> set[str]:
    """Return the templates for which the kept calls have a reference."""
    found = set(TEMPLATES) - {SUMMARIZATION, QUESTIONS}
    for call in read_transcripts(folder / "kept.jsonl"):
        found |= {SUMMARIZATION} if call.summary else set()
        found |= {QUESTIONS} if QUESTIONS not in found and analyst_questions(call) else set()
    return found


def run_stages(source: Path, folder: Path) -> Metrics:
    """Run the four stages and return their metrics by stage name."""
    write_params(folder, set(TEMPLATES))
    metrics = {}
    for name, text in STAGES.items():
        if name == "templatize":
            write_params(folder, references(folder))
        arguments = text.split() + (["--source", str(source)] if name == "clean" else [])
        metrics[name] = run_stage(name, folder, arguments)
    return metrics


def n_rows(path: Path) -> int:
    """Return the number of records in a JSON-lines file."""
    return sum(1 for _ in read_jsonl(path))


def checks(folder: Path, metrics: Metrics) -> dict[str, tuple[int, int]]:
    """Return pairs of counts that must be equal, by name: one from the metrics, one recounted."""
    clean, kept, made, split = (metrics[name] for name in STAGES)
    sets = {path.stem: n_rows(path) for path in (folder / "split").glob("*.jsonl")}
    again, left_out = sets.pop("test_reworded"), sets.pop("rejects")
    audit = split["audit"]
    return {
        "raw = kept + rejected by reason": (
            clean["records_read"], clean["kept"] + sum(clean["rejected_by_reason"].values())
        ),
        "cleaned, in the file": (clean["kept"], n_rows(folder / "transcripts.jsonl")),
        "rejects, in the file": (clean["rejected"], n_rows(folder / "rejects.jsonl")),
        "cleaned = kept + dropped by reason": (
            clean["kept"], kept["kept"] + sum(kept["dropped_by_reason"].values())
        ),
        "kept, in the file": (kept["kept"], n_rows(folder / "kept.jsonl")),
        "bullets trimmed, in the file": (
            kept["references"]["bullets_trimmed"], n_rows(folder / "trimmed.jsonl")
        ),
        "candidates, four a call": (made["candidates"], len(TEMPLATES) * kept["kept"]),
        "candidates = examples + rejected by reason": (
            made["candidates"], made["examples"] + n_rows(folder / "not_templated.jsonl")
        ),
        "examples = by template": (made["examples"], sum(made["examples_by_template"].values())),
        "examples = by provenance": (
            made["examples"], sum(made["examples_by_provenance"].values())
        ),
        "examples = by split + left out by reason": (
            made["examples"], sum(sets.values()) + sum(split["rejected_by_reason"].values())
        ),
        "left out of the sets, in the file": (
            sum(split["rejected_by_reason"].values()), left_out
        ),
        "asked again, in the file": (split["reworded"], again),
        "companies, calls and duplicates in two sets": (
            0, sum(audit[f"shared_{what}"] for what in ("companies", "transcripts",
                                                        "duplicate_groups"))
        ),
    }  # fmt: skip


def main() -> int:
    """Run, print the counts and those that disagree, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sources", type=Path, nargs="+", help="folders with a source.yaml")
    results, n_wrong = {}, 0
    for source in parser.parse_args().sources:
        with tempfile.TemporaryDirectory() as name:
            metrics = run_stages(source.resolve(), Path(name))
            found = checks(Path(name), metrics)
        print(f"\n{source.name}")
        for what, (one, other) in found.items():
            n_wrong += one != other
            print(f"  {'ok   ' if one == other else 'WRONG'} {what:46} {one:>8} {other:>8}")
        for stage, key in (
            ("clean", "rejected_by_reason"),
            ("filter", "dropped_by_reason"),
            ("templatize", "examples_by_template"),
            ("templatize", "rejected_by_reason"),
            ("split", "audit"),
        ):
            print(f"  {stage} {key}: {json.dumps(metrics[stage][key])}")
        sizes = {name: row["examples"] for name, row in metrics["split"]["sets"].items()}
        print(f"  sets: {json.dumps(sizes)}")
        print("  " + ", ".join(f"{name} {row['seconds']:.1f} s" for name, row in metrics.items()))
        results[source.name] = metrics
    print(json.dumps({"wrong": n_wrong, **results}))
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
