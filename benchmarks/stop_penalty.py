"""Length and scores of answers by ``predict.stop_penalty``.

    python -m benchmarks.stop_penalty --adapter models/adapter --penalties 0 1 2 3

The prompts are those of the validation set: choose the penalty there, never on the test set. All
other decoding rules are those of params.yaml.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.summary_scores import Summary, scores, table
from finllm.answering.predicting import load_answerer
from finllm.instruct import chat
from finllm.records import read_examples
from finllm.scoring.domain import number_accuracy
from finllm.scoring.reading import without_fragment
from finllm.settings.params import load_params


def main() -> None:
    """Answer with each penalty and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--adapter", type=Path, default=Path("models/adapter"))
    parser.add_argument("--examples", type=Path, default=Path("data/split/val.jsonl"))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--penalties", type=float, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--texts", type=Path, help="write the answers there, as JSON")
    given = parser.parse_args()
    params, examples = load_params(given.params), read_examples(given.examples)
    loaded = load_answerer(params, weights=given.adapter)
    system = params.templatize.system_prompt
    prompts = [chat.render_example(loaded.tokenizer, row, system) for row in examples]
    ids = [chat.encode_prompt(loaded.tokenizer, prompt) for prompt in prompts]
    excerpts = [row.excerpt for row in examples]
    found, texts = {}, {}
    print(f"{len(examples)} prompts of {given.examples}; number accuracy (acc), share cut (cut)")
    for penalty in given.penalties:
        answerer = replace(loaded, stop_penalty=penalty)
        with tempfile.TemporaryDirectory() as scratch:
            journal = answerer.journal(Path(scratch), ids, excerpts)
            rows = sorted(answerer.answer(ids, excerpts, journal), key=lambda row: row.index)
        said = [answerer.text(row) for row in rows]
        said = [
            without_fragment(text) if row.hit_limit else text
            for text, row in zip(said, rows, strict=True)
        ]
        pairs = list(zip(examples, said, strict=True))
        one = scores([Summary(text, row.answer, row.excerpt) for row, text in pairs])
        n = len(pairs)
        one["acc"] = sum(number_accuracy(text, e.answer, e.excerpt) for e, text in pairs) / n
        one["cut"] = sum(row.hit_limit for row in rows) / n
        found[penalty], texts[penalty] = one, said
        shown = table([(f"{penalty:g} nats", one)]).split("\n")
        extra = f"   acc {one['acc']:.3f}   cut {one['cut']:.2f}"
        print("\n".join(shown[1:] if len(found) > 1 else shown) + extra, flush=True)
    if given.texts:
        given.texts.write_text(json.dumps(texts, indent=1), encoding="utf-8")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
