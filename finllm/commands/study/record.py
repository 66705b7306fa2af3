"""The result of a study as a JSON record and as a Markdown page."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping

from finllm.commands.study.answer import UNVARIED, is_ratio
from finllm.commands.study.conduct import Outcome
from finllm.commands.study.file import Study
from finllm.commands.study.settling import MOST_SEEDS, MOST_TIMES, POWER
from finllm.experiments.crossvalidation import duration
from finllm.records import finite
from finllm.stats import rounding

UNEVEN = 3  # times the smallest spread between seeds, above which pooling it misleads

ASKED = {
    "better": "every level is better than {reference}",
    "best": "{reference} is better than every other level",
    "equivalent": "every level is within {margin} of {reference}",
    "at_least": "every level is at least {low:g} times {reference}",
    "between": "every level is between {low:g} and {high:g} times {reference}",
    "trend": "the metric is {direction} from the first level to the last",
}


def record(study: Study, found: Outcome, *, made_with: Mapping[str, str]) -> dict:
    """Return the study's result for a JSON file: question, runs, comparisons and verdict."""
    levels = []
    for level in study.levels:
        runs = [run for run in found.runs if run.level == level.name]
        means = {run.seed: _mean(run.values) for run in runs if not run.failed}
        levels.append(
            {
                "name": level.name,
                "settings": dict(level.settings),
                "runs": [{"seed": seed, "mean": mean} for seed, mean in means.items()],
                "mean": statistics.fmean(means.values()) if means else None,
                "seed_sd": statistics.stdev(means.values()) if len(means) > 1 else None,
                "failed": [{"seed": r.seed, "why": r.failed} for r in runs if r.failed],
            }
        )
    result = {
        "study": study.name,
        "claim": study.claim,
        "asked": asked(study),
        "metric": study.measure.text,
        "verdict": found.answer.verdict,
        "levels": levels,
        "findings": [finite(dataclasses.asdict(one)) for one in found.answer.findings],
        "ratio": is_ratio(study),
        "bounded": study.question in ("at_least", "between"),
        "sequential": study.sequential,
        "alpha": study.alpha,
        "seeds": list(dict.fromkeys(run.seed for run in found.runs)),
        "seeds_planned": len(study.seeds),
        "companies": len(found.table.companies) if found.table else 0,
        "examples": found.table.n_examples if found.table else 0,
        "same": _same(study, found),
        "left_out": list(found.table.left_out) if found.table else [],
        "stopped": found.stopped,
        "exact": study.exact,
        "seeds_needed": found.answer.seeds_needed,
        "companies_needed": found.answer.companies_needed,
        "fixed": dict(study.fixed),
        "command": study.command,
        "yaml_sha256": study.digest,
        "seconds": sum(run.seconds for run in found.runs),
        "made_with": dict(made_with),
    }
    return result | {"sentence": sentence(result)}


def asked(study: Study) -> str:
    """Return the study's question in words."""
    margin = f"{study.margin:.3g}"
    if study.relative:
        margin = f"{100 * study.margin:g} %"
    return ASKED[study.question].format(
        reference=study.levels[study.reference].name,
        margin=margin,
        low=study.low,
        high=study.high,
        direction="rising" if study.rising else "falling",
    )


def sentence(result: Mapping) -> str:
    """Return the answer in one or two sentences."""
    rows = result["findings"]
    name = result["metric"]
    if not rows:
        return f"Undecided: too few runs could be compared on {name}."
    verdict = result["verdict"]
    deciding = [row for row in rows if row["verdict"] == verdict] or rows
    widest = max(deciding, key=lambda row: row["p_value"])
    shown = min(deciding, key=lambda row: row["p_value"]) if verdict == "refuted" else widest
    said = f"{verdict.capitalize()}: {name}, {shown['name']}: {_estimate(result, shown)}"
    if shown["result"] != "undecided":
        said += f", {shown['result']}"
    others = len([row for row in rows if row["verdict"] == verdict]) - 1
    if verdict != "undecided" and others > 0:
        said += f" (and {others} further comparison{'s' if others > 1 else ''})"
    return f"{said}.{_needed(result)}"


def markdown(result: Mapping) -> str:
    """Return the result as a page: answer, picture, levels, comparisons and failed runs."""
    lines = [
        f"# {result['claim']}",
        "",
        f"**{result['sentence']}**",
        "",
        f"Asked: {result['asked']}. Metric: {result['metric']}. {_sample(result)}",
        "",
        "![All runs by level](result.svg)",
        "",
        "| level | mean | sd between seeds | runs |",
        "| --- | --: | --: | --- |",
    ]
    for level in result["levels"]:
        runs = ", ".join(_figure(run["mean"]) for run in level["runs"])
        row = [level["name"], _figure(level["mean"]), _figure(level["seed_sd"]), runs]
        lines.append(f"| {' | '.join(row)} |")
    lines += ["", *_comparisons(result)]
    for line in _warnings(result):
        lines += ["", line]
    failed = [(one["name"], *run.values()) for one in result["levels"] for run in one["failed"]]
    if failed:
        lines += ["", "| failed run | seed | why |", "| --- | --- | --- |"]
        lines += [f"| {name} | {seed} | {why.replace('|', '/')} |" for name, seed, why in failed]
    lines += ["", _foot(result)]
    return "\n".join(lines) + "\n"


def _comparisons(result: Mapping) -> list[str]:
    """Return the table of comparisons; counted values have an estimate and no error."""
    of = "ratio" if result["ratio"] else "difference"
    confidence = f"{100 * (1 - result['alpha']):g}%"
    heads = ["comparison", of, f"{confidence} interval", "over all comparisons", "p", "p (Holm)"]
    heads += ["Bayes factor", "shown"]
    rows = [
        [
            row["name"],
            _figure(row.get("estimate")),
            _interval(row.get("low"), row.get("high")),
            _interval(row.get("low_all"), row.get("high_all")),
            rounding.p_value(row["p_value"]),
            rounding.p_value(row["p_holm"]),
            _factor(row.get("bayes_factor")),
            row["result"],
        ]
        for row in result["findings"]
    ]
    if result["exact"]:
        heads, *rows = [[*row[:2], row[-1]] for row in (heads, *rows)]
    lines = [heads, ["---", *["--:"] * (len(heads) - 2), "---"], *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _sample(result: Mapping) -> str:
    if result["exact"]:
        return "Counted, not measured: no error."
    tested = ""
    if result["companies"] > 1:
        tested = f", {result['examples']} examples of {result['companies']} companies"
    n, planned = len(result["seeds"]), result["seeds_planned"]
    seeds = f"{n} seeds" if n == planned else f"{n} of {planned} seeds"
    stopped = f" {result['stopped'].capitalize()}." if result["stopped"] else ""
    return f"{seeds} a level{tested}.{stopped}"


def _foot(result: Mapping) -> str:
    made = ", ".join(f"{key} {value}" for key, value in result["made_with"].items() if value)
    fixed = ", ".join(f"{key}={value}" for key, value in result["fixed"].items())
    parts = [f"All runs took {duration(result['seconds'])}."]
    if fixed:
        parts.append(f"Fixed: {fixed}.")
    if result["command"]:
        parts.append(f"Each run: `{result['command']}`.")
    parts.append(f"Made with: {made}.")
    if not result["exact"]:
        parts.append("p is that of what is shown, or of what is nearest to being shown.")
        if result["sequential"]:
            parts.append(
                "In a study that looks after every seed it is that of the last look alone."
            )
        parts.append("The intervals count the variance between seeds and between companies;")
        parts.append("[statistics.md](../../statistics.md#studies) says when not to believe them.")
    return " ".join(parts)


def _same(study: Study, found: Outcome) -> list[dict]:
    """Return the pairs of runs with one seed whose values are all the same."""
    values = {(run.level, run.seed): run.values for run in found.runs if not run.failed}
    names = [level.name for level in study.levels]
    return [
        {"levels": [a, b], "seed": seed}
        for seed in dict.fromkeys(run.seed for run in found.runs)
        for i, a in enumerate(names)
        for b in names[i + 1 :]
        if (a, seed) in values and values[a, seed] == values.get((b, seed))
    ]


def _warnings(result: Mapping) -> list[str]:
    """Return what a reader must know before believing the table of comparisons."""
    if result["exact"]:
        return []
    lines = [
        f"With seed {one['seed']}, {' and '.join(one['levels'])} gave the same values in every "
        "example: the setting changed nothing in that run."
        for one in result["same"]
    ]
    spreads = [level["seed_sd"] for level in result["levels"] if level["seed_sd"] is not None]
    if len(spreads) > 2 and max(spreads) > UNEVEN * min(spreads):
        lines.append(
            f"The levels' spreads between seeds differ by more than {UNEVEN} times, and are pooled "
            "here: the comparisons of the level that varies most look too certain."
        )
    return [f"> {line}" for line in lines]


def _estimate(result: Mapping, row: Mapping) -> str:
    said = f"{'ratio ' if result['ratio'] else ''}{_figure(row.get('estimate'))}"
    interval = _interval(row.get("low_all"), row.get("high_all"))
    return said if result["exact"] else f"{said} {interval}"


def _needed(result: Mapping) -> str:
    if result["verdict"] != "undecided" or result["exact"]:
        return ""
    if result["findings"] and all(row["result"] == UNVARIED.result for row in result["findings"]):
        return ""
    seeds, companies = result["seeds_needed"], result["companies_needed"]
    if not seeds:
        times = f" and {MOST_TIMES} times the companies" if result["companies"] > 1 else ""
        return f" {MOST_SEEDS} seeds a level{times} would not settle it."
    said = f"{seeds} seeds a level" + (f" and {companies} companies" if companies else "")
    given = "the means are as found" if result["bounded"] else "the levels do not differ"
    return f" A new study of about {said} would settle it with power {POWER:g} if {given}."


def _mean(values: Mapping[str, tuple[str, float]]) -> float:
    """Return the mean of company means, weighted as in the comparisons."""
    by_company: dict[str, list[float]] = {}
    for company, value in values.values():
        by_company.setdefault(company, []).append(value)
    return statistics.fmean(statistics.fmean(rows) for rows in by_company.values())


def _figure(value: float | None) -> str:
    if value is None:
        return rounding.MISSING
    text = f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return text.replace("-", rounding.MINUS)


def _factor(value: float | None) -> str:
    """Return a Bayes factor with three digits; beyond a million its size says nothing more."""
    if value is None:
        return rounding.MISSING
    return ">1,000,000" if value > 1e6 else f"{float(f'{value:.3g}'):,g}"


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return rounding.MISSING
    return f"[{_figure(low)}, {_figure(high)}]"
