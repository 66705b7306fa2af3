"""``finllm study``: run ablations described by study files, and answer their questions."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from finllm.commands.arguments import add_json, add_path, new_command

if TYPE_CHECKING:
    from finllm.commands.study.file import Study


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "study",
        run,
        summary="test a claim by an ablation with several seeds",
        description=(
            "Run every level of a factor with every seed, each as a DVC experiment in a copy of "
            "the project, and answer the file's question over companies and seeds: confirmed, "
            "refuted, or undecided with the runs that would settle it. With --dry, run nothing "
            "and print the runs, their minutes and the power. After Ctrl-C, run the same command "
            "again to resume. The working folder does not change except for the result."
        ),
        example="study studies/rank.yaml --dry\nstudy studies/rank.yaml\n"
        "study studies/*.yaml --dry",
        reads="the study files, params.yaml, dvc.yaml and the source",
        writes="an experiment per run, see `dvc exp show`; docs/studies/NAME; docs/claims.md; "
        "runs, logs and checkpoints in .search",
    )
    command.add_argument("files", type=Path, nargs="+", metavar="FILE", help="study files")
    command.add_argument("--dry", action="store_true", help="print the plan, run nothing")
    command.add_argument(
        "--retry", action="store_true", help="rerun runs that failed in an earlier call"
    )
    add_path(command, "--results", "docs/studies", "folder for results, with one folder per study")
    add_path(command, "--claims", "docs/claims.md", "page that lists all studies")
    add_path(command, "--folder", ".search", "runs, logs and checkpoints")
    add_json(command, "the plan or the results")


def run(parsed: argparse.Namespace) -> int:
    """Plan, run and answer each study; on Ctrl-C, print how to resume."""
    from finllm.commands.search import interruptible
    from finllm.commands.study.file import read_study
    from finllm.commands.study.measure import check_figure
    from finllm.settings.params import load_params

    load_params(Path("params.yaml"))
    studies = []
    for file in parsed.files:
        study = read_study(file, params=Path("params.yaml"))
        try:
            check_figure(study.measure, Path("metrics"))
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
        studies.append((file, study))
    if parsed.dry:
        return _dry(studies, as_json=parsed.json)
    for file, study in studies:
        _check_results(file, study, parsed.results)
    found = []
    try:
        with interruptible():
            found = [_conducted(file, study, parsed) for file, study in studies]
    except KeyboardInterrupt:
        _say("study: interrupted; run the same command to resume")
        return 130
    if parsed.json:
        _print_json(found)
    return 0


def _dry(studies: list, *, as_json: bool) -> int:
    """Print the runs of each study, their minutes and the power; return 0."""
    from finllm.commands.study.plan import as_text, plan

    plans = plan([study for _, study in studies], Path())
    if as_json:
        _print_json(plans)
    else:
        print(as_text(plans))
    return 0


def _check_results(file: Path, study: Study, results: Path) -> None:
    """Raise an error if the existing result is of another version of the file or of other calls."""
    from finllm.records import read_json

    kept = results / study.name / "result.json"
    if not kept.is_file():
        return
    found = read_json(kept)
    if (found["yaml_sha256"], found["fixed"]) != (study.digest, study.fixed):
        raise ValueError(
            f"{file} is not what {kept.parent} was made with (study.yaml there), or its calls "
            "differ from those that it used; another file is another study, and results are never "
            "mixed: give it another name, or remove the folder"
        )


def _conducted(file: Path, study: Study, parsed: argparse.Namespace) -> dict:
    """Run one study, write its result and return it."""
    from finllm.commands.search import alone
    from finllm.commands.study import claims, running
    from finllm.commands.study.conduct import conduct
    from finllm.commands.study.file import read_yaml
    from finllm.commands.study.picture import picture
    from finllm.commands.study.record import markdown, record
    from finllm.commands.study.schedule import present, schedule
    from finllm.experiments import crossvalidation
    from finllm.records import write_json, write_text

    project, copied = Path(), []
    if not study.command:
        crossvalidation.check_project(project)
        params = read_yaml(project / "params.yaml")
        copied = crossvalidation.untracked(project, running.sources(study, params))
    prefix = running.identity(study, project)
    folder = parsed.folder / prefix
    cells = schedule(study, project, done=present(project))
    _say(f"study: {prefix} in {folder}, {len(cells)} runs")
    with alone(folder):
        if parsed.retry:
            running.forget_failed(folder)
        found = conduct(study, cells, project=project, folder=folder, copied=copied, say=_say)
    result = record(study, found, made_with=_made_with(project))
    at = parsed.results / study.name
    at.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, at / "study.yaml")
    write_text(at / "result.svg", picture(result))
    write_text(at / "result.md", markdown(result))
    write_json(at / "result.json", result)
    rows = claims.rows(Path("studies"), parsed.results)
    claims.write_claims(rows, results=parsed.results, page=parsed.claims)
    if not parsed.json:
        print(f"{result['sentence']}\nThe study: {at / 'result.md'}")
    return result


def _made_with(project: Path) -> dict[str, str]:
    """Return commit, date, processor and versions."""
    from finllm.model.arithmetic import processor_name
    from finllm.runtime import provenance

    found = provenance.provenance(processor=processor_name(), dtype="", folder=project)
    return {
        "commit": f"{found.commit} ({'clean' if found.clean else 'not clean'})",
        "date": found.date[:10],
        "processor": found.processor,
        "torch": found.torch,
        "Python": found.python,
    }


def _print_json(rows: list[dict]) -> None:
    """Print a JSON object: that of a single study, or all in a list under ``studies``."""
    from finllm.commands.terminal import print_json

    print_json(rows[0] if len(rows) == 1 else {"studies": rows})


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
