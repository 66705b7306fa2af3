"""Fit a LoRA adapter on the training set and keep the best one by validation loss."""

import sys

from finllm.records import read_examples
from finllm.runtime import screen
from finllm.training import launch, run
from stages import adapter


def main() -> str | None:
    """Train in this process, or in one process per device."""
    at = adapter.paths(
        *("train", "val", "launchers", "adapter", "curves", "metrics", "costs", "steps")
    )
    params = adapter.params()
    n = launch.n_processes(params.train.launcher, params.train.devices)
    if n > 1 and not launch.launched():
        config = at.launchers / f"{params.train.launcher}.yaml"
        with screen.released():
            launch.launch("stages.train", sys.argv[1:], config=config, n=n)
        return None
    with launch.one_voice():
        result = run.train(
            params,
            train=read_examples(at.train),
            val=read_examples(at.val),
            adapter=at.adapter,
            curves=at.curves,
            metrics=at.metrics,
            costs=at.costs,
            steps=at.steps,
        )
        said = (
            f"validation loss {result.initial_val_loss_nats:.3f} -> "
            f"{result.best_val_loss_nats:.3f} nats at step {result.best_step} of {result.n_steps}"
        )
    return said if launch.is_main() else None


if __name__ == "__main__":
    adapter.run(main)
