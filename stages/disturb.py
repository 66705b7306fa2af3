"""Reword some test questions with held-out instructions, and add noise to their excerpts."""

from finllm.instruct.disturbance import draw, noisy
from finllm.records import read_examples, write_jsonl
from stages import adapter


def main() -> str:
    """Draw the examples, change and write them; without a reworded set, only add noise."""
    at = adapter.paths("test", "reworded", "folder")
    p = adapter.params().predict
    test, reworded = read_examples(at.test), read_examples(at.reworded)
    ids = {example.id for example in reworded or test}
    drawn = {x.id for x in draw(test, ids, p.robustness_examples, seed=p.seed)}
    noise = noisy((x for x in test if x.id in drawn), typo_share=p.typo_share, seed=p.seed)
    write_jsonl(at.folder / "reworded.jsonl", [x for x in reworded if x.id in drawn])
    write_jsonl(at.folder / "noise.jsonl", noise)
    return f"{len(drawn)} test examples"


if __name__ == "__main__":
    adapter.run(main)
