"""Change test examples: held-out wording, typos, and text without punctuation.

The figures of the excerpt stay as they are, so that the reference still answers the changed prompt,
and a change in score is due to the wording or the noise.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from finllm.instruct.templates import held_out_wording
from finllm.languages.quantities import quantities_in
from finllm.records import Example

MIN_TYPO_LETTERS = 4  # a typo would turn shorter words into others ("on", "no")
_WORD = re.compile(rf"[^\W\d_]{{{MIN_TYPO_LETTERS},}}")
_STOPS = ".,;:!?\"'"
_OPENINGS = ",;:!?\"'"  # a point at the start of a figure belongs to it
_PUNCTUATION = re.compile(r"[^\w\s'$€£¥%&+]")
_DIGIT = re.compile(r"\d")


def reworded(examples: Iterable[Example]) -> list[Example]:
    """Return the examples with the instruction that training and the verdict never use.

    Id, excerpt and answer stay, so answers pair with those to the usual wording. The tokens of the
    prompt are not counted here (0); ``templatize`` leaves room for every wording, including this
    one.
    """
    return [
        dataclasses.replace(
            example, instruction=held_out_wording(example.template), n_prompt_tokens=0
        )
        for example in examples
    ]


def noisy(examples: Iterable[Example], *, typo_share: float, seed: int) -> list[Example]:
    """Return the examples with typos in the excerpt, which is then written like recognised speech.

    The typos depend only on ``seed`` and the example's id. The instruction, the answer and every
    figure of the excerpt stay.
    """
    found = []
    for example in examples:
        slips = with_typos(example.excerpt, typo_share, _generator(seed, example.id))
        found.append(dataclasses.replace(example, excerpt=as_recognised(slips), n_prompt_tokens=0))
    return found


def draw(examples: Sequence[Example], ids: Collection[str], n: int, *, seed: int) -> list[Example]:
    """Draw up to ``n`` of the examples with these ids, the companies in turn; keep their order.

    Within a company, and among companies, they are drawn in the order of a hash of seed and name.
    """
    by_company: dict[str, list[str]] = {}
    for example in examples:
        if example.id in ids:
            by_company.setdefault(example.company, []).append(example.id)
    turns = [
        (turn, _hash(seed, company), one)
        for company, own in by_company.items()
        for turn, one in enumerate(sorted(own, key=lambda one: _hash(seed, one)))
    ]
    drawn = {one for _, _, one in sorted(turns)[:n]}
    return [example for example in examples if example.id in drawn]


def with_typos(text: str, share: float, rng: np.random.Generator) -> str:
    """Return the text with one typo in each of a share of its words of four or more letters.

    A typo swaps two neighbouring letters, drops one or doubles one, never the first. Words that are
    part of a quantity ("billion", "third quarter") stay, and so does every digit; the noun that is
    counted, or a "loss" before its amount, can be misspelt.

    Raises
    ------
    ValueError
        If the share is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share of words with typos {share}: must be in 0 to 1")
    figures = [(quantity.start, quantity.end) for quantity in quantities_in(text)]
    words = [
        match
        for match in _WORD.finditer(text)
        if not any(start < match.end() and match.start() < end for start, end in figures)
    ]
    drawn = rng.permutation(len(words))[: round(share * len(words))]
    parts, reach = [], 0
    for i in sorted(drawn.tolist()):
        parts += [text[reach : words[i].start()], _slip(words[i].group(), rng)]
        reach = words[i].end()
    return "".join(parts) + text[reach:]


def _slip(word: str, rng: np.random.Generator) -> str:
    at, kind = int(rng.integers(1, len(word) - 1)), int(rng.integers(3))
    middle = (word[at + 1] + word[at], word[at + 1], word[at] * 2 + word[at + 1])[kind]
    return word[:at] + middle + word[at + 2 :]


def as_recognised(text: str) -> str:
    """Return the text as a plain speech recogniser writes it: lower case, no punctuation, one line.

    Every digit stays, as do the sign, currency, point, comma and percent sign inside a figure and
    the parentheses around it. Do not count sentences or quantities of the result: if a sentence
    ends with a figure and the next begins with one, they can no longer be told apart.

    >>> as_recognised("Net loss was ($4.2) million, down 1,200 basis points. We're on track!")
    "net loss was ($4.2) million down 1,200 basis points we're on track"
    """
    return " ".join(filter(None, (_heard(word) for word in text.lower().split())))


def _heard(word: str) -> str:
    if not _DIGIT.search(word):
        parts = (part.strip("'") for part in _PUNCTUATION.sub(" ", word).split())
        return " ".join(filter(None, parts))
    word = word.rstrip(_STOPS).lstrip(_OPENINGS)
    if word.startswith("(") and word.endswith(")"):  # a loss may be written like this
        return word
    return word.rstrip(_STOPS + ")]").lstrip(_OPENINGS + "([")


def _generator(seed: int, example_id: str) -> np.random.Generator:
    return np.random.default_rng([seed, int(_hash(seed, example_id)[:16], 16)])


def _hash(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
