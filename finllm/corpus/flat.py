"""Split flat text into turns: by speaker names if present, else by hand-over phrases."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from finllm.corpus import cues
from finllm.records import Turn

_NAME = (
    r"(?:(?:Mr|Ms|Mrs|Dr)\.? )?[A-Z][\w.'-]*(?: (?:[A-Z][\w.'-]*|de|van|von|der|la|al|bin)){0,4}"
)
_TITLE = (
    r"[^.?!\n]{0,100}\b(?i:analyst|officer|president|chair\w*|director|ceo|cfo|coo|vp|head|manager"
    r"|treasurer|controller|relations|founder|partner|counsel|secretary|executive)\b[^.?!\n]{0,80}"
)
_HEADING = re.compile(rf"(?P<name>Operator|{_NAME}) ?(?:--?|,|\u2013) ?(?P<title>{_TITLE})")
_OPERATOR = re.compile(r"(?i:operator|conference operator|coordinator|moderator):?")
_COLON = re.compile(rf"(?P<name>{_NAME}): (?P<text>\S.*)")
_SECTION = re.compile(
    r"(?i)(?:(?P<qa>questions?(?: and|-and-| &) ?answers?|q ?& ?a(?: session)?"
    r"|question[- ]and[- ]answer session)|(?P<prepared>prepared remarks|presentation)):?"
)
OPERATOR_LINES = 8  # before a hand-over: "press star one", "please limit yourself to ..."
QUESTION_LINES = 8  # after a hand-over, the lines within which a question mark must come
MIN_SPEECHES = 3  # fewer "Name: words" lines are a list, not a dialogue


def split(turn: Turn) -> list[Turn]:
    """Split a text into one turn per speech if it names its speakers, else return it unchanged.

    Reads "Operator", "Jane Roe -- Chief Financial Officer" and "John Doe -- Bank -- Analyst" alone
    on a line, "Jane Roe: ..." before the words, and the headings "Prepared Remarks" and "Questions
    and Answers".
    """
    lines = turn.text.split("\n")
    colons = Counter(m["name"] for line in lines if (m := _COLON.match(line)))
    dialogue = {name for name, n in colons.items() if n > 1 or name == "Operator"}
    if colons.total() < MIN_SPEECHES or len(dialogue) < 2:
        colons = Counter()
    speeches: list[tuple[str, str, str, list[str]]] = []
    name, role, section = "", "unknown", turn.section
    n_headings = 0
    for line in lines:
        heading = _SECTION.fullmatch(line)
        if heading and len(lines) > MIN_SPEECHES:
            section = "qa" if heading["qa"] else "prepared"
            continue
        words = line
        if found := _heading(line):
            (name, role), words = found, ""
            n_headings += 1
        elif colons and (match := _COLON.match(line)):
            name, words = match["name"], match["text"]
            role = "operator" if _OPERATOR.fullmatch(name) else "unknown"
            n_headings += 1
        if not speeches or words != line or speeches[-1][2] != section:
            speeches.append((name, role, section, []))
        if words:
            speeches[-1][3].append(words)
    if n_headings < MIN_SPEECHES:
        return [turn]
    return [Turn(*who, "\n".join(text)) for *who, text in speeches if text]


def _heading(line: str) -> tuple[str, str] | None:
    """Return the name and role from a line that only announces the next speaker, else None."""
    if len(line) > 160:
        return None
    if _OPERATOR.fullmatch(line):
        return "Operator", "operator"
    if match := _HEADING.fullmatch(line):
        if match["name"] == "Operator":
            return "Operator", "operator"
        analyst = re.search(r"(?i)\banalyst\b", match["title"])
        return match["name"], "analyst" if analyst else "executive"
    return None


def divide(turn: Turn) -> list[Turn]:
    """Split text without speakers, a sentence a line, into prepared remarks and questions."""
    lines = turn.text.split("\n")
    if len(lines) < 2:
        lines = re.split(r"(?<=[.?!])\s+", turn.text)
    start = _flat_boundary(lines)
    if start is None:
        section = "prepared" if cues.asks_nothing(turn.text) else "unknown"
        return [replace(turn, section=section)]
    parts = [replace(turn, section="prepared", text="\n".join(lines[:start]))]
    if start < len(lines):
        parts += _flat_questions(turn, lines[start:])
    return [part for part in parts if part.text]


def _flat_boundary(lines: Sequence[str]) -> int | None:
    """Return the index of the line with which the questions begin, or None without any cue.

    It is the first hand-over, or the operator's words just before it; else the line after the last
    opening of the floor in the last three quarters of the text (an early one is only a promise).
    """
    for index, line in enumerate(lines):
        if cues.hands_over(line):
            before = range(max(index - OPERATOR_LINES, 0), index)
            return next((i for i in before if _is_operators(lines[i])), index)
    for index in range(len(lines) - 1, len(lines) // 4, -1):
        if cues.opens_floor(lines[index]):
            return index + 1
    return None


def _is_operators(line: str) -> bool:
    return cues.sounds_like_operator(line) or cues.begins_questions(line)


def _flat_questions(turn: Turn, lines: Sequence[str]) -> list[Turn]:
    """Label operator and analyst turns as far as hand-overs and question marks allow.

    Operator lines are recognised by their phrases. After a hand-over an analyst speaks up to the
    first question mark, if one comes soon. All other lines are unknown: they may be an executive's
    answer, or the analyst may continue.
    """
    roles = ["unknown"] * len(lines)
    for index, line in enumerate(lines):
        if not cues.hands_over(line):
            roles[index] = "operator" if _is_operators(line) else roles[index]
            continue
        first = index + 1
        while first < len(lines) and cues.GO_AHEAD.fullmatch(lines[first]):
            first += 1
        roles[index:first] = ["operator"] * (first - index)
        for last in range(first, min(first + QUESTION_LINES, len(lines))):
            if cues.hands_over(lines[last]):
                break
            if lines[last].endswith("?"):
                while last + 1 < len(lines) and lines[last + 1].endswith("?"):
                    last += 1
                roles[first : last + 1] = ["analyst"] * (last + 1 - first)
                break
    parts: list[tuple[str, list[str]]] = []
    for role, line in zip(roles, lines, strict=True):
        if parts and parts[-1][0] == role:
            parts[-1][1].append(line)
        else:
            parts.append((role, [line]))
    return [Turn(turn.speaker, role, "qa", "\n".join(text)) for role, text in parts]
