"""All studies of a project: the claim and the verdict of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finllm.commands.study.file import digest, read_yaml
from finllm.experiments.crossvalidation import duration
from finllm.records import read_json, write_json, write_text
from finllm.report.studies import INDEX, NOT_RUN

HEAD = """# The method's claims, put to the test

`python -m finllm study FILE` writes this page, from `studies/` and `docs/studies/`. A claim is
tested on one data set and one model, and the answer holds only there. A claim can also remain
undecided; the page of the study then says how many runs would settle it. Each study has its own
error rate of 5 %, so of twenty claims one may be answered wrongly by chance.

| claim | answer | result | study |
| --- | --- | --- | --- |
"""


def rows(studies: Path, results: Path) -> list[dict]:
    """Return one row per study file or result, by name: study, claim, verdict, sentence, seconds.

    If the file of a study has changed since its result, the verdict is "not run yet", because the
    study asks another question now.
    """
    files = {path.stem: path for path in sorted(studies.glob("*.yaml"))}
    names = sorted({*files, *(path.parent.name for path in results.glob("*/result.json"))})
    found = []
    for name in names:
        result = results / name / "result.json"
        row = {"study": name, "claim": "", "verdict": NOT_RUN, "sentence": "", "seconds": 0.0}
        raw = read_yaml(files[name]) if name in files else {}
        row["claim"] = " ".join(str(raw.get("claim", "")).split())
        kept = read_json(result) if result.is_file() else {}
        if kept and (not raw or kept["yaml_sha256"] == digest(raw)):
            row |= {key: kept[key] for key in row}
        found.append(row)
    return found


def write_claims(found: Sequence[dict], *, results: Path, page: Path) -> None:
    """Write the index that the report reads, and the page ``docs/claims.md``."""
    write_json(results / INDEX, list(found))
    lines = []
    for row in found:
        name, file = row["study"], f"../studies/{row['study']}.yaml"
        link = f"[{name}]({file})"
        if row["verdict"] != NOT_RUN:
            link = f"[{name}]({results.name}/{name}/result.md), {duration(row['seconds'])}"
        cells = [row["claim"], row["verdict"], row["sentence"], link]
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |\n")
    write_text(page, HEAD + "".join(lines))
