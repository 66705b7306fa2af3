"""Check that a partial text states only figures that its excerpt states.

Figures are judged as in scoring: with ``extract_quantities`` and ``is_stated``, and with the
figures of ``finllm.scoring.figures``, whose direction counts. So the same texts are figures here
and there, including number words, years, quarters and ranges, and the tokenizer's splits do not
matter. Digits that count nothing, as in "1st" or "10-K", must also occur in the excerpt, or number
a list.

A text that is being written can end in the middle of a figure: "$4" may not be stated while "$4.2
billion" is. It is allowed as long as the rest of some written form of the excerpt's figures
(``written_forms``) completes it, judged together with the text before it. So there is always a way
to continue, and a text without one is never begun.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from itertools import islice

from finllm.answering.written_forms import list_numerals, written_forms
from finllm.languages.files import ENGLISH
from finllm.languages.quantities import quantities_in
from finllm.languages.wording import wording, wording_file
from finllm.numbers import Quantity, ends, extract_quantities, quantities_agree
from finllm.numbers.digits import VULGAR
from finllm.numbers.spelled import may_hold_word
from finllm.numbers.units import SYMBOLS
from finllm.scoring.figures import Figure, figures, figures_agree

LONGEST = 48  # characters of an incomplete figure
MOST_TRIED = 24  # forms tried to complete a text, a figure's own forms first
NEAR = 3  # words after a figure that can still tell its direction or unit
_BEHIND_DIGIT = re.compile(r"\D*\Z")
_DIGITS = re.compile(r"\w*\d(?:[.,]?\w)*")  # "1.134.1", which counts nothing, is one word
_DIGIT_OR_SYMBOL = re.compile(f"[\\d{re.escape(''.join([*VULGAR, *SYMBOLS]))}]")
_NUMERAL = re.compile(r"^[\s*_#>-]*\(?(\d{1,2})[.)]", re.MULTILINE)


class Ground:
    """Figures stated by one excerpt, to judge texts written about it."""

    def __init__(self, excerpt: str) -> None:
        stated = quantities_in(excerpt)
        self._known = [end for quantity in stated for end in ends(quantity)]
        self._figures = figures(excerpt)
        self._words = frozenset(_DIGITS.findall(excerpt.lower()))
        self._rank: dict[str, int] = {}
        for quantity in stated:
            for form in written_forms(quantity, excerpt[quantity.start : quantity.end]):
                self._rank.setdefault(form, len(self._rank))
        for form in (*sorted(self._words), *list_numerals()):
            self._rank.setdefault(form, len(self._rank))
        self._forms = sorted(self._rank)
        self._firsts = frozenset(form[0] for form in self._forms)
        self._agrees: dict[tuple[object, ...], bool] = {}
        self._judged: dict[str, bool] = {}
        self._completed = ""  # the last completed text that was supported

    def supports(self, text: str) -> bool:
        """Return whether the excerpt states every figure of a text.

        A text that ends with a currency sign is not supported.
        """
        text = text.strip()
        if text not in self._judged:
            self._judged[text] = self._states(text) and all(
                self._states_figure(figure) for figure in figures(text)
            )
        return self._judged[text]

    def is_complete(self, text: str, before: str) -> bool:
        """Return whether a text may end here, judged by its last lines.

        ``before`` is the text without its last token, which has passed ``may_go_on``. So earlier
        lines are not judged again, nor is a line without a figure, nor are words after a figure
        that are too far away to tell its direction or unit and state no figure themselves.
        """
        line = before.rfind("\n") + 1
        if not _may_state(text[line:]):
            return True
        behind = _BEHIND_DIGIT.search(text, line)[0].lower()
        words = behind.split()
        if len(words) > NEAR + 2 and not _may_state(behind):
            return True
        text = text[_judged_from(text, before) :]
        near = len(words) < 2 or not _directions().isdisjoint(words[: NEAR + 1])
        return self.supports(text) if near else self._states(text.strip())

    def may_go_on(self, text: str, before: str) -> bool:
        """Return whether a text is complete, or can be completed by the rest of a figure."""
        if text != before and self._completed.startswith(text) or self.is_complete(text, before):
            return True
        if text == before:  # nothing visible was added, so the figure might never end
            return False
        start = _judged_from(text, before)
        for rest in islice(self._rests(text), MOST_TRIED):
            if self.supports(text[start:] + rest):
                self._completed = text + rest
                return True
        return False

    def rest(self, text: str) -> str:
        """Return the text that completes an incomplete text, or "" if none is known."""
        return self._completed.removeprefix(text) if self._completed.startswith(text) else ""

    def _states(self, text: str) -> bool:
        if text.endswith(tuple(SYMBOLS)):
            return False
        stated = extract_quantities(text)
        if not all(self._states_quantity(quantity) for quantity in stated):
            return False
        free = {match.start(1) for match in _NUMERAL.finditer(text)}
        for quantity in stated:
            free.update(range(quantity.start, quantity.end))
        return all(
            match.start() in free or match.group().lower() in self._words
            for match in _DIGITS.finditer(text)
        )

    def _states_quantity(self, quantity: Quantity) -> bool:
        """Return ``is_stated`` of a quantity, with cached results."""
        return all(self._agrees_with_one(end) for end in ends(quantity))

    def _agrees_with_one(self, end: Quantity) -> bool:
        key = (end.kind, end.value, end.unit, end.per, end.quantum)
        if key not in self._agrees:
            self._agrees[key] = any(quantities_agree(end, other) for other in self._known)
        return self._agrees[key]

    def _states_figure(self, figure: Figure) -> bool:
        return any(figures_agree(figure, other) for other in self._figures)

    def _rests(self, text: str) -> Iterator[str]:
        """Yield the rests of forms that a text ends within, the longest beginnings first."""
        lower = text.lower()
        for start in range(max(0, len(lower) - LONGEST), len(lower)):
            begun = lower[start:]
            if begun[0] not in self._firsts or start and lower[start - 1].isalnum():
                continue
            at = bisect_left(self._forms, begun)
            found = []
            while at < len(self._forms) and self._forms[at].startswith(begun):
                if self._forms[at] != begun:
                    found.append(self._forms[at])
                at += 1
            for form in sorted(found, key=self._rank.__getitem__):
                yield form[len(begun) :]


@cache
def _directions() -> frozenset[str]:
    """Return the words that tell a direction."""
    return frozenset(
        form for form, (kind, _) in wording(wording_file(ENGLISH)).items() if kind == "direction"
    )


def _judged_from(text: str, before: str) -> int:
    """Return where the judged lines begin: the last two, or all in a text with list numerals."""
    if _NUMERAL.search(text):
        return 0  # a numeral is recognised by its place in the sequence
    return before.rfind("\n", 0, max(0, before.rfind("\n"))) + 1


def _may_state(lines: str) -> bool:
    """Return whether lines may have a figure: a digit, number word, period or currency sign."""
    return bool(_DIGIT_OR_SYMBOL.search(lines) or may_hold_word(f"\n{lines.lower()}\n"))
