"""The command line: ``python -m finllm COMMAND``; torch and scipy are imported only where used."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from finllm.params import load_params
from finllm.presets import apply_preset, preset_params
from finllm.records import read_examples, read_predictions, read_scores, write_json


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; a user's mistake is one line and exit code 1, never a traceback."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.run(parsed)
    except (ValueError, OSError) as error:
        sys.exit(f"finllm {parsed.command}: {error}")


def verdict(parsed: argparse.Namespace) -> None:
    """Print the verdict that the report stage wrote."""
    from finllm.report.outcome import from_metrics
    from finllm.report.verdict_text import terminal

    if not parsed.verdict.is_file():
        raise ValueError(f"{parsed.verdict}: no such file; run `make repro` first")
    try:
        row = json.loads(parsed.verdict.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{parsed.verdict}: not JSON ({error}); run `make repro`") from None
    print(terminal(from_metrics(row), str(parsed.report)))


def preset(parsed: argparse.Namespace) -> None:
    """Write a preset's values into params.yaml."""
    changed = apply_preset(parsed.name, folder=parsed.presets, params=Path("params.yaml"))
    print(f"{parsed.name}: {len(changed)} values changed in params.yaml; see: git diff params.yaml")


def plan(parsed: argparse.Namespace) -> None:
    """Print what a training will hold and take, from its parameters alone."""
    from finllm.plan_request import plan_params
    from finllm.planning.page import page

    if parsed.preset:
        params = preset_params(parsed.preset, folder=parsed.presets, params=parsed.params)
    else:
        params = load_params(parsed.params)
    planned = plan_params(
        params,
        launcher=parsed.launcher,
        devices=parsed.devices,
        examples=parsed.examples,
        tokens_per_second=parsed.tokens_per_second,
        train_set=None if parsed.preset else Path("data/split/train.jsonl"),
        metrics=None if parsed.preset else Path("metrics/train.json"),
    )
    print(json.dumps(planned.to_json(), indent=2) if parsed.json else page(planned))


def inspect(parsed: argparse.Namespace) -> None:
    """Print one training example with its prompt, answer, mask and special tokens."""
    from finllm.instruct import chat, inspection
    from finllm.model.tokenizer import load_tokenizer
    from finllm.model.weights import model_folder

    if not parsed.examples.is_file():
        raise ValueError(f"{parsed.examples}: no such file; run `dvc repro split` first")
    rows = read_examples(parsed.examples)
    example = inspection.pick(rows, template=parsed.template, index=parsed.index)
    params = load_params(parsed.params)
    m = params.model
    folder = model_folder(m.name, gguf_package=m.gguf_package, gguf_file=m.gguf_file)
    tokenizer = load_tokenizer(folder, revision=m.revision)
    prompt = chat.render_example(tokenizer, example, params.templatize.system_prompt)
    encoded = chat.encode_example(tokenizer, prompt, example.answer)
    print(inspection.show(tokenizer, example, encoded, colour=sys.stdout.isatty()))


def pool(parsed: argparse.Namespace) -> None:
    """Compare base and tuned over the test sets of all folds of a cross-validation."""
    from finllm.scoring import folds
    from finllm.scoring.pairs import compare_pairs, pair

    params = load_params(parsed.params)
    p, v = params.significance, params.verdict
    scores = folds.pool({str(path): read_scores(path) for path in parsed.scores})
    found = compare_pairs(
        pair(scores, split="test"),
        primary=v.primary_metric,
        alpha=v.alpha,
        n_permutations=p.n_permutations,
        n_bootstrap=p.n_bootstrap,
        seed=p.seed,
    )
    n_companies = found["n_companies"]
    print(f"{len(parsed.scores)} folds, {n_companies} companies; tuned - base [interval], p")
    _print_metrics(found, "difference", "p_corrected")
    if parsed.out:
        write_json(parsed.out, {"n_folds": len(parsed.scores), **found})


def seeds(parsed: argparse.Namespace) -> None:
    """Compare base and tuned over trainings that differ in their seed alone."""
    from finllm.scoring.seeds import compare_seeds, side_by_side

    params = load_params(parsed.params)
    p, v = params.significance, params.verdict
    runs = side_by_side({str(path): read_scores(path) for path in parsed.scores})
    found = compare_seeds(
        runs, primary=v.primary_metric, alpha=v.alpha, n_bootstrap=p.n_bootstrap, seed=p.seed
    )
    primary = found["metrics"][v.primary_metric]
    print(
        f"{len(runs.names)} seeds, {primary['n_clusters']} companies; "
        "tuned - base [interval of a new seed on a new company], p"
    )
    _print_metrics(found, "estimate", "p_value")
    print(f"\nVariances of the differences in {v.primary_metric}, by moments:")
    for name, variance in primary["variances"].items():
        root = math.copysign(math.sqrt(abs(variance)), variance)
        print(f"  {name:16} {variance:+.5f}" + (f"  (sd {root:.3f})" if variance >= 0 else ""))
    means = ", ".join(f"{mean:+.3f}" for mean in primary["seed_means"])
    print(f"By seed: {means}; a further seed is positive here with probability", end=" ")
    print(f"{primary['p_next_seed_above']:.2f}\n{found['in_words']}")
    if parsed.out:
        write_json(parsed.out, found)


def _print_metrics(found: dict, estimate: str, p_value: str) -> None:
    nan = math.nan
    for name, one in found["metrics"].items():
        mark = "*" if name == found["primary_metric"] else " "
        interval = f"[{one.get('low', nan):+.3f}, {one.get('high', nan):+.3f}]"
        print(f"{mark} {name:16} {one[estimate]:+.3f} {interval} {one.get(p_value, nan):.4f}")


def export(parsed: argparse.Namespace) -> None:
    """Write the tuned model for others to load, and say how far it still answers the same."""
    from finllm.export import export_model

    agreement = export_model(
        parsed.format,
        parsed.output,
        params=load_params(parsed.params),
        adapter=parsed.adapter,
        examples=parsed.examples,
        metrics=parsed.metrics,
        n_prompts=parsed.prompts,
        force=parsed.force,
    )
    print(f"{parsed.output}: the tuned model as {parsed.format}, with its card in README.md")
    if agreement:
        print(
            f"greedy answers to {agreement.n_prompts} test prompts, exported against evaluated: "
            f"{agreement.exact_share:.0%} the same, {agreement.token_share:.0%} of the tokens "
            "before the first that differs"
        )
        if agreement.lead_at_differences:
            leads = ", ".join(f"{lead:.2f}" for lead in sorted(agreement.lead_at_differences))
            print(
                f"where they part, the evaluated model's token led in logits by {leads}; its usual "
                f"lead is {agreement.usual_lead:.2f}"
            )


def rate(parsed: argparse.Namespace) -> None:
    """Serve the page on which people rate the answers."""
    from finllm.rating.app import serve
    from finllm.rating.ballot import pairs

    for path in (parsed.examples, parsed.base, parsed.tuned):
        if not path.is_file():
            raise ValueError(f"{path}: no such file; run `dvc repro` first")
    base, tuned = read_predictions(parsed.base), read_predictions(parsed.tuned)
    serve(pairs(read_examples(parsed.examples), base, tuned), parsed.ratings, port=parsed.port)


def predict(parsed: argparse.Namespace) -> None:
    """Answer every transcript of a folder."""
    from finllm.answer_folder import answer_folder

    found = answer_folder(
        parsed.input,
        parsed.output,
        params=load_params(parsed.params),
        template=parsed.template,
        model=parsed.model,
        adapter=parsed.adapter,
    )
    for answer in found:
        if answer.unanswered:
            print(f"{answer.id}: not asked, {answer.unanswered}", file=sys.stderr)
    n_limit, n_empty = sum(a.hit_limit for a in found), sum(not a.text for a in found)
    print(
        f"{parsed.output}: {len(found)} answers, {n_limit} stopped by the length limit, "
        f"{n_empty} empty"
    )


def score(parsed: argparse.Namespace) -> None:
    """Score answers from anywhere against references."""
    from finllm.score_predictions import score_predictions, show

    found = score_predictions(
        parsed.predictions,
        references=parsed.references,
        sources=parsed.sources,
        train=parsed.train,
        template=parsed.template,
        semantic=parsed.semantic,
        evaluate=load_params(parsed.params).evaluate,
    )
    print(show(found))
    if parsed.json:
        write_json(parsed.json, dataclasses.asdict(found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="finllm", description="Did fine-tuning help?")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("verdict", help="print the verdict of the last run")
    command.add_argument("--verdict", type=Path, default=Path("metrics/verdict.json"))
    command.add_argument("--report", type=Path, default=Path("reports/report.html"))
    command.set_defaults(run=verdict)
    command = commands.add_parser("preset", help="write a preset's values into params.yaml")
    command.add_argument("name", help="a file of presets/, without .yaml")
    command.add_argument("--presets", type=Path, default=Path("presets"))
    command.set_defaults(run=preset)
    command = commands.add_parser(
        "plan",
        help="print the memory and the time that a training will take",
        description=(
            "Parameters, bytes of weights, adapter, optimizer and activations, the peak on 1 to 8 "
            "devices under each launcher, what fits which device, tokens and time: from the "
            "parameters alone. Loads no weights and needs no network; a model that is not in "
            "finllm/planning/models.toml has to be a local folder with a config.json, or in the "
            "Hub's cache. Memory is in GB of 10^9 bytes. It says `does not fit` with exit code 0: "
            "scripts read `fits` of --json."
        ),
        epilog=(
            "examples: finllm plan; finllm plan --preset gpu-llama3-8b-qlora --examples 5000; "
            "finllm plan --preset gpu-llama3-8b-qlora --launcher fsdp --devices 4 --json"
        ),
    )
    command.add_argument("--preset", default="", help="as if this preset were written first")
    command.add_argument("--params", type=Path, default=Path("params.yaml"))
    command.add_argument("--presets", type=Path, default=Path("presets"))
    command.add_argument(
        "--launcher",
        default="",
        choices=["single", "ddp", "fsdp", "deepspeed-zero2", "deepspeed-zero3"],
        help="how devices share the work; default: train.launcher",
    )
    command.add_argument(
        "--devices", type=int, default=0, help="how many devices; default: plan.devices"
    )
    command.add_argument(
        "--examples",
        type=int,
        default=0,
        help="training examples; default: data/split/train.jsonl, or the limit in the parameters",
    )
    command.add_argument(
        "--tokens-per-second",
        type=float,
        default=0.0,
        help="of all devices; default: what metrics/train.json measured for as many trainable "
        "parameters and examples a step, or plan.utilisation of plan.peak_tflops",
    )
    command.add_argument("--json", action="store_true", help="print the record, in bytes")
    command.set_defaults(run=plan)
    command = commands.add_parser("inspect", help="print a training example as the model sees it")
    command.add_argument("--template", default="", help="of this template only")
    command.add_argument("--index", type=int, default=0)
    command.add_argument("--examples", type=Path, default=Path("data/split/train.jsonl"))
    command.add_argument("--params", type=Path, default=Path("params.yaml"))
    command.set_defaults(run=inspect)
    command = commands.add_parser("pool", help="compare over the folds of a cross-validation")
    command.add_argument("scores", type=Path, nargs="+", help="each fold's scores.jsonl")
    command.add_argument("--out", type=Path, help="write the comparison here as JSON")
    command.add_argument("--params", type=Path, default=Path("params.yaml"))
    command.set_defaults(run=pool)
    command = commands.add_parser("export", help="write the tuned model for others to load")
    command.add_argument("--format", choices=("merged", "gguf", "adapter"), required=True)
    command.add_argument("--output", type=Path, required=True, help="the folder to make")
    command.add_argument("--force", action="store_true", help="replace what the folder holds")
    command.add_argument("--prompts", type=int, default=20, help="test prompts to compare on")
    command.add_argument("--adapter", type=Path, default=Path("models/adapter"))
    command.add_argument("--examples", type=Path, default=Path("data/split/test.jsonl"))
    command.add_argument("--metrics", type=Path, default=Path("metrics"))
    command.add_argument("--params", type=Path, default=Path("params.yaml"))
    command.set_defaults(run=export)
    command = commands.add_parser("rate", help="rate answers, base against tuned, on a local page")
    command.add_argument("--examples", type=Path, default=Path("data/split/test.jsonl"))
    command.add_argument("--base", type=Path, default=Path("data/predict/base.jsonl"))
    command.add_argument("--tuned", type=Path, default=Path("data/predict/tuned.jsonl"))
    command.add_argument("--ratings", type=Path, default=Path("data/ratings"))
    command.add_argument("--port", type=int, default=8017, help="on 127.0.0.1; 0 for any free one")
    command.set_defaults(run=rate)
    command = commands.add_parser("seeds", help="compare over trainings with several seeds")
    command.add_argument("scores", type=Path, nargs="+", help="each run's scores.jsonl")
    command.add_argument("--out", type=Path, help="write the comparison here as JSON")
    command.add_argument("--params", type=Path, default=Path("params.yaml"))
    command.set_defaults(run=seeds)
    _add_outside(commands)
    return parser


def _add_outside(commands: argparse._SubParsersAction) -> None:
    """The two commands that need no pipeline: a folder in, a file out."""
    from finllm.corpus.detection import READABLE

    command = commands.add_parser(
        "predict",
        help="answer every transcript of a folder",
        description=(
            f"One JSON object a line with id and text, in order of id. A folder may hold {READABLE}"
            "; the first that is there is read. The prompt is the pipeline's own; references are "
            "not needed. A killed run goes on where it was when it is started again."
        ),
    )
    command.add_argument("--input", type=Path, required=True, help="the folder of transcripts")
    command.add_argument("--output", type=Path, required=True, help="the JSON lines to write")
    command.add_argument("--template", default="summarization", help="what is asked")
    command.add_argument("--model", default="tuned", help="tuned (default) or base")
    command.add_argument("--adapter", type=Path, default=Path("models/adapter"))
    command.add_argument("--params", type=Path, default=Path("params.yaml"))
    command.set_defaults(run=predict)
    command = commands.add_parser(
        "score",
        help="score a file of answers against references, with the trivial baselines",
        description=(
            "Means with 95 % intervals of every metric, for the answers and the baselines: the "
            "call's first and its most figure-laden sentences, a random and the nearest training "
            "answer. References are <id>.txt or "
            f"gt_summaries/<id>.txt; sources may be {READABLE}. A missing or empty answer scores 0."
        ),
    )
    command.add_argument("--predictions", type=Path, required=True, help="lines with id and text")
    command.add_argument("--references", type=Path, required=True)
    command.add_argument("--sources", type=Path, required=True)
    command.add_argument("--json", type=Path, help="write the table here")
    command.add_argument(
        "--semantic", action="store_true", help="BERTScore and similarity too, by evaluate.encoder"
    )
    command.add_argument(
        "--train",
        type=Path,
        default=Path("data/split/train.jsonl"),
        help="training examples for the baselines that copy an answer; else they are left out",
    )
    command.add_argument("--template", default="summarization", help="of the training answers")
    command.add_argument("--params", type=Path, default=Path("params.yaml"))
    command.set_defaults(run=score)
