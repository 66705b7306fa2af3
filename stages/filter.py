"""Keep the transcripts that are long and financial enough; audit what was kept."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from finllm.corpus import census, histograms, human_check, quality, review
from finllm.corpus.duplicates import group_near_duplicates
from finllm.corpus.lexicon import load_lexicon
from finllm.corpus.support import trim_summary
from finllm.corpus.survey import Survey
from finllm.records import Reject, Transcript, read_transcripts, write_json, write_jsonl
from stages import adapter


def main() -> None:
    """Measure in one pass, judge, trim and write in a second, find duplicates in a third."""
    at = adapter.paths(
        "transcripts", "ratings", "kept", "dropped", "trimmed", "groups", "review", "plots",
        "metrics",
    )  # fmt: skip
    p = adapter.params().filter
    lexicon = load_lexicon(p.lexicon)
    measures = [quality.measure(c, lexicon=lexicon) for c in read_transcripts(at.transcripts)]
    bounds = {key: vars(p)[key] for key in ("min_words", "max_words", "min_term_density")}
    dropped = quality.judge(measures, max_outlier_z=p.max_outlier_z, **bounds)
    quality.check_some_kept(len(measures), dropped)
    survey, counts = Survey(), Counter(n_figures=0, n_supported=0, summaries_emptied=0)
    trimmed: list[Reject] = []

    def kept() -> Iterator[Transcript]:
        for call in read_transcripts(at.transcripts):
            if call.id not in dropped:
                survey.add(call)
                trim, bullets, audit = trim_summary(call, min_support=p.min_reference_support)
                trimmed.extend(bullets)
                counts.update(**vars(audit), summaries_emptied=bool(bullets) and not trim.summary)
                yield trim

    n_kept = write_jsonl(at.kept, kept())
    write_jsonl(at.dropped, dropped.values())
    write_jsonl(at.trimmed, trimmed)
    groups = group_near_duplicates(
        ((call.id, call.text) for call in read_transcripts(at.kept)),
        threshold=p.duplicate_threshold,
        n_permutations=p.duplicate_permutations,
        seed=p.seed,
    )
    sizes = Counter(groups.values())
    write_json(at.groups, {key: group for key, group in groups.items() if sizes[group] > 1})
    reference = census.read_vocabulary(census.REFERENCE_VOCABULARY)
    plots = histograms.corpus_plots(
        measures, dropped, words=survey.words, reference=reference, periods=survey.periods
    )
    histograms.write_plots(at.plots, plots)
    strata = human_check.strata(measures, dropped, **bounds)
    rng = np.random.default_rng(p.seed)
    drawn = review.draw_sample(strata, n_sample=p.n_review, rng=rng) if p.n_review else []
    calls = {c.id: c for c in read_transcripts(at.transcripts) if c.id in set(drawn)}
    review.write_sheet(at.review, [review.review_row(calls[key]) for key in drawn])
    words = sorted(m.n_words for m in measures if m.id not in dropped)
    verdicts = {m.id: m.id not in dropped for m in measures}
    reasons = Counter(reject.reason for reject in dropped.values())
    write_json(
        at.metrics,
        {
            "transcripts_read": len(measures),
            "kept": n_kept,
            "dropped": len(dropped),
            "dropped_by_reason": dict(reasons),
            "outliers": sum(n for reason, n in reasons.items() if reason.startswith("outlier_")),
            "near_duplicate_groups": sum(size > 1 for size in sizes.values()),
            "median_words": words[len(words) // 2],
            "mean_term_density": sum(m.term_density for m in measures) / len(measures),
            "lengths": census.length_distribution(words),
            "references": {"bullets_trimmed": len(trimmed), **counts}
            | {"share_supported": counts["n_supported"] / max(1, counts["n_figures"])},
            "review": human_check.rating_metrics(at.ratings, verdicts),
            **survey.metrics(reference),
        },
    )
    print(f"filter: {n_kept} kept, {len(dropped)} dropped, {len(trimmed)} bullets trimmed")


if __name__ == "__main__":
    adapter.run(main)
