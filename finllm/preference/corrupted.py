"""Pairs of a reference and a copy of it with one error.

Only lines whose figures the excerpt states are used, so that no pair prefers an invented figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from finllm.instruct import templates
from finllm.languages.detection import spoken_in
from finllm.numbers import rules_for
from finllm.numbers.foreign import has_comma_decimals
from finllm.preference import corruptions
from finllm.preference.pairs import CORRUPTED, Pair, rank
from finllm.records import Example

ANOTHER, INVENTED, SCALED = "another figure", "invented figure", "another scale"
REPEATED = "repeated bullet"
EDITS: dict[str, corruptions.Edit] = {
    ANOTHER: corruptions.swap_number,
    INVENTED: corruptions.invent_number,
    SCALED: corruptions.scale_number,
    "another direction": corruptions.flip_direction,
    "another period": corruptions.wrong_period,
    "dropped bullet": corruptions.drop_bullet,
    REPEATED: corruptions.repeat_bullet,
}
FIGURES = (ANOTHER, INVENTED, SCALED)
UNSTATED_LINES = "unstated_lines"  # of references: with a figure that the excerpt lacks
NOT_WORSE = "not_worse"  # errors in a figure that do not lower the rank


def stated_lines(examples: Sequence[Example]) -> tuple[list[Example], int]:
    """Return the examples without the lines of their answers that state an unstated figure.

    Also return the number of lines left out. An answer is empty if none of its lines is left.
    """
    found, n_left_out = [], 0
    for example in examples:
        kept, at = [], 0
        for line in example.answer.split("\n"):
            end = at + len(line)
            if any(start < end and stop > at for start, stop in example.unstated):
                n_left_out += 1
            else:
                kept.append(line)
            at = end + 1
        found.append(replace(example, answer="\n".join(kept).strip(), unstated=[]))
    return found, n_left_out


def corrupted_pairs(
    examples: Sequence[Example], rng: np.random.Generator
) -> tuple[list[Pair], Counter[str]]:
    """Pair the reference of each example with each corruption of it, and count those left out.

    The references are those of ``stated_lines``. A question states nothing that could be wrong, so
    only its form is corrupted.
    """
    found, left_out = [], Counter({NOT_WORSE: 0})
    for example in examples:
        if not example.answer:
            continue
        best = rank(example.answer, example)
        for fault, wrong in _errors(example, rng):
            if fault in FIGURES and rank(wrong, example) >= best:
                left_out[NOT_WORSE] += 1
            else:
                found.append(
                    Pair(example.id, example.company, CORRUPTED, fault, example.answer, wrong)
                )
    return found, left_out


def _errors(example: Example, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each corruption that changes the example's answer.

    A figure is invented only if the excerpt has no other that fits. A figure of an excerpt with
    decimal commas fits nowhere: its notation would tell it from those of the answer.
    """
    answer, excerpt = example.answer, example.excerpt
    known = "" if has_comma_decimals(excerpt, rules_for(spoken_in(excerpt))) else excerpt
    made = set()
    for fault, edit in EDITS.items():
        if example.template == templates.QUESTIONS and fault != REPEATED:
            continue
        if fault == INVENTED and ANOTHER in made:
            continue
        wrong = edit(answer, known, rng)
        if wrong.strip() != answer.strip():
            made.add(fault)
            yield fault, wrong
