"""Effect and cost of grounded decoding.

Answers the same prompts with each setting of ``predict.grounding`` and ``predict.repetition``: no
rules, only figures of the excerpt, and also no repeated bullets. Choose a setting on validation
examples, never on the test set.

    python -m benchmarks.grounding --adapter models/adapter --examples data/split/val.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from finllm.answering.generate import Answer, answers
from finllm.answering.predicting import Answerer, load_answerer
from finllm.answering.rules import Rules
from finllm.instruct import chat
from finllm.records import Example, read_examples
from finllm.scoring.domain import number_accuracy
from finllm.scoring.figures import number_report
from finllm.scoring.reading import without_fragment
from finllm.settings.params import load_params

SETTINGS = {
    "none": ("none", "allow"),
    "figures": ("figures", "allow"),
    "figures + bullets": ("figures", "bullets"),
}
COLUMNS = (
    ("accuracy", "number_accuracy", ".3f"),
    ("support", "support", ".3f"),
    ("unsupported", "unsupported_share", ".3f"),
    ("figures", "figures_per_answer", ".2f"),
    ("words", "words_per_answer", ".1f"),
    ("tokens/s", "new_tokens_per_second", ".1f"),
)
LEGEND = """accuracy: number accuracy; support: share of the figures that the excerpt states;
unsupported: share of answers with an unsupported figure; figures and words of an answer;
new tokens/s"""


def scores(examples: Sequence[Example], said: Sequence[tuple[str, bool]]) -> dict[str, float]:
    """Return means over the answers; the support is averaged over answers with figures."""
    texts = [without_fragment(text) if cut else text for text, cut in said]
    pairs = list(zip(examples, texts, strict=True))
    reports = [number_report(text, "", example.excerpt) for example, text in pairs]
    with_figures = [report for report in reports if report.n_candidate]
    n = len(pairs)
    return {
        "number_accuracy": sum(number_accuracy(t, e.answer, e.excerpt) for e, t in pairs) / n,
        "support": sum(r.support for r in with_figures) / max(1, len(with_figures)),
        "unsupported_share": sum(r.support < 1 for r in with_figures) / n,
        "figures_per_answer": sum(report.n_candidate for report in reports) / n,
        "words_per_answer": sum(len(text.split()) for text, _ in said) / n,
    }


def ask(answerer: Answerer, examples: Sequence[Example], ids: list[list[int]], name: str) -> dict:
    """Answer the examples with one setting; return scores, speed and texts."""
    grounding, repetition = SETTINGS[name]
    stops, excerpts = chat.stop_ids(answerer.tokenizer), [example.excerpt for example in examples]
    rules = Rules(
        answerer.tokenizer,
        stop_ids=stops,
        excerpts=excerpts,
        grounding=grounding,
        repetition=repetition,
        stop_penalty=0.0,
    )
    started = time.perf_counter()
    rows: list[Answer] = sorted(
        answers(
            answerer.model,
            ids,
            max_new_tokens=answerer.max_new_tokens,
            stop_ids=stops,
            pad_id=answerer.tokenizer.pad_token_id,
            batch_size=answerer.batch_size,
            rules=rules,
        ),
        key=lambda row: row.index,
    )
    seconds = time.perf_counter() - started
    found = scores(examples, [(answerer.text(row), row.hit_limit) for row in rows])
    found["new_tokens_per_second"] = sum(len(row.ids) for row in rows) / seconds
    return found | {"texts": [answerer.text(row) for row in rows]}


def main() -> None:
    """Answer with each model and setting, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--adapter", type=Path, help="a tuned model's folder, beside the base")
    parser.add_argument("--examples", type=Path, default=Path("data/split/val.jsonl"))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument(
        "--rounds", type=int, default=1, help="rounds; the median speed is reported"
    )
    parser.add_argument("--texts", type=Path, help="write the answers there, as JSON")
    flags = parser.parse_args()
    params = load_params(flags.params)
    examples = read_examples(flags.examples)[: flags.prompts]
    models = {"base": Path(os.devnull)} | ({"tuned": flags.adapter} if flags.adapter else {})
    found, texts = {}, {}
    print(f"{len(examples)} prompts of {flags.examples}, {torch.get_num_threads()} threads")
    print(LEGEND)
    print(f"{'':<24}" + "".join(f"{title:>{len(title) + 2}}" for title, _, _ in COLUMNS))
    for model, weights in models.items():
        answerer = load_answerer(params, weights=weights)
        system = params.templatize.system_prompt
        prompts = [chat.render_example(answerer.tokenizer, row, system) for row in examples]
        ids = [chat.encode_prompt(answerer.tokenizer, prompt) for prompt in prompts]
        ask(answerer, examples[:2], ids[:2], "figures")  # compile kernels and read the word lists
        for name in SETTINGS:
            rounds = [ask(answerer, examples, ids, name) for _ in range(flags.rounds)]
            row = rounds[0]
            speeds = sorted(one["new_tokens_per_second"] for one in rounds)
            row["new_tokens_per_second"] = speeds[len(speeds) // 2]
            key = f"{model}, {name}"
            texts[key], found[key] = row.pop("texts"), row
            cells = (f"{row[k]:>{len(title) + 2}{form}}" for title, k, form in COLUMNS)
            print(f"{key:<24}" + "".join(cells))
    if flags.texts:
        flags.texts.write_text(json.dumps(texts, indent=1), encoding="utf-8")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
