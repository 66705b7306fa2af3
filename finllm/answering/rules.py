"""Rules enforced while an answer is decoded, with fused and with plain layers.

- grounding, ``figures``: no figure that the prompt's excerpt does not state
  (``finllm.answering.grounding``);
- repetition, ``bullets``: no line that the answer has already. A repeated line is removed, and
  replaced by one that begins with another word, or the answer ends: changing a word at the end of
  the same line would more often give a wrong statement than a new one. With ``figures`` a line is
  also removed if earlier lines state all of its figures;
- stop penalty, in nats: subtracted from the log-probability of every token that ends an answer.
  Greedy decoding chooses the mode of the length, which is shorter than the mean if lengths are
  skewed (Murray and Chiang, 2018, arXiv 1808.10006, have the same reward for each word).

The most probable token is checked first, and the next ones in order of probability only if it is
not allowed. So a rule that never applies changes nothing and costs only a check of the last lines.
When an answer ends, all of it is judged, and the text after its last supported token is removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from transformers import PreTrainedTokenizerBase

from finllm.answering.grounding import Ground
from finllm.model.fused_decoder import Write
from finllm.numbers import is_stated
from finllm.numbers.support import stated_figures
from finllm.scoring.reading import without_fragment

MOST_ASKED = 64  # most probable tokens to check; the rest are not tried
MOST_TAKEN_BACK = 4  # removed lines per answer
_MARK = re.compile(r"\s*(?:[-*+\u2022\u2013]+|\(?\d{1,2}[.)])\s+|\s+")


class Rules:
    """Decoding rules for the answers to some prompts.

    Parameters
    ----------
    tokenizer
        Any tokenizer; the rules read the text that it decodes.
    stop_ids
        Ids that end an answer.
    excerpts
        Excerpt of each prompt.
    grounding, repetition
        ``none`` or ``figures``; ``allow``, ``bullets`` or ``figures``.
    stop_penalty
        In nats; 0 for none.
    free
        Indexes of prompts whose answers follow no rules.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        stop_ids: Sequence[int],
        excerpts: Sequence[str],
        grounding: str,
        repetition: str,
        stop_penalty: float,
        free: Collection[int] = (),
    ) -> None:
        self._tokenizer = tokenizer
        self._stops = frozenset(stop_ids)
        self._excerpts = excerpts
        self._grounded, self._distinct = grounding == "figures", repetition != "allow"
        self._new_figures = repetition == "figures"
        self._stop_penalty, self._free = stop_penalty, frozenset(free)
        self._open: dict[int, _Open] = {}  # unfinished answers, by the index of the prompt

    def writer(self) -> Write | None:
        """Return the function to call before each token, or None if there is no rule."""
        ruled = self._grounded or self._distinct or self._stop_penalty
        return self.write if ruled else None

    def write(
        self, index: int, ids: Sequence[int], token: int, logits: Callable[[], np.ndarray]
    ) -> list[int]:
        """Return the ids of an answer with its next token, or fewer if a line is removed.

        ``token`` is the most probable one, and ``logits`` returns those of all tokens, in float32.
        """
        if index in self._free:
            return [*ids, token]
        answer = self._open_answer(index)
        before = self._text_of(answer, ids)
        if self._stop_penalty and token in self._stops:
            token = int(np.argmax(self._weighed(logits())))
        if not self._may_follow(answer, ids, token):
            token = self._best(answer, ids, self._weighed(logits()))
        written = [*ids, token]
        return self._without_repeat(answer, written, before) if self._distinct else written

    def finished(self, index: int, ids: Sequence[int], *, hit_limit: bool) -> list[int]:
        """Return an answer without a forbidden end, such as the first digits of a figure.

        If it hit the length limit, the part that scoring reads must be supported, too.
        """
        if self.writer() is None or index in self._free:
            return list(ids)
        answer, kept = self._open_answer(index), list(ids)
        del self._open[index]
        if self._distinct:
            new_figures = self._new_figures
            while (start := _repeated_from(self.text(kept), True, new_figures)) is not None:
                kept = kept[: self._place(kept, start)]
        if self._grounded:
            while kept and not self._may_end(answer, kept, hit_limit):
                kept.pop()
        return kept

    def text(self, ids: Sequence[int]) -> str:
        """Decode ids to text, without special tokens."""
        return self._tokenizer.decode(ids, skip_special_tokens=True)

    def _open_answer(self, index: int) -> _Open:
        if index not in self._open:
            self._open[index] = _Open(Ground(self._excerpts[index] if self._grounded else ""))
        return self._open[index]

    def _text_of(self, answer: _Open, ids: Sequence[int]) -> str:
        """Return the text of an answer's ids, cached since each token is checked more than once."""
        if answer.ids != ids:
            answer.ids, answer.text = list(ids), self.text(ids)
        return answer.text

    def _may_follow(self, answer: _Open, ids: Sequence[int], token: int) -> bool:
        if token in answer.banned.get(len(ids), ()):
            return False
        if not self._grounded:
            return True
        before = self._text_of(answer, ids)
        if token in self._stops:
            return answer.ground.is_complete(before, before)
        written = [*ids, token]
        text = self.text(written)
        if not answer.ground.may_go_on(text, before):
            return False
        answer.ids, answer.text = written, text
        return True

    def _weighed(self, logits: np.ndarray) -> np.ndarray:
        """Return the logits with the penalty subtracted from tokens that end an answer."""
        if not self._stop_penalty:
            return logits
        weighed = logits.copy()
        weighed[list(self._stops)] -= self._stop_penalty
        return weighed

    def _best(self, answer: _Open, ids: Sequence[int], logits: np.ndarray) -> int:
        """Return the most probable token that may follow, or one that ends the answer.

        After ``MOST_ASKED`` tokens, only the known rest of an incomplete figure is tried.
        """
        for token in most_probable(logits, MOST_ASKED):
            if self._may_follow(answer, ids, token):
                return token
        rest = answer.ground.rest(self.text(ids))
        if rest:
            token = self._tokenizer(rest, add_special_tokens=False)["input_ids"][0]
            if self._may_follow(answer, ids, token):
                return token
        return min(self._stops)

    def _without_repeat(self, answer: _Open, ids: list[int], before: str) -> list[int]:
        """Return the ids without the line that has just ended, if it repeats earlier lines.

        ``before`` is the text without the last id.
        """
        stops = ids[-1] in self._stops
        text = before if stops else self._text_of(answer, ids)
        if not stops and text.count("\n") == before.count("\n"):
            return ids
        start = _repeated_from(text, stops, self._new_figures)
        if start is None:
            return ids
        place = self._place(ids, start)
        answer.n_taken_back += 1
        if not place or answer.n_taken_back > MOST_TAKEN_BACK:
            return [*ids[:place], min(self._stops)]
        answer.banned = {at: tokens for at, tokens in answer.banned.items() if at <= place}
        answer.banned.setdefault(place, set()).add(ids[place])
        return ids[:place]

    def _place(self, ids: Sequence[int], start: int) -> int:
        """Return the number of ids before the one that writes the character at offset ``start``."""
        return next(n for n in range(len(ids)) if len(self.text(ids[: n + 1])) > start)

    def _may_end(self, answer: _Open, ids: Sequence[int], hit_limit: bool) -> bool:
        text = self.text(ids).strip()
        supports = answer.ground.supports
        return supports(text) and not (hit_limit and not supports(without_fragment(text)))


class _Open:
    """State of an unfinished answer."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.banned: dict[int, AbstractSet[int]] = {}  # by place: first tokens of removed lines
        self.n_taken_back = 0
        self.ids: list[int] = []  # ids of ``text``
        self.text = ""


def most_probable(logits: np.ndarray, n: int) -> list[int]:
    """Return up to n tokens, the most probable first and ties by the lower id."""
    n = min(n, len(logits))
    least = np.partition(logits, len(logits) - n)[len(logits) - n]
    found = np.flatnonzero(logits >= least)
    return found[np.argsort(-logits[found], kind="stable")][:n].tolist()


def _repeated_from(text: str, complete: bool, new_figures: bool) -> int | None:
    """Return where the words of the last line begin if it repeats earlier lines, else None.

    Only complete lines count; ``complete`` tells whether the last one is. ``new_figures`` is as in
    ``_repeats``. Case, list marks and the full stop are ignored.
    """
    lines = text.split("\n")
    ended = lines if complete else lines[:-1]
    last = max((i for i, line in enumerate(ended) if _said(line)), default=None)
    if last is None or not _repeats(ended[last], ended[:last], new_figures=new_figures):
        return None
    mark = _MARK.match(ended[last])
    return sum(len(line) + 1 for line in ended[:last]) + (mark.end() if mark else 0)


def _repeats(line: str, before: Sequence[str], *, new_figures: bool) -> bool:
    """Return whether an earlier line says the same.

    With ``new_figures``, also return True if the earlier lines state all of its figures and it has
    any.
    """
    if _said(line) in map(_said, before):
        return True
    figures = stated_figures(line) if new_figures else []
    known = stated_figures("\n".join(before)) if figures else []
    return bool(figures) and all(is_stated(figure, known) for figure in figures)


def _said(line: str) -> str:
    mark = _MARK.match(line)
    return line[mark.end() if mark else 0 :].strip(" \t\r.;,").casefold()
