"""``finllm crossvalidate``: run all folds and print the pooled verdict."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from finllm.commands.arguments import add_json, add_out, add_path, new_command


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "crossvalidate",
        run,
        summary="cross-validate by company and print the pooled verdict",
        description=(
            "For a source with too few companies for one test set: every company is tested "
            "once, by a model that was trained without it. Each fold is a DVC experiment in a "
            "copy of the project, up to the stage `evaluate`; the scores of all folds are "
            "then compared together, by company. The workspace does not change. After Ctrl-C, "
            "run the same command again to resume, including the running fold from its last "
            "checkpoint."
        ),
        example=(
            "crossvalidate --folds 5\n"
            "crossvalidate --folds 5 -S data.source=mine -S 'split.transfer_sectors=[]'\n"
            "crossvalidate --folds 10 --json --out pooled.json"
        ),
        reads="params.yaml, dvc.yaml and the source",
        writes=("one experiment per fold (see `dvc exp show`); scores and logs in .search; --out"),
    )
    command.add_argument(
        "--folds", type=int, metavar="N", required=True, help="number of folds, at least 2"
    )
    command.add_argument(
        "-S", "--set-param", action="append", default=[], metavar="KEY=VALUE",
        help="override a parameter, as in `dvc exp run`",
    )  # fmt: skip
    add_out(command)
    add_path(command, "--folder", ".search", "folder of scores and logs")
    add_json(command, "folds, comparison and verdict")


def run(parsed: argparse.Namespace) -> int:
    """Run the folds, pool their scores and print the verdict; on Ctrl-C, print how to resume."""
    from finllm.commands.files import check_output
    from finllm.commands.search import alone, interruptible
    from finllm.experiments import crossvalidation
    from finllm.records import write_json
    from finllm.settings.params import load_params

    if parsed.folds < 2:
        raise ValueError(f"--folds is {parsed.folds}; it must be at least 2")
    check_output(parsed.out)
    project = Path()
    load_params(Path("params.yaml"))
    settings, params = _settings(parsed.set_param), _with(parsed.set_param)
    crossvalidation.check_project(project)
    copied = crossvalidation.untracked(project, crossvalidation.sources(params, settings))
    name = crossvalidation.run_name(parsed.folds, settings, params, project=project)
    folder = parsed.folder / name
    _say(f"crossvalidate: {name} in {folder}, {parsed.folds} folds")
    if copied:
        _say(f"copied because neither Git nor DVC tracks it: {', '.join(copied)}")
    with alone(folder):
        try:
            with interruptible():
                folds = crossvalidation.run_folds(
                    project, folder, name=name, n_folds=parsed.folds, settings=settings,
                    copied=copied, say=_say,
                )  # fmt: skip
        except KeyboardInterrupt:
            _say("crossvalidate: interrupted; run the same command to resume")
            return 130
    record, page = _pooled(folds, params)
    if parsed.out:
        write_json(parsed.out, record)
    _print(record, page, as_json=parsed.json)
    return 0


def _pooled(folds: list, params: dict) -> tuple[dict, str]:
    """Compare models over all folds; return the record with the verdict, and the text to print."""
    from finllm.commands.pool import metric_lines
    from finllm.comparing.folds import pool
    from finllm.comparing.pairs import compare_pairs, pair
    from finllm.comparing.posteriors import fit_pairs
    from finllm.records import read_scores
    from finllm.report.outcome import outcome, to_metrics
    from finllm.report.verdict_text import pooled

    p, b, v = params["significance"], params["bayes_stats"], params["verdict"]
    primary = v["primary_metric"]
    scores = pool({str(f.scores): read_scores(f.scores) for f in folds})
    pairs = pair(scores, split="test", tuned=v["candidate"])
    found = compare_pairs(
        pairs, primary=primary, alpha=v["alpha"], n_permutations=p["n_permutations"],
        n_bootstrap=p["n_bootstrap"], seed=p["seed"],
    )  # fmt: skip
    posterior, _ = fit_pairs(
        pairs, primary=primary, rope=v["rope"], prior_scale=b["prior_scale"],
        n_draws=b["n_draws"], n_tune=b["n_tune"], n_chains=b["n_chains"],
        hdi_prob=b["hdi_probability"], seed=b["seed"], metrics=[primary],
    )  # fmt: skip
    verdict = outcome(
        found, {"primary_metric": primary, "metrics": posterior}, primary=primary,
        alpha=v["alpha"], rope=v["rope"], candidate=v["candidate"],
    )  # fmt: skip
    record = {
        "n_folds": len(folds),
        "folds": [{**dataclasses.asdict(f), "scores": str(f.scores)} for f in folds],
        **found,
        "verdict": to_metrics(verdict),
    }
    table = metric_lines(found, "difference", "p_corrected")
    interval = f"[{100 * (1 - v['alpha']):g}% interval]"
    head = f"{len(folds)} folds; every metric, {v['candidate']} - base {interval}, corrected p:"
    return record, "\n".join([pooled(verdict, n_folds=len(folds)), "", head, *table])


def _print(record: dict, page: str, *, as_json: bool) -> None:
    from finllm.commands.terminal import print_json

    if as_json:
        print_json(record)
    else:
        print(page)


def _settings(texts: list[str]) -> dict[str, str]:
    """Return the ``-S`` values by key, as strings for DVC to parse."""
    found = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or "." not in key:
            raise ValueError(f"-S {text!r}; must be KEY=VALUE, such as -S data.source=mine")
        if key in ("split.n_folds", "split.fold"):
            raise ValueError(f"-S {text!r}: the folds are set by --folds")
        found[key] = value
    return found


def _with(texts: list[str]) -> dict:
    """Return the checked parameters with the ``-S`` values; params.yaml itself does not change."""
    from finllm.commands.study.measure import leaves
    from finllm.experiments.space import with_settings
    from finllm.settings.checked_record import checked_record, did_you_mean, parsed_yaml, text_of
    from finllm.settings.params import Params

    file = Path("params.yaml")
    document = parsed_yaml(text_of(file), str(file))
    every = leaves(document)
    settings = {}
    for key, value in _settings(texts).items():
        if key not in every:
            raise ValueError(
                f"-S {key}={value}: params.yaml has no {key}{did_you_mean(key, every)}"
            )
        settings[key] = parsed_yaml(value, f"-S {key}={value}")
    changed = with_settings(document, settings)
    try:
        checked_record(Params, changed)
    except ValueError as error:
        raise ValueError(f"{file} with -S {' -S '.join(texts)}: {error}") from None
    return changed


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
