"""Limits of the verdict in one sentence each, derived from the metrics alone."""

from __future__ import annotations

from collections.abc import Mapping

from finllm.report import wording
from finllm.report.outcome import Outcome
from finllm.report.practical import PART_LABELS
from finllm.report.preference import no_step_helped
from finllm.report.tables import BASELINES
from finllm.stats.subgroups import hidden_regressions

MIN_COMPANIES = 12  # in the smallest test sets that benchmarks/calibration.py has checked
MUCH_CUT = 0.25  # share of answers cut by the length limit that distorts all overlap scores


def is_fictional(source: str, templatize: Mapping) -> bool:
    """Return whether a generator wrote the calls."""
    return source == "sample" or "synthetic" in templatize["examples_by_provenance"]


def cautions(found: Outcome, metrics: Mapping[str, Mapping]) -> list[str]:
    """Return the cautions that apply to this run, most important first; may be empty."""
    said = [
        no_step_helped(metrics["prefer"]),
        _baselines(found, metrics["evaluate"]["test"]),
        _few_shot(found, metrics["evaluate"]["test"]),
        _few_companies(found.n_companies),
        _cut_answers(metrics["predict_base"], metrics["predict_tuned"]),
        _grounded(found, metrics),
        _hidden(metrics["significance"].get("subgroups", {}), found),
        _opposed(found, metrics["evaluate"]["test_by_provenance"]),
        _derived(metrics["evaluate"]["test_by_provenance"]),
    ]
    return [sentence for sentence in said if sentence]


def _baselines(found: Outcome, test: Mapping[str, Mapping[str, float]]) -> str:
    name = found.primary_metric
    tuned = test["tuned"].get(name)
    above = [
        f"“{model}” ({wording.score(test[model][name])})"
        for model in BASELINES
        if tuned is not None and test.get(model, {}).get(name, -1.0) >= tuned
    ]
    if not above:
        return ""
    return (
        f"A baseline without a model scores at least as high as the tuned model on "
        f"{wording.metric_in_sentence(name)}: {' and '.join(above)} against {wording.score(tuned)} "
        f"(means over examples, not over companies)."
    )


def _few_shot(found: Outcome, test: Mapping[str, Mapping[str, float]]) -> str:
    name = found.primary_metric
    shown, tuned = (test.get(model, {}).get(name) for model in ("fewshot", "tuned"))
    if shown is None or tuned is None or shown < tuned:
        return ""
    return (
        f"The base with training examples in its prompt scores at least as high as the tuned model "
        f"on {wording.metric_in_sentence(name)}: {wording.score(shown)} against "
        f"{wording.score(tuned)} (means over examples); a better prompt alone may be enough."
    )


def _few_companies(n_companies: int) -> str:
    if n_companies >= MIN_COMPANIES:
        return ""
    return (
        f"The test set has {n_companies} companies. The error rates of these tests were measured "
        f"only with {MIN_COMPANIES} companies or more."
    )


def _cut_answers(base: Mapping, tuned: Mapping) -> str:
    shares = base["hit_limit_share"], tuned["hit_limit_share"]
    if max(shares) < MUCH_CUT:
        return ""
    return (
        f"The length limit cut {shares[0]:.0%} of the base model’s answers and {shares[1]:.0%} of "
        "the tuned model’s; part of the difference may come from learning when to stop."
    )


def _grounded(found: Outcome, metrics: Mapping[str, Mapping]) -> str:
    if metrics["predict_tuned"].get("decoding", {}).get("grounding", "none") == "none":
        return ""
    said = (
        "Answers were decoded with predict.grounding: neither model could state a figure that its "
        "excerpt lacks. Number accuracy compares which figures they chose, not whether they invent."
    )
    parts = {
        row["part"]: row
        for row in metrics["evaluate"].get("parts_of_gain", [])
        if row["metric"] == found.primary_metric
    }
    if len(parts) < len(PART_LABELS):
        return said
    tuning, decoding, both = (wording.estimate(parts[name]) for name in PART_LABELS)
    return (
        f"{said} On the {parts['both']['n_examples']} examples that were also answered without "
        f"decoding rules, tuning alone changed the base model’s score by {tuning}, the rules "
        f"alone by {decoding}, and both by {both} (uncorrected intervals)."
    )


def _hidden(subgroups: Mapping[str, Mapping[str, Mapping]], found: Outcome) -> str:
    """Name subgroups entirely below zero while the average is not, and how many are significant."""
    hidden = [] if found.high is None else hidden_regressions(subgroups, average_high=found.high)
    if not hidden:
        return ""
    named = [
        f"{grouping} “{level}” ({wording.signed(one['estimate'])} "
        f"{wording.interval(one['low'], one['high'])})"
        for grouping, level, one in hidden
    ]
    n_tested = sum("p_value" in one for levels in subgroups.values() for one in levels.values())
    n_firm = sum(one.get("p_adjusted", 1.0) < found.alpha for _, _, one in hidden)
    firm = f"{n_firm} of these {len(hidden)} remain{'s' if n_firm == 1 else ''} significant"
    if len(hidden) == 1:
        firm = "it remains significant" if n_firm else "it is not significant"
    return (
        f"The average hides a regression in {' and '.join(named)}. {n_tested} groups were tested; "
        f"{firm} after the correction for that."
    )


def _opposed(found: Outcome, by_provenance: Mapping[str, Mapping]) -> str:
    changes = {
        name: means["tuned"][found.primary_metric] - means["base"][found.primary_metric]
        for name, means in by_provenance.items()
        if found.primary_metric in means["tuned"] and found.primary_metric in means["base"]
    }
    against = [
        f"“{name}” ({wording.signed(change)})"
        for name, change in sorted(changes.items())
        if change * found.difference < 0 and abs(change) > found.rope
    ]
    if not against:
        return ""
    return (
        "The difference has the opposite sign for references of the provenance "
        f"{' and '.join(against)}; this was not tested."
    )


def _derived(by_provenance: Mapping[str, Mapping]) -> str:
    if "derived" not in by_provenance:
        return ""
    return (
        "Some references were derived by a rule. Scores on them show that the model learned the "
        "rule, not finance; see the table by provenance."
    )
