"""Counts that need no run, for use as a study's command: trained parameters and kept activations.

python -m benchmarks.study_counts LoRA counts.jsonl

The counts are those of ``finllm.planning`` for the preset gpu-llama3-8b-qlora: nothing is loaded or
measured. The activations are those that a step keeps for its backward pass, with or without
recomputation; the tests of the planning compare them with what autograd keeps.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from finllm.commands.study.measure import RUN, line
from finllm.planning.plan_request import plan_params
from finllm.records import write_lines
from finllm.settings.presets import preset_params

PRESET = "gpu-llama3-8b-qlora"


def count(what: str) -> int:
    """Return the number of trained parameters, or of bytes kept.

    Raises
    ------
    ValueError
        If ``what`` is not counted.
    """
    params = preset_params(PRESET, folder=Path("presets"), params=Path("params.yaml"))
    planned = plan_params(
        params, launcher="", devices=0, examples=0, tokens_per_second=0.0, train_set=None,
        metrics=None,
    )  # fmt: skip
    found = {
        "full fine-tuning": planned.parameters["total"],
        "LoRA": planned.trainable[params.lora.targets],
        "all kept": planned.kept,
        "every layer recomputed": planned.checkpointed,
    }
    if what not in found:
        raise ValueError(f"{what!r} is not counted; allowed: {', '.join(found)}")
    return found[what]


def main() -> None:
    """Count, and write one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what")
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    write_lines(args.out, [line(RUN, RUN, count(args.what))])


if __name__ == "__main__":
    main()
