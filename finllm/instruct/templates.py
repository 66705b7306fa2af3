"""Define the four instruction templates with several wordings each; the last one is held out.

The held-out wording is never used in training or for the verdict: it tests whether a tuned model
has learned the task or only the sentence.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

UNDERSTANDING = "understanding"
COMPLETION = "completion"
SUMMARIZATION = "summarization"
QUESTIONS = "questions"

INSTRUCTIONS = {  # add new ones at the end: ``candidates`` draws in this order
    UNDERSTANDING: (
        "Analyze the following business call transcript and provide key insights about the "
        "financial discussion:",
        "Give the key figures, the themes and the outlook of this earnings call excerpt:",
        "What are the main financial insights in the following call?",
        "Read this call as a financial analyst would and state what matters:",
    ),
    COMPLETION: (
        "Complete this business call transcript:",
        "Continue the following earnings call from where it stops:",
        "Write the next sentences of this call:",
        "What does the speaker say next in this call?",
    ),
    SUMMARIZATION: (
        "Summarize the key points from this financial call excerpt:",
        "Write the main results of this earnings call as short bullets:",
        "State the key points of the following call, one a line:",
        "Condense this earnings call to its most important facts:",
    ),
    QUESTIONS: (
        "Based on this financial call transcript, what questions might investors ask?",
        "Write a question that an analyst could ask after these remarks:",
        "What would an investor want to know after this part of the call?",
        "Act as a sell-side analyst and put a question to the management:",
    ),
}
TEMPLATES = tuple(INSTRUCTIONS)


def wordings(template: str) -> tuple[str, ...]:
    """Return the wordings that training and evaluation use."""
    return INSTRUCTIONS[template][:-1]


def held_out_wording(template: str) -> str:
    """Return the wording that neither training nor the verdict ever uses."""
    return INSTRUCTIONS[template][-1]


def quotas(
    available: Mapping[str, int], weights: Mapping[str, float], max_examples: int
) -> dict[str, int]:
    """Return how many examples of each template to keep, so that their shares equal the weights.

    The total is the largest that every template can supply (and at most ``max_examples`` unless
    that is 0); its parts are rounded by largest remainder.

    Raises
    ------
    ValueError
        If a template with a positive weight has no example at all.

    >>> quotas({"a": 50, "b": 12}, {"a": 0.8, "b": 0.2}, 0)
    {'a': 48, 'b': 12}
    """
    used = {name: weight for name, weight in weights.items() if weight > 0}
    for name in used:
        if available.get(name, 0) == 0:
            raise ValueError(
                f"templatize.weights.{name} is {used[name]:g}, but this source gives no example of "
                f"{name}; set that weight to 0 and raise another"
            )
    total = min(math.floor(available[name] / weight + 1e-9) for name, weight in used.items())
    if max_examples:
        total = min(total, max_examples)
    while any(count > available[name] for name, count in apportion(total, used).items()):
        total -= 1  # rounding up can ask a template for one more than it has
    return apportion(total, used)


def offered(weights: Mapping[str, float], available: Collection[str]) -> dict[str, float]:
    """Return the weights of the templates that a source has, scaled to add up to 1 again.

    Raises
    ------
    ValueError
        If the source has no template of positive weight.
    """
    used = {name: weight for name, weight in weights.items() if name in available and weight > 0}
    if not used:
        found = ", ".join(sorted(available)) or "no template"
        raise ValueError(
            f"data.transfer_source gives examples of {found}; templatize.weights must be above 0 "
            "for one of them"
        )
    return {name: weight / sum(used.values()) for name, weight in used.items()}


def apportion(total: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Divide ``total`` into whole parts in the ratio of the weights, by largest remainder."""
    scale = sum(weights.values())
    exact = {name: total * weight / scale for name, weight in weights.items()}
    parts = {name: math.floor(value + 1e-9) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: parts[name] - exact[name])
    for name in by_remainder[: total - sum(parts.values())]:
        parts[name] += 1
    return parts
