"""Planned and measured peak memory of CPU training with the default model.

Each setting is a real run of the train stage, in a separate process and with its command in
dvc.yaml, on examples of equal length. The measured peak is the maximum resident set size of the
process, as in the stage's costs: it includes the interpreter and libraries, weights, and allocator
overhead. Examples of different lengths leave holes in the heap and need more memory
(docs/experiments.md). Allocators differ between machines: after a change of kernels or libraries,
use this table to set ``OVERHEAD`` in finllm/planning/memory.py.

    python -m benchmarks.plan_memory --steps 1
    python -m benchmarks.plan_memory --steps 1 --held-out
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

from finllm.planning.architecture import Architecture, find_architecture
from finllm.planning.memory import GB, device_memory
from finllm.planning.planned_memory import setting_of
from finllm.records import Example, to_json
from finllm.settings.params import Params, load_params

ROOT = Path(__file__).parents[1]
SETTINGS = [  # batch_size, tokens, k (every k-th layer is recomputed), quantization
    (4, 384, 0, "nf4"),
    (4, 384, 1, "nf4"),
    (8, 256, 0, "nf4"),
    (1, 1024, 0, "nf4"),
    (4, 384, 0, "none"),
    (2, 1024, 1, "none"),
]
HELD_OUT = [  # not used to set any constant
    (2, 512, 0, "nf4"),
    (6, 384, 1, "nf4"),
    (3, 768, 0, "none"),
    (8, 128, 0, "nf4"),
    (2, 768, 2, "nf4"),
    (16, 128, 1, "none"),
]
LABELLED_SHARE = 0.2


def measure(batch: int, length: int, every: int, quantization: str, steps: int) -> dict:
    """Return the planned and measured peak memory of one setting, in GB."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        params = _write_params(
            work / "params.yaml",
            model={"quantization": quantization},
            train={
                "batch_size": batch,
                "accumulation": 1,
                "max_steps": steps,
                "evals_per_run": 1,
                "checkpoint_layers": every,
            },
        )
        labelled = _write_examples(work, params, steps * batch, length)
        command = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]["train"]["cmd"]
        done = subprocess.run(
            [sys.executable, *shlex.split(command)[1:]],
            cwd=work,
            env={**os.environ, "PYTHONPATH": str(ROOT), "FINLLM_CHECKPOINTS": str(work / "kept")},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"the train stage failed:\n{done.stderr[-2000:]}")
        costs = work / "data" / "results" / "metrics" / "costs" / "train.json"
        cost = json.loads(costs.read_text())["cost"]
    setting = setting_of(
        params, length=length, labelled=labelled, device="cpu", mixed_lengths=False
    )
    planned = device_memory(_model(params), setting, launcher="single", devices=1)
    measured = cost["peak_memory_gb"]
    return {
        "batch_size": batch,
        "length": length,
        "recompute_every": every,
        "quantization": quantization,
        "planned_gb": planned.peak / GB,
        "activations_gb": planned.activations / GB,
        "measured_gb": measured,
        "ratio": planned.peak / GB / measured,
        "seconds": cost["seconds"],
    }


def _recomputed(every: int) -> str:
    return f"1 in {every}" if every > 1 else "all" if every else "none"


def _model(params: Params) -> Architecture:
    return find_architecture(params.model.name)


def _write_params(path: Path, **changes: dict) -> Params:
    yaml = YAML()
    document = yaml.load(ROOT / "params.yaml")
    for section, values in changes.items():
        document[section].update(values)
    with open(path, "w", encoding="utf-8") as file:
        yaml.dump(document, file)
    return load_params(path)


def _write_examples(work: Path, params: Params, n: int, length: int) -> int:
    """Write examples of ``length`` tokens; return the number of labelled tokens in each."""
    from finllm.instruct import chat
    from finllm.model.tokenizer import load_tokenizer
    from finllm.model.weights import base_folder

    tokenizer = load_tokenizer(base_folder(params.model), revision=params.model.revision)

    def example(n_words: int) -> Example:
        words, answer = " the" * n_words, " the" * int(LABELLED_SHARE * length)
        ids = ("t", "t", "Acme", "2021Q3", "", "sample", "summarization", "human")
        return Example(*ids, "Summarize:", words, answer, 0, 0)

    def encoded(one: Example) -> chat.Encoded:
        prompt = chat.render_prompt(
            tokenizer,
            system_prompt=params.templatize.system_prompt,
            instruction=one.instruction,
            excerpt=one.excerpt,
        )
        return chat.encode_example(tokenizer, prompt, one.answer)

    one = example(1 + length - len(encoded(example(1)).input_ids))  # " the" is one token
    ids = encoded(one)
    if len(ids.input_ids) != length:
        raise ValueError(f"made examples of {len(ids.input_ids)} tokens, not of {length}")
    (work / "data" / "split").mkdir(parents=True)
    rows = [dataclasses.replace(one, id=f"t{i}") for i in range(n)]
    for name, some in (("train", rows), ("val", rows[:1])):
        text = "".join(f"{to_json(row)}\n" for row in some)
        (work / "data" / "split" / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return len(ids.input_ids) - ids.n_prompt


def main() -> None:
    """Run the settings and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3, help="optimizer steps of each setting")
    parser.add_argument("--held-out", action="store_true", help="the other six settings")
    parser.add_argument("--settings", type=int, nargs="*", help="only these rows, counted from 0")
    flags = parser.parse_args()
    settings = HELD_OUT if flags.held_out else SETTINGS
    chosen = range(len(settings)) if flags.settings is None else flags.settings
    print(f"{'batch':>5} {'tokens':>6} {'recomp.':>7} {'weights':>7} ", end="")
    print(f"{'planned GB':>10} {'measured GB':>11} {'ratio':>6}")
    rows = []
    for index in chosen:
        row = measure(*settings[index], flags.steps)
        rows.append(row)
        print(
            f"{row['batch_size']:>5} {row['length']:>6} {_recomputed(row['recompute_every']):>7} "
            f"{row['quantization']:>7} {row['planned_gb']:>10.2f} {row['measured_gb']:>11.2f} "
            f"{row['ratio']:>6.2f}",
            flush=True,
        )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
