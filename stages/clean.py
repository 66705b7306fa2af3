"""Raw calls to clean transcripts, and rejects with reasons."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

from finllm.corpus import disclaimers
from finllm.corpus.boilerplate import REPEATED
from finllm.corpus.cleaning import Cleaned, cleaner
from finllm.corpus.parallel import map_batches, n_cores
from finllm.corpus.sources import check_reject_share, read_sources
from finllm.records import NO_SOURCE, Reject, read_lines, write_json, write_jsonl, write_lines
from stages import adapter


def main() -> None:
    """Read the sources, clean, write; a second time where repeated disclaimers go."""
    at = adapter.paths("source", "transfer", "transcripts", "rejects", "metrics")
    params = adapter.params()
    p = params.clean
    folders = [at.source, *([at.transfer] if params.data.transfer_source != NO_SOURCE else [])]
    rejects: list[Reject] = []
    counts: Counter[str] = Counter()
    kept_by_source: Counter[str] = Counter()
    found: list[disclaimers.Candidate] = []

    def kept(batches: Iterator[Cleaned | disclaimers.Erased]) -> Iterator[str]:
        for batch in batches:
            rejects.extend(batch.rejects)
            counts.update(batch.counts)
            kept_by_source.update(batch.kept_by_source)
            if isinstance(batch, Cleaned):
                found.extend(batch.disclaimers)
            yield from batch.lines

    prepare = partial(
        cleaner,
        repair_mojibake=p.repair_mojibake,
        infer_turns=p.infer_turns,
        removable=p.remove_boilerplate,
        standardise_notation=p.standardise_notation,
        company_for_missing=p.company_for_missing,
    )
    first = at.transcripts.with_suffix(".first") if REPEATED in p.remove_boilerplate else None
    cleaned = map_batches(prepare, read_sources(folders), n_workers=n_cores())
    n_kept = write_lines(first or at.transcripts, kept(cleaned))
    if first:
        erase = partial(disclaimers.eraser, disclaimers.repeated(found))
        erased = map_batches(erase, read_lines(first), n_workers=n_cores())
        n_kept = write_lines(at.transcripts, kept(erased))
        first.unlink()
    write_jsonl(at.rejects, rejects)
    check_reject_share(len(rejects), counts["records_read"], p.max_reject_share)
    if not n_kept:
        raise ValueError(f"{at.source}: no record could be read; see {at.rejects}")
    reasons = Counter(reject.reason for reject in rejects)
    write_json(
        at.metrics,
        {
            "records_read": counts.pop("records_read"),
            "kept": n_kept,
            "rejected": len(rejects),
            "rejected_by_reason": dict(reasons),
            "kept_by_source": dict(kept_by_source),
            "without_company": counts.pop("without_company", 0),
            "text": dict(counts),
        },
    )
    print(f"clean: {n_kept} transcripts, {len(rejects)} rejects")


if __name__ == "__main__":
    adapter.run(main)
