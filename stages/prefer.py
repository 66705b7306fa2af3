"""Train the tuned adapter on pairs of answers, of which one is preferred."""

import shutil

from finllm.records import read_examples, read_json, write_jsonl, write_metrics, write_text
from stages import adapter


def main() -> str:
    """Make the pairs and train; if preference tuning is off, write empty outputs that say so."""
    at = adapter.paths(
        *("train", "val", "test", "transfer", "groups", "ratings", "adapter"),
        *("preferred", "pairs", "curve", "metrics", "costs"),
    )
    params = adapter.params()
    if params.prefer.method == "none":
        shutil.rmtree(at.preferred, ignore_errors=True)
        write_text(at.preferred / adapter.OFF, "prefer.method is none\n")
        write_jsonl(at.pairs, [])
        write_text(at.curve, "")
        write_metrics(at.metrics, at.costs, {"pairs": 0, "forgetting": {"ratio": 1.0}})
        return "off: prefer.method is none"
    from finllm.preference.run import NO_STEP, prefer  # imports torch, which takes seconds

    done = prefer(
        params,
        {name: read_examples(vars(at)[name]) for name in ("train", "val", "test", "transfer")},
        read_json(at.groups),
        ratings=at.ratings,
        adapter=at.adapter,
        preferred=at.preferred,
        pairs=at.pairs,
        curve=at.curve,
        metrics=at.metrics,
        costs=at.costs,
    )
    if done.best_step == 0:  # then the leads are zero, up to rounding
        return f"{NO_STEP}: the preferred model is the tuned model"
    share = f"{done.after.accuracy:.0%} of the pairs of companies left out of preference training"
    return f"the chosen answer leads in {share}, at step {done.best_step} of {done.n_steps}"


if __name__ == "__main__":
    adapter.run(main)
