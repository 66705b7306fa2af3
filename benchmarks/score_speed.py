"""Scoring speed: every metric and baseline on a folder of ECTSum pairs.

The pairs are taken from all splits, and each reference is scored as if it were the answer, by the
function that ``python -m finllm score --semantic`` calls. Reports wall-clock seconds, and processor
seconds of this process and its workers, which depend less on other load.

    python -m benchmarks.score_speed --data ../shared/data/ectsum [--pairs 495] [--alone]
        [--no-semantic]

With ``--alone`` the baselines are left out, which gives the time of the pairs by themselves.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import resource
import shutil
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from finllm.commands.score.score_predictions import Outside, baseline_texts, score_predictions
from finllm.runtime.parallel import n_cores
from finllm.settings.params import load_params


def gather(data: Path, n: int, folder: Path) -> int:
    """Copy up to ``n`` pairs of all splits, write the answers, and return the number of pairs."""
    answers = []
    for kind in ("ects", "gt_summaries"):
        (folder / kind).mkdir(parents=True)
    for path in sorted(data.rglob("gt_summaries/*.txt")):
        call = path.parents[1] / "ects" / path.name
        if len(answers) == n or not call.is_file():
            continue
        if (folder / "ects" / path.name).exists():
            continue
        shutil.copyfile(call, folder / "ects" / path.name)
        shutil.copyfile(path, folder / "gt_summaries" / path.name)
        answers.append({"id": path.stem, "text": path.read_text(encoding="utf-8").strip()})
    lines = "".join(json.dumps(answer) + "\n" for answer in answers)
    (folder / "answers.jsonl").write_text(lines, encoding="utf-8")
    return len(answers)


def score(folder: Path, *, semantic: bool) -> Outside:
    """Compute all metrics of the gathered pairs."""
    return score_predictions(
        folder / "answers.jsonl",
        references=folder,
        sources=folder,
        train=folder / "none.jsonl",
        template="summarization",
        semantic=semantic,
        evaluate=load_params(Path("params.yaml")).evaluate,
    )


def cpu_seconds() -> float:
    """Return the processor time of this process and the child processes that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Gather pairs, score them and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ectsum"))
    parser.add_argument("--pairs", type=int, default=495)
    parser.add_argument("--alone", action="store_true", help="no baselines")
    parser.add_argument("--no-semantic", action="store_true")
    parser.add_argument(
        "--profile", type=int, default=0, help="number of slowest functions to print"
    )
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        n = gather(flags.data, flags.pairs, Path(name))
        before, started = cpu_seconds(), time.perf_counter()
        profile = cProfile.Profile()
        if flags.profile:
            profile.enable()
        with patch(
            "finllm.commands.score.score_predictions.baseline_texts", return_value={}
        ) as none:
            if not flags.alone:
                none.side_effect = baseline_texts
            found = score(Path(name), semantic=not flags.no_semantic)
        profile.disable()
        seconds, cpu = time.perf_counter() - started, cpu_seconds() - before
    if flags.profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(flags.profile)
    columns, metrics = list(found.table), len(next(iter(found.table.values())))
    print(f"{n} pairs, {metrics} metrics of {', '.join(columns)}, {n_cores()} cores")
    print(f"{seconds:.1f} s elapsed, {cpu:.1f} s of processor time")
    print(json.dumps({"pairs": n, "seconds": seconds, "cpu_seconds": cpu, "columns": columns}))


if __name__ == "__main__":
    main()
