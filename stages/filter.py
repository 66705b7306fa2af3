"""Keep the transcripts that are long and financial enough; audit what was kept."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import numpy as np

from finllm.corpus import census, histograms, human_check, quality, review, screening
from finllm.corpus.duplicates import group_signatures
from finllm.corpus.parallel import map_batches, n_cores
from finllm.corpus.survey import Survey
from finllm.records import Line, Reject, read_lines, write_json, write_jsonl, write_lines
from stages import adapter


def main() -> None:
    """Measure and sign in one pass, judge; trim, survey and write what is kept in a second."""
    at = adapter.paths(
        "transcripts", "ratings", "kept", "dropped", "trimmed", "groups", "review", "plots",
        "metrics",
    )  # fmt: skip
    p = adapter.params().filter
    look = partial(
        screening.looker,
        lexicon=p.lexicon,
        n_permutations=p.duplicate_permutations,
        threshold=p.duplicate_threshold,
        seed=p.seed,
    )
    batches = map_batches(look, read_lines(at.transcripts), n_workers=n_cores())
    looks = [one for batch in batches for one in batch]
    measures = [one.measures for one in looks]
    bounds = {key: vars(p)[key] for key in ("min_words", "max_words", "min_term_density")}
    dropped = quality.judge(measures, max_outlier_z=p.max_outlier_z, **bounds)
    quality.check_some_kept(len(measures), dropped)
    survey, counts = Survey(), Counter(n_figures=0, n_supported=0, summaries_emptied=0)
    trimmed: list[Reject] = []

    def lines_of(ids: set[str]) -> Iterator[Line]:
        lines = zip(measures, read_lines(at.transcripts), strict=True)
        return (line for call, line in lines if call.id in ids)

    def kept() -> Iterator[str]:
        take_stock = partial(screening.stock_taker, min_support=p.min_reference_support)
        inside = lines_of({m.id for m in measures} - dropped.keys())
        for stock in map_batches(take_stock, inside, n_workers=n_cores()):
            survey.merge(stock.survey)
            counts.update(stock.counts)
            trimmed.extend(stock.trimmed)
            yield from stock.lines

    n_kept = write_lines(at.kept, kept())
    write_jsonl(at.dropped, dropped.values())
    write_jsonl(at.trimmed, trimmed)
    signed = ((one.measures.id, one.signature) for one in looks if one.measures.id not in dropped)
    groups = group_signatures(signed, threshold=p.duplicate_threshold)
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
    calls = {call.id: call for call in (line.transcript() for line in lines_of(set(drawn)))}
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
