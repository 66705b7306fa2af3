"""Share of a summary's figures that the excerpt contains, by token budget.

    python -m benchmarks.windows data/raw/ectsum --calls 300 --max-tokens 384 1024

The folder is a source with a ``source.yaml``; calls without a summary are left out. ``call`` is the
share that the whole call states, an upper limit for any excerpt; ``lead`` is that of the call's
first sentences, with the same number of tokens; ``excerpt`` is that of the excerpt made by
templatize. Tokens are those of the model in params.yaml; its ``templatize.max_answer_tokens`` are
reserved for the answer.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from finllm.corpus.cleaning import clean_transcript
from finllm.corpus.sources import read_source
from finllm.instruct import windows
from finllm.languages.lexicon import Lexicon, load_lexicon
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import base_folder
from finllm.numbers.support import stated_figures, support
from finllm.records import Transcript
from finllm.settings.params import load_params

PROMPT_TOKENS = 55  # for the chat format, the system prompt and the instruction


def read_calls(folder: Path, n: int, seed: int) -> list[Transcript]:
    """Return up to ``n`` cleaned calls with a summary, drawn at random."""
    read = [call for call in read_source(folder) if isinstance(call, Transcript) and call.summary]
    drawn = np.random.default_rng(seed).permutation(len(read))[:n]
    cleaned = (
        clean_transcript(read[i], repair_mojibake=True, infer_turns=True, removable=())[0]
        for i in sorted(drawn.tolist())
    )
    return [call for call in cleaned if isinstance(call, Transcript)]


def shown(
    call: Transcript, costs: list[int], sentences: list[str], lexicon: Lexicon, room: int
) -> dict[str, int]:
    """Return how many of the summary's figures the lead and the excerpt state."""
    contents = [windows.content(s, (term for term, *_ in lexicon.find(s))) for s in sentences]
    chosen = {
        "lead": range(windows.contiguous(costs, 0, room)),
        "excerpt": windows.most_telling(contents, costs, room),
    }
    return {
        name: support(
            call.summary, stated_figures(" ".join(sentences[i] for i in indexes))
        ).n_supported
        for name, indexes in chosen.items()
    }


def main() -> None:
    """Measure, and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="a folder with a source.yaml")
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--max-tokens", type=int, nargs="+", default=[384, 1024])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    params = load_params(Path("params.yaml"))
    tokenizer = load_tokenizer(base_folder(params.model), revision=params.model.revision)
    lexicon = load_lexicon(params.filter.lexicon)
    calls = read_calls(arguments.source, arguments.calls, arguments.seed)
    totals = {size: {"call": 0, "lead": 0, "excerpt": 0} for size in arguments.max_tokens}
    n_figures, started = 0, time.perf_counter()
    for call in calls:
        audit = support(call.summary, stated_figures(call.text))
        n_figures += audit.n_figures
        sentences = windows.sentences(call.text)
        costs = [len(row) + 1 for row in tokenizer(sentences, add_special_tokens=False).input_ids]
        for size, total in totals.items():
            room = size - PROMPT_TOKENS - params.templatize.max_answer_tokens
            total["call"] += audit.n_supported
            for name, n in shown(call, costs, sentences, lexicon, room).items():
                total[name] += n
    seconds = time.perf_counter() - started
    print(f"{len(calls)} calls, {n_figures} figures in their summaries, {seconds:.1f} s")
    print(f"{'tokens':>8} {'call':>8} {'lead':>8} {'excerpt':>8}")
    shares = {s: {k: v / max(1, n_figures) for k, v in t.items()} for s, t in totals.items()}
    for size, row in shares.items():
        print(f"{size:8} {row['call']:8.3f} {row['lead']:8.3f} {row['excerpt']:8.3f}")
    figures = {str(size): row for size, row in shares.items()}
    print(json.dumps({"n_calls": len(calls), "n_figures": n_figures, "shares": figures}))


if __name__ == "__main__":
    main()
