"""Keep the transcripts that are long and financial enough; find near-duplicates."""

import csv
from collections import Counter

from finllm.corpus.duplicates import group_near_duplicates
from finllm.corpus.lexicon import BUILTIN, Lexicon
from finllm.corpus.quality import judge, measure
from finllm.records import read_transcripts, write_json, write_jsonl
from stages import adapter


def main() -> None:
    """Measure in one pass, judge, write in a second pass."""
    at = adapter.paths("transcripts", "kept", "dropped", "groups", "lengths", "metrics")
    p = adapter.params().filter
    lexicon = Lexicon(BUILTIN)
    measures = [measure(call, lexicon=lexicon) for call in read_transcripts(at.transcripts)]
    dropped = judge(
        measures,
        min_words=p.min_words,
        max_words=p.max_words,
        min_term_density=p.min_term_density,
        max_outlier_z=p.max_outlier_z,
    )
    if len(dropped) == len(measures):
        reasons = Counter(reject.reason for reject in dropped.values())
        raise ValueError(
            f"all {len(measures)} transcripts were filtered out "
            f"({', '.join(f'{reason}: {n}' for reason, n in reasons.most_common())}); "
            "loosen filter.min_words, filter.max_words or filter.min_term_density"
        )
    write_jsonl(at.kept, (c for c in read_transcripts(at.transcripts) if c.id not in dropped))
    write_jsonl(at.dropped, dropped.values())
    groups = group_near_duplicates(
        ((call.id, call.text) for call in read_transcripts(at.kept)),
        threshold=p.duplicate_threshold,
        n_permutations=p.duplicate_permutations,
        seed=p.seed,
    )
    sizes = Counter(groups.values())
    write_json(at.groups, {key: group for key, group in groups.items() if sizes[group] > 1})
    at.lengths.parent.mkdir(parents=True, exist_ok=True)
    with open(at.lengths, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["n_words", "term_density", "kept"])
        rows.writerows(
            [m.n_words, round(m.term_density, 5), str(m.id not in dropped).lower()]
            for m in measures
        )
    words = sorted(m.n_words for m in measures if m.id not in dropped)
    write_json(
        at.metrics,
        {
            "transcripts_read": len(measures),
            "kept": len(words),
            "dropped": len(dropped),
            "dropped_by_reason": dict(Counter(r.reason for r in dropped.values())),
            "near_duplicate_groups": sum(size > 1 for size in sizes.values()),
            "median_words": words[len(words) // 2],
            "mean_term_density": sum(m.term_density for m in measures) / len(measures),
        },
    )
    print(f"filter: {len(words)} kept, {len(dropped)} dropped")


if __name__ == "__main__":
    adapter.run(main)
