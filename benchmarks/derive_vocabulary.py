"""Rebuild finllm/corpus/reference_vocabulary.tsv: words by the number of ECTSum train calls.

    python -m benchmarks.derive_vocabulary --data ../shared/data/ectsum --words 3000 --out FILE

Only word frequencies are taken from the source: no sentences and no word order.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from finllm.corpus import census, ectsum
from finllm.corpus.cleaning import clean_text
from finllm.records import Reject, write_text

HEADER = """\
# Words of earnings calls and the number of calls that use them.
# Derived from the {n_calls} training calls of ECTSum (https://github.com/rajdeep345/ECTSum,
# Mukherjee et al., EMNLP 2022): lower-case words of two letters and more, ordered by the number
# of calls in which they occur (ties by letter), the first {n_words}. Frequencies only, no text.
# Remade by: python -m benchmarks.derive_vocabulary
"""


def main() -> None:
    """Count words, write the table, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of ECTSum")
    parser.add_argument("--words", type=int, required=True, help="how many words to keep")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    arguments = parser.parse_args()
    n_calls = 0
    frequency: Counter[str] = Counter()
    for record in ectsum.read(arguments.data / "train", source="ectsum", encoding="utf-8"):
        if isinstance(record, Reject):
            continue
        n_calls += 1
        frequency.update(set(census.vocabulary_words(clean_text(record[0].text))))
    top = sorted(frequency.items(), key=lambda item: (-item[1], item[0]))[: arguments.words]
    rows = "".join(f"{word}\t{count}\n" for word, count in top)
    write_text(arguments.out, HEADER.format(n_calls=n_calls, n_words=len(top)) + rows)
    print(f"{len(top)} words of {len(frequency)}, from {n_calls} calls")
    print(json.dumps({"n_calls": n_calls, "n_words": len(top), "least_frequency": top[-1][1]}))


if __name__ == "__main__":
    main()
