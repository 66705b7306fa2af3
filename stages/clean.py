"""Turn raw calls into clean transcripts, and rejects with reasons."""

from functools import partial

from finllm.corpus import disclaimers
from finllm.corpus.boilerplate import REPEATED
from finllm.corpus.cleaning import cleaner_maker, lost
from finllm.corpus.intake import Intake
from finllm.corpus.sources import check_reject_share, read_sources
from finllm.records import NO_SOURCE, read_lines, write_json, write_jsonl, write_lines
from finllm.runtime import screen
from finllm.runtime.parallel import map_batches, n_cores
from stages import adapter


def main() -> str:
    """Read the sources, clean and write; in a second pass erase repeated disclaimers, if asked."""
    at = adapter.paths("source", "transfer", "transcripts", "rejects", "metrics")
    params = adapter.params()
    p = params.clean
    folders = [at.source, *([at.transfer] if params.data.transfer_source != NO_SOURCE else [])]
    intake = Intake()
    first = at.transcripts.with_suffix(".first") if REPEATED in p.remove_boilerplate else None
    records = screen.Bar(read_sources(folders), desc="clean", unit="record")
    how = {"n_workers": n_cores(), "engine": params.execution.engine}
    cleaned = map_batches(cleaner_maker(p), records, lost=lost, **how)
    n_kept = write_lines(first or at.transcripts, intake.lines(cleaned))
    if first:
        erase = partial(disclaimers.eraser, disclaimers.repeated(intake.disclaimers))
        erased = map_batches(erase, read_lines(first), **how)
        n_kept = write_lines(at.transcripts, intake.lines(erased))
        first.unlink()
    write_jsonl(at.rejects, intake.rejects)
    check_reject_share(
        intake.rejects, intake.counts["records_read"], p.max_reject_share, where=str(at.rejects)
    )
    if not n_kept:
        raise ValueError(f"{at.source}: no record could be read; see {at.rejects}")
    write_json(at.metrics, intake.metrics(n_kept))
    return f"{n_kept} transcripts, {len(intake.rejects)} rejects{adapter.reasons(intake.rejects)}"


if __name__ == "__main__":
    adapter.run(main)
