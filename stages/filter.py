"""Filter transcripts by length, term density and outlier measures; audit the kept ones."""

from functools import partial
from itertools import chain

from finllm.corpus import census, histograms, human_check, quality, review, screening, stocktaking
from finllm.records import read_lines, write_json, write_jsonl, write_lines
from finllm.runtime import screen
from finllm.runtime.parallel import map_batches, n_cores
from stages import adapter


def main() -> str:
    """Measure, hash and judge the calls; trim, survey and write the kept ones in a second pass."""
    at = adapter.paths(
        *("transcripts", "ratings", "kept", "dropped", "trimmed", "groups"),
        *("review", "plots", "metrics"),
    )
    params = adapter.params()
    p, how = params.filter, {"n_workers": n_cores(), "engine": params.execution.engine}
    look = partial(
        screening.looker,
        lexicon=p.lexicon,
        n_permutations=p.duplicate_permutations,
        threshold=p.duplicate_threshold,
        seed=p.seed,
    )
    calls = screen.Bar(read_lines(at.transcripts), desc="filter", unit="call")
    looks = list(chain.from_iterable(map_batches(look, calls, **how)))
    measures = [one.measures for one in looks]
    bounds = {key: vars(p)[key] for key in ("min_words", "max_words", "min_term_density")}
    dropped = quality.judge(measures, max_outlier_z=p.max_outlier_z, **bounds)
    quality.check_some_kept(len(measures), dropped)

    lines_of = partial(screening.lines_of, path=at.transcripts, measures=measures)
    verdicts = {m.id: m.id not in dropped for m in measures}
    kept = lines_of({key for key, is_kept in verdicts.items() if is_kept})
    take_stock = partial(screening.stock_taker, min_support=p.min_reference_support)
    stock = stocktaking.Stocktaking()
    n_kept = write_lines(at.kept, stock.lines(map_batches(take_stock, kept, **how)))
    write_jsonl(at.dropped, dropped.values())
    write_jsonl(at.trimmed, stock.trimmed)
    groups = stocktaking.duplicate_groups(looks, dropped, threshold=p.duplicate_threshold)
    write_json(at.groups, groups)
    survey, reference = stock.survey, census.read_vocabulary(census.REFERENCE_VOCABULARY)
    plots = histograms.corpus_plots(
        measures, dropped, words=survey.words, reference=reference, periods=survey.periods
    )
    histograms.write_plots(at.plots, plots)
    strata = human_check.strata(measures, dropped, **bounds)
    sheet = human_check.sheet(strata, lines_of, n_review=p.n_review, seed=p.seed)
    review.write_sheet(at.review, sheet)
    metrics = stocktaking.judged(measures, dropped, groups) | stock.metrics(reference)
    metrics["review"] = human_check.rating_metrics(at.ratings, verdicts)
    write_json(at.metrics, metrics)
    trimmed = f", {len(stock.trimmed)} bullets trimmed" if stock.trimmed else ""
    return f"{n_kept} kept, {len(dropped)} dropped{adapter.reasons(dropped.values())}{trimmed}"


if __name__ == "__main__":
    adapter.run(main)
