"""Keep the transcripts that are long and financial enough; audit what was kept."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from tqdm import tqdm

from finllm.corpus import census, histograms, human_check, quality, review, screening, stocktaking
from finllm.corpus.parallel import map_batches, n_cores
from finllm.records import Line, read_lines, write_json, write_jsonl, write_lines
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
    calls = tqdm(read_lines(at.transcripts), desc="filter", unit="call", disable=None)
    batches = map_batches(look, calls, n_workers=n_cores())
    looks = [one for batch in batches for one in batch]
    measures = [one.measures for one in looks]
    bounds = {key: vars(p)[key] for key in ("min_words", "max_words", "min_term_density")}
    dropped = quality.judge(measures, max_outlier_z=p.max_outlier_z, **bounds)
    quality.check_some_kept(len(measures), dropped)

    def lines_of(ids: set[str]) -> Iterator[Line]:
        lines = zip(measures, read_lines(at.transcripts), strict=True)
        return (line for call, line in lines if call.id in ids)

    verdicts = {m.id: m.id not in dropped for m in measures}
    stock = stocktaking.Stocktaking()
    take_stock = partial(screening.stock_taker, min_support=p.min_reference_support)
    inside = lines_of({key for key, kept in verdicts.items() if kept})
    stocks = map_batches(take_stock, inside, n_workers=n_cores())
    n_kept = write_lines(at.kept, stock.lines(stocks))
    write_jsonl(at.dropped, dropped.values())
    write_jsonl(at.trimmed, stock.trimmed)
    groups = stocktaking.duplicate_groups(looks, dropped, threshold=p.duplicate_threshold)
    write_json(at.groups, groups)
    reference = census.read_vocabulary(census.REFERENCE_VOCABULARY)
    plots = histograms.corpus_plots(
        measures, dropped, words=stock.survey.words, reference=reference,
        periods=stock.survey.periods,
    )  # fmt: skip
    histograms.write_plots(at.plots, plots)
    strata = human_check.strata(measures, dropped, **bounds)
    rng = np.random.default_rng(p.seed)
    drawn = review.draw_sample(strata, n_sample=p.n_review, rng=rng) if p.n_review else []
    calls = {call.id: call for call in (line.transcript() for line in lines_of(set(drawn)))}
    review.write_sheet(at.review, [review.review_row(calls[key]) for key in drawn])
    metrics = stocktaking.judged(measures, dropped) | stock.metrics(reference)
    metrics["near_duplicate_groups"] = len(set(groups.values()))
    metrics["review"] = human_check.rating_metrics(at.ratings, verdicts)
    write_json(at.metrics, metrics)
    print(f"filter: {n_kept} kept, {len(dropped)} dropped, {len(stock.trimmed)} bullets trimmed")


if __name__ == "__main__":
    adapter.run(main)
