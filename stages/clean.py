"""Raw calls to clean transcripts, and rejects with reasons."""

from collections import Counter

from finllm.corpus.cleaning import clean_transcript, own_company
from finllm.corpus.notation import standardise_transcript
from finllm.corpus.sources import check_reject_share, read_sources
from finllm.records import NO_SOURCE, Reject, write_json, write_jsonl
from stages import adapter


def main() -> None:
    """Read the source, clean, write."""
    at = adapter.paths("source", "transfer", "transcripts", "rejects", "metrics")
    params = adapter.params()
    p = params.clean
    folders = [at.source, *([at.transfer] if params.data.transfer_source != NO_SOURCE else [])]
    rejects: list[Reject] = []
    counts: Counter[str] = Counter()
    kept_by_source: Counter[str] = Counter()

    def kept():  # noqa: ANN202
        for record in read_sources(folders):
            counts["records_read"] += 1
            if not isinstance(record, Reject):
                record, repairs = clean_transcript(
                    record,
                    repair_mojibake=p.repair_mojibake,
                    infer_turns=p.infer_turns,
                    removable=p.remove_boilerplate,
                )
                counts.update(repairs)
            if not isinstance(record, Reject):
                counts["without_company"] += not record.company
                record = own_company(record, policy=p.company_for_missing)
            if p.standardise_notation and not isinstance(record, Reject):
                record, n_lines = standardise_transcript(record)
                counts["lines_standardised"] += n_lines
            if isinstance(record, Reject):
                rejects.append(record)
            else:
                kept_by_source[record.source] += 1
                yield record

    n_kept = write_jsonl(at.transcripts, kept())
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
            "without_company": counts.pop("without_company"),
            "text": dict(counts),
        },
    )
    print(f"clean: {n_kept} transcripts, {len(rejects)} rejects")


if __name__ == "__main__":
    adapter.run(main)
