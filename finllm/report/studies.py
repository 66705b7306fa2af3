"""Studies of the repository: their claims, results and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finllm.records import read_json
from finllm.report.tables import Table
from finllm.stats import rounding

INDEX = "claims.json"  # as `python -m finllm study` writes it
NOT_RUN = "not run yet"
MEND = "run the study again"


@dataclass(frozen=True)
class StudyResult:
    """Row of the index of studies, with figures and picture if the study has run."""

    row: Mapping[str, object]
    result: Mapping[str, object] | None
    picture: str  # SVG; empty if the study has not run


def read_studies(folder: Path) -> list[StudyResult]:
    """Read the studies in a folder of results; empty without an index.

    Raises
    ------
    ValueError
        If a file is not JSON; the message names it.
    """
    index = folder / INDEX
    if not index.is_file():
        return []
    found = []
    for row in read_json(index, mend=MEND):
        at = folder / str(row["study"])
        if row["verdict"] == NOT_RUN:
            found.append(StudyResult(row, None, ""))
            continue
        picture = (at / "result.svg").read_text(encoding="utf-8")
        found.append(StudyResult(row, read_json(at / "result.json", mend=MEND), picture))
    return found


def claims_table(studies: Sequence[StudyResult]) -> Table:
    """Return a table of claims: confirmed, refuted, undecided or not run, with figure and file."""
    rows = []
    for one in studies:
        row = one.row
        ran = row["verdict"] != NOT_RUN
        file = f"docs/studies/{row['study']}" if ran else f"studies/{row['study']}.yaml"
        figures = str(row["sentence"]).partition(": ")[2] or rounding.MISSING
        rows.append([str(row["claim"]), str(row["verdict"]), figures, file])
    return Table("Claims put to the test by studies", ["claim", "answer", "result", "file"], rows)


def comparisons(one: StudyResult) -> Table:
    """Return a table of the comparisons of a study that has run."""
    result = one.result
    of = "ratio" if result["ratio"] else "difference"
    rows = [
        [
            row["name"],
            f"{row['estimate']:.4g}" if "estimate" in row else rounding.MISSING,
            f"[{row['low_all']:.4g}, {row['high_all']:.4g}]" if "low_all" in row else "",
            rounding.MISSING if result["exact"] else rounding.p_value(row["p_holm"]),
            row["result"],
        ]
        for row in result["findings"]
    ]
    columns = ["comparison", of, "interval over all comparisons", "p (Holm)", "conclusion"]
    return Table(f"{one.row['study']}: {one.row['claim']}", columns, rows)
