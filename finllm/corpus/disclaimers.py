"""Find and remove disclaimers repeated across calls, by comparing the whole corpus."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from finllm.corpus.boilerplate import FIGURE, REPEATED
from finllm.corpus.paragraphs import near_groups, plain_words, sketches
from finllm.records import Line, Reject, Transcript, Turn, to_json
from finllm.runtime.hashing import text_hash

MIN_WORDS = 12  # a shorter line may repeat by chance
MIN_COMPANIES = 3  # a text said by this many companies is boilerplate,
MIN_CALLS = 2  # and so is one said in this many calls of one company
_CUE = re.compile(
    r"forward[- ]looking|actual (?:results|events)[^.]* (?:differ|vary)|differ materially"
    r"|safe harbor|risk factors?"
    r"|uncertaint|undue reliance|(?:undertakes?|assumes?|under) no (?:obligation|duty)"
    r"|no obligation|disclaim|non-gaap|reconcil|securities (?:litigation|act|laws|and exchange)"
    r"|\b10-?[kq]\b|filings? with the sec\b|copyright|property of|all rights reserved"
    r"|without (?:the )?(?:prior |express |written )+(?:consent|permission)|reproduc|rebroadcast"
    r"|recorded|informational purposes|investment advice|offer to (?:sell|buy)|solicitation"
    r"|views expressed|(?:only|speaks?) as of (?:the date|today)|webcast|replay"
)


@dataclass(frozen=True)
class Candidate:
    """A paragraph that reads like a disclaimer, without its text."""

    company: str
    call_id: str
    key: int
    sketch: np.ndarray  # shape (32,)


@dataclass
class Erased:
    """A batch of calls after removal of the repeated disclaimers."""

    lines: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    kept_by_source: Counter[str] = field(default_factory=Counter)  # negative: no longer kept
    kept_by_language: Counter[str] = field(default_factory=Counter)  # as kept_by_source


def reads_like_one(paragraph: str) -> bool:
    """Return whether a line is long enough, states no figure and has the words of a disclaimer.

    >>> reads_like_one("We undertake no obligation to update any of these remarks after this call.")
    True
    >>> reads_like_one("We undertake no obligation beyond the $5 million that we set aside for it.")
    False
    """
    if paragraph.count(" ") + 1 < MIN_WORDS or not _CUE.search(paragraph.lower()):
        return False
    return FIGURE.search(paragraph) is None


def candidates(call: Transcript) -> list[Candidate]:
    """Return the paragraphs of a call that read like a disclaimer, except for those of analysts."""
    lines = [line for turn in _speeches(call) for line in turn.text.split("\n")]
    plain = {_key(words): words for words in map(plain_words, filter(reads_like_one, lines))}
    rows = sketches(list(plain.values()))
    return [
        Candidate(call.company, call.id, key, row) for key, row in zip(plain, rows, strict=True)
    ]


def repeated(found: Iterable[Candidate]) -> frozenset[int]:
    """Return the keys of the candidates that several companies, or several calls of one, share.

    Paragraphs are shared if they are the same nearly verbatim: see ``paragraphs.near_groups``.
    """
    every = list(found)
    if not every:
        return frozenset()
    groups = near_groups(np.stack([one.sketch for one in every]))
    calls: dict[int, dict[str, set[str]]] = {}
    for one, group in zip(every, groups.tolist(), strict=True):
        calls.setdefault(group, {}).setdefault(one.company, set()).add(one.call_id)
    boilerplate = {
        group
        for group, by_company in calls.items()
        if len(by_company) >= MIN_COMPANIES or max(map(len, by_company.values())) >= MIN_CALLS
    }
    return frozenset(
        one.key for one, group in zip(every, groups.tolist(), strict=True) if group in boilerplate
    )


def erase(call: Transcript, keys: frozenset[int]) -> tuple[Transcript, int]:
    """Return the call without the paragraphs of these keys, and the number of words removed."""
    n_words = 0
    turns = []
    for turn in call.turns:
        kept = turn.text.split("\n")
        if turn.role != "analyst":
            gone = [line for line in kept if reads_like_one(line)]
            gone = {line for line in gone if _key(plain_words(line)) in keys}
            n_words += sum(len(line.split()) for line in kept if line in gone)
            kept = [line for line in kept if line not in gone]
        if kept:
            turns.append(replace(turn, text="\n".join(kept)))
    return replace(call, turns=tuple(turns)), n_words


def eraser(keys: frozenset[int]) -> Callable[[Sequence[Line]], Erased]:
    """Build a function that removes the paragraphs of these keys from a batch of calls."""

    def erase_all(batch: Sequence[Line]) -> Erased:
        found = Erased()
        for line in batch:
            call, n_words = erase(line.transcript(), keys)
            found.counts[f"words_removed_{REPEATED}"] += n_words
            found.counts["words_after"] -= n_words
            if call.turns:
                found.lines.append(to_json(call))
            else:
                detail = f"all its {n_words} words are repeated disclaimers"
                found.rejects.append(Reject(call.id, call.source, 0, "empty_text", detail))
                found.kept_by_source[call.source] -= 1
                found.kept_by_language[call.language] -= 1
        return found

    return erase_all


def _speeches(call: Transcript) -> list[Turn]:
    return [turn for turn in call.turns if turn.role != "analyst"]


def _key(words: Sequence[str]) -> int:
    return text_hash(" ".join(words))
