"""Tables of the report as plain rows of text, rounded and labelled, without markup."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from finllm.records import METRICS
from finllm.report import wording
from finllm.report.candidate import BEFORE
from finllm.report.forest import ForestRow

BASELINES = ("lead", "dense", "random", "nearest", "nearest_company")
# the models, each with a metrics/details/predict_NAME.json; finllm/report/candidate.py names BEFORE
ASKED = ("base", "fewshot", BEFORE, "tuned", "preferred")
MODELS = (*ASKED, *BASELINES, "oracle_rougeL", "oracle_numbers")
MODEL_LABELS = {
    BEFORE: "tuned, before preferences",
    "fewshot": "base, examples shown",
    "nearest_company": "nearest, same company",
    "oracle_rougeL": "oracle, ROUGE-L",
    "oracle_numbers": "oracle, figures",
}
LENGTHS = ("short", "middle", "long")  # as finllm/comparing/groups.py names them
PROVENANCE_MEANING = {
    "human": "people wrote the reference: a reporter’s bullets, an analyst’s real question",
    "synthetic": "the generator of the fictional calls wrote the reference",
    "continuation": "the reference is the call’s own next words",
    "derived": "a rule made the reference from the call",
}


@dataclass(frozen=True)
class Table:
    """Caption, column names, and rows of text whose first cell names the row."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    strong: int = -1  # index of the primary metric's row; -1 without one


def asked_models(metrics: Mapping[str, Mapping]) -> list[str]:
    """Return the models that answered in this run, without those switched off."""
    asked = {model: metrics.get(f"predict_{model}", {"answers": 0}) for model in ASKED}
    return [model for model, found in asked.items() if found.get("answers") != 0]


def chain(steps: Sequence[Mapping], *, metric: str) -> Table | None:
    """Return a table of each step from base to preferred, or None without a preferred model."""
    if not steps:
        return None
    rows = [
        [
            " → ".join(model_label(row[end]) for end in ("before", "after")),
            wording.score(row["before_mean"]),
            wording.score(row["after_mean"]),
            wording.estimate(row),
            wording.p_value(row.get("p_corrected")),
        ]
        for row in steps
    ]
    confidence = f"{100 * steps[0]['confidence']:g}%"
    caption = (
        f"{wording.metric_label(metric)}, step by step, means of company means; the steps are a "
        "family of tests of their own, corrected apart from the verdict’s"
    )
    columns = ["step", "before", "after", f"difference, {confidence} interval", "corrected p"]
    return Table(caption, columns, rows)


def model_label(model: str) -> str:
    """Return the name of a model in a table."""
    return MODEL_LABELS.get(model, model)


def by_model(means: Mapping[str, Mapping[str, float]], *, caption: str, primary: str) -> Table:
    """Return a table with metrics in rows (the primary first) and models in columns."""
    models = [model for model in MODELS if model in means]
    names = [primary, *(name for name in METRICS if name != primary)]
    rows = [
        [wording.metric_label(name), *(wording.score(means[m].get(name)) for m in models)]
        for name in names
    ]
    return Table(caption, ["metric", *map(model_label, models)], rows, strong=0)


def by_set(sets: Mapping[str, Mapping[str, Mapping[str, float]]], *, metric: str) -> Table:
    """Return a table of one metric with the sets that have scores in rows and models in columns."""
    models = [model for model in MODELS if any(model in means for means in sets.values())]
    rows = [
        [f"{name} set", *(wording.score(means.get(m, {}).get(metric)) for m in models)]
        for name, means in sets.items()
        if means
    ]
    caption = f"{wording.metric_label(metric)} by model, means over examples"
    return Table(caption, ["set", *map(model_label, models)], rows)


def provenance_note(found: Container[str]) -> str:
    """Explain the origin of the references, for the provenances ``found``."""
    said = [f"{name}: {said}" for name, said in PROVENANCE_MEANING.items() if name in found]
    end = "Learning a rule is not learning finance."
    return f"Where the reference comes from. {'; '.join(said)}. {end}"


def by_group(
    groups: Mapping[str, Mapping[str, Mapping[str, float]]],
    sizes: Mapping[str, int],
    *,
    group: str,
    metric: str,
) -> Table:
    """Return a table of one metric's means by group of examples and model, with tuned minus base.

    The models are base, tuned, and the baselines lead and nearest. ``sizes`` is the number of test
    examples by group; a group without examples has no row.
    """
    rows = []
    for name in sorted(name for name in groups if sizes.get(name)):
        means = {model: groups[name].get(model, {}).get(metric) for model in MODELS}
        base, tuned = means["base"], means["tuned"]
        change = None if base is None or tuned is None else tuned - base
        rows.append(
            [
                name,
                wording.count(sizes[name]),
                *(wording.score(means[model]) for model in ("base", "tuned")),
                wording.signed(change),
                *(wording.score(means[model]) for model in ("lead", "nearest")),
            ]
        )
    columns = [group, "examples", "base", "tuned", "difference", "lead", "nearest"]
    return Table(f"{wording.metric_label(metric)} by {group}", columns, rows)


def comparison(rows: Sequence[ForestRow], *, confidence: str) -> Table:
    """Return the forest plot as a table, with means of company means."""
    cells = [
        [
            wording.metric_label(row.metric),
            wording.score(row.base_mean),
            wording.score(row.tuned_mean),
            f"{wording.signed(row.difference)} {wording.interval(row.low, row.high)}",
            wording.p_value(row.p_corrected),
            wording.share(row.p_better),
        ]
        for row in rows
    ]
    interval = f"difference [{confidence} interval]"
    columns = ["metric", "base", "tuned", interval, "corrected p", "P(better)"]
    return Table("Tuned against base, means of company means", columns, cells, strong=0)


def classical_tests(tests: Mapping[str, Mapping[str, float]]) -> Table:
    """Return a table of the tests beside the deciding one, uncorrected, and the effect sizes."""
    rows = []
    for name in (name for name in METRICS if name in tests):
        t = tests[name]
        d = t.get("cohens_d")
        rows.append(
            [
                wording.metric_label(name),
                *(wording.p_value(t.get(f"p_{test}")) for test in ("paired_t", "wilcoxon")),
                *(wording.p_value(t.get(f"p_{test}")) for test in ("sign_flip", "shapiro")),
                wording.interval(t.get("bootstrap_low"), t.get("bootstrap_high")),
                f"{wording.signed(d)} {wording.effect_label(d)}".strip(),
                wording.signed(t.get("cohens_d_z")),
            ]
        )
    columns = "metric|t|Wilcoxon|sign flip|Shapiro–Wilk|BCa bootstrap|Cohen’s d|Cohen’s d_z"
    return Table(
        "Classical tests, p-values uncorrected, and effect sizes", columns.split("|"), rows
    )


def posteriors(found: Mapping[str, Mapping]) -> Table:
    """Return a table of the Bayesian model of each metric, with its diagnostics."""
    rows = []
    for name in (name for name in METRICS if name in found):
        p = found[name]
        ess = [p[key] for key in ("ess_bulk", "ess_tail") if key in p]
        rows.append(
            [
                wording.metric_label(name),
                wording.signed(p.get("mean")),
                wording.interval(p.get("hdi_low"), p.get("hdi_high")),
                wording.share(p.get("p_better")),
                wording.share(p.get("p_rope")),
                wording.bayes_factor(p.get("log_bf10")),
                f"{p['r_hat']:.3f}" if "r_hat" in p else wording.MISSING,
                wording.count(min(ess)) if ess else wording.MISSING,
                "yes" if p["usable"] else "no",
            ]
        )
    columns = "metric|mean|HDI|P(better)|P(in ROPE)|BF₁₀|R-hat|ESS|usable"
    return Table("Bayesian model of the paired differences, every metric", columns.split("|"), rows)


def model_checks(found: Mapping[str, float]) -> Table:
    """Return a table of checks of one metric's model: other priors, predictive checks, sampler.

    The factors under other priors are the closed-form ones of the company means: compare them with
    each other, not with the model's own. A predictive p-value is the share of data sets generated
    by the model that are at least as skewed, or have at least as large a difference, as the real
    one.
    """
    priors = {
        "log_bf10_medium": "Bayes factor of the company means, Cauchy prior r = 0.5",
        "log_bf10_default": "the same, r = 0.707",
        "log_bf10_wide": "the same, r = 1",
        "log_bf10_sceptical": "the same, a sceptical normal prior, sd 0.2",
    }
    checks = {
        "ppc_p_skewness": "predictive p-value of the skewness",
        "ppc_p_largest": "predictive p-value of the largest difference",
        "company_share": "share of the variance between companies",
        "log_bf10_mcse": "Monte Carlo error of the model’s log Bayes factor",
    }
    rows = [
        [label, wording.bayes_factor(found[key])] for key, label in priors.items() if key in found
    ]
    beyond = {"p_practically_better": "above", "p_practically_worse": "below"}
    for key, side in beyond.items():
        if key in found:
            label = f"probability of a difference {side} the region of equivalence"
            rows.append([label, wording.share(found[key])])
    if "prior_low" in found:
        reach = wording.interval(found["prior_low"], found["prior_high"])
        rows.append(["central 95% of the prior of the difference", reach])
    rows += [[label, wording.score(found[key])] for key, label in checks.items() if key in found]
    if "n_divergences" in found:
        rows.append(["divergent transitions", wording.count(found["n_divergences"])])
    return Table("Priors and checks of the model of the primary metric", ["check", "value"], rows)


def agreement(scored: Mapping[str, Mapping], *, primary: str) -> Table:
    """Return a table of each metric's rank correlations and the stability of its ranking.

    The correlations are with the primary metric and with the composite.
    """
    stability = {row["metric"]: row for row in scored["rank_stability"]}
    correlations = {row["pair"]: row for row in scored["correlations"]}
    rows = []
    for name in (name for name in METRICS if name in stability):
        stable = stability[name]
        cells = []
        for other in (primary, "composite"):
            pair = sorted((name, other), key=METRICS.index)
            rho = correlations.get(" ~ ".join(pair))
            cells.append(
                f"{wording.signed(rho['rho'])} {wording.interval(rho['low'], rho['high'])}"
                if rho
                else wording.MISSING
            )
        rows.append(
            [
                wording.metric_label(name),
                *cells,
                wording.signed(stable["tau"]),
                wording.share(stable["same_order"]),
            ]
        )
    columns = ["metric", f"with {wording.metric_in_sentence(primary)}", "with composite"]
    return Table(
        "Agreement between the metrics, and stability of the models’ ranking",
        [*columns, "ranking, τ", "same ranking"],
        rows,
    )


def subgroups(found: Mapping[str, Mapping[str, Mapping[str, float]]], *, metric: str) -> Table:
    """Return a table of the difference by group; the interval is a dash with too few companies."""
    rows = [
        [
            f"{grouping}: {level}",
            wording.count(one["n"]),
            wording.count(one["n_clusters"]),
            wording.signed(one["estimate"]),
            wording.interval(one.get("low"), one.get("high")),
            wording.p_value(one.get("p_adjusted")),
            f"{one['n_up']} / {one['n_down']}",
        ]
        for grouping, levels in found.items()
        for level, one in sorted(levels.items(), key=lambda item: _rank(item[0]))
    ]
    columns = "group|examples|companies|difference|interval|p (Holm)|up / down"
    caption = f"{wording.metric_label(metric)}, tuned minus base, by group of test examples"
    return Table(caption, columns.split("|"), rows)


def costs(metrics: Mapping[str, Mapping]) -> Table:
    """Return a table of time, tokens per second and peak memory by stage, where measured."""
    rows = []
    labels = {f"predict_{model}": f"predict {model_label(model)}" for model in ASKED}
    for stage in ("train", "prefer", *labels, "evaluate", "bayes_stats"):
        found = metrics.get(stage, {})  # predict_before exists with another candidate only
        cost = {**found.get("timing", {}), **found.get("cost", {})}
        if not cost:
            continue
        speed = cost.get("tokens_per_second", cost.get("new_tokens_per_second"))
        memory, planned = cost.get("peak_memory_gb"), cost.get("planned_peak_memory_gb")
        rows.append(
            [
                labels.get(stage, stage.replace("_", " ")),
                wording.duration(cost["seconds"]),
                wording.MISSING if speed is None else wording.count(speed),
                wording.MISSING if memory is None else f"{memory:.2f} GB",
                wording.MISSING if planned is None else f"{planned:.2f} GB",
            ]
        )
    columns = ["stage", "time", "tokens/s", "peak memory", "planned"]
    return Table("Time and memory by stage", columns, rows)


def sets(split: Mapping[str, Mapping]) -> Table:
    """Return a table of the sizes of the four sets."""
    names = [name for name in ("train", "val", "test", "transfer") if name in split]
    keys = ("examples", "transcripts", "companies")
    rows = [[name, *(wording.count(split[name][key]) for key in keys)] for name in names]
    columns = ["set", "examples", "calls", "companies"]
    return Table("Sizes of the data sets; no company is in two of them", columns, rows)


def parameters(sections: Mapping[str, Mapping[str, object]]) -> Table:
    """Return a table of the run's parameters as in params.yaml."""
    rows = [
        [f"{section}.{key}", _plain(value)]
        for section, values in sections.items()
        for key, value in values.items()
    ]
    return Table("Parameters of this run", ["parameter", "value"], rows)


def _rank(level: str) -> tuple[int, str]:
    """Return a sort key: lengths in their order, everything else by name."""
    return (LENGTHS.index(level), "") if level in LENGTHS else (0, level)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else wording.MISSING
