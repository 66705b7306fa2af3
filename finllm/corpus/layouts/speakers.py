"""Lines that announce who speaks next, in every form that publishers write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from finllm.corpus.layouts import names, sections
from finllm.corpus.layouts.roster import Roster

MAX_HEADING = 200  # characters of a line that only announces
_TAG = re.compile(
    r"[<\[](?P<tag>[QA])(?: ?[-\u2013\u2014:] ?(?P<who>[^<>\]]{0,120}))?[>\]] ?:? ?(?P<text>.*)", re.S
)
_OLD_TAG = re.compile(r"(?P<tag>[QA]) ?- ?(?P<who>[^:]{3,80}?)(?:: ?(?P<text>.*))?", re.S)
_NUMBERED = re.compile(r"(?P<who>\S.{2,180}?) ?\[(?P<number>\d{1,4})\]")
_LETTER = re.compile(r"(?P<detail>\S.{1,140}?) (?P<tag>[QA])")
_COLON = re.compile(r"(?P<left>[^:.?!\n]{1,60}(?:\.[^:?!\n]{0,90})?|[^:?!\n]{1,150}) ?: ?(?P<text>.*)", re.S)
_DASH = re.compile(r" +(?:--+|-|\u2013|\u2014) +|--+")
_SENTENCE_END = re.compile(r"[.?!:;)\]\"'-]$|\.\.\.$|\u2026$")
_TAG_ROLES = {"Q": "analyst", "A": "executive"}


@dataclass(frozen=True)
class Heading:
    """Who speaks from a line on, and the words that stand on the line itself."""

    kind: str  # tag, ruled, colon, titled, dash, comma, pair, pair?, letter, bare or operator
    name: str
    role: str
    text: str = ""
    n_lines: int = 1


def candidates(lines: Sequence[str], roster: Roster) -> dict[int, Heading]:
    """The best guess at every line that could announce a speaker."""
    found: dict[int, Heading] = {}
    below = 0  # lines that belong to the heading above them
    for index, line in enumerate(lines):
        if below or index in roster.taken or not line or sections.section_of(line):
            below = max(below - 1, 0)
        elif heading := _guess(lines, index, roster):
            found[index] = heading
            below = heading.n_lines - 1
    return found


def _guess(lines: Sequence[str], index: int, roster: Roster) -> Heading | None:
    line = lines[index]
    if line[0] in "<[QA" and (heading := _tagged(line)):
        return heading
    text = line.strip("*_# \t")  # Markdown's bold names
    if names.is_operator(text) and ":" not in text:
        return Heading("operator", "Operator", "operator")
    if len(line) <= MAX_HEADING:
        if heading := _ruled(lines, index, text):
            return heading
        if heading := _dashed(text, roster):
            return heading
    if ":" in line[:160] and (heading := _colon(line.replace("**", ""), roster)):
        return heading
    if len(text) <= 60 and names.is_name(text) and _is_free(lines, index, roster, text):
        return _stacked(lines, index, text)
    if len(line) <= MAX_HEADING and "," in line and _is_free(lines, index, roster, ""):
        return _with_comma(text)
    return None


def _tagged(line: str) -> Heading | None:
    """``<Q - John Doe - Big Bank>: Hi``, ``Q - John Doe`` and ``[A]: Sure``."""
    match = _TAG.fullmatch(line)
    if match is None:
        match = _OLD_TAG.fullmatch(line)
        if match is None or not names.is_name(_DASH.split(match["who"])[0]):
            return None
    who = names.bare(_DASH.split((match["who"] or "").strip())[0].split(",")[0])
    role = "operator" if names.is_operator(who) else _TAG_ROLES[match["tag"]]
    return Heading("tag", who or match["tag"], role, (match["text"] or "").strip())


def _ruled(lines: Sequence[str], index: int, text: str) -> Heading | None:
    """``Jane Roe,  Acme Corp - CFO   [2]``, or a line between two rules."""
    match = _NUMBERED.fullmatch(text)
    if match is None:
        beside = [lines[i] for i in (index - 1, index + 1) if 0 <= i < len(lines)]
        if len(beside) < 2 or not all(map(sections.is_rule, beside)):
            return None
    who = match["who"] if match else text
    if names.is_operator(who):
        return Heading("ruled", "Operator", "operator")
    name, detail = parted(who)
    if not names.is_name(name, n_tokens=1 if match else 2):
        return None
    return Heading("ruled", names.bare(name), names.role_of(name, detail))


def parted(who: str) -> tuple[str, str]:
    """A name, and what stands behind its first comma or dash; "Jr." and degrees stay with it."""
    comma = re.match(r"(?P<name>[^,]+(?:, (?:Jr|Sr|II|III|IV|CFA|CPA|Ph\.?D|M\.?D)\.?)?),? +(?P<rest>.*)",
                     who) if "," in who else None  # fmt: skip
    if comma and names.is_name(comma["name"], n_tokens=1):
        return comma["name"], comma["rest"]
    parts = _DASH.split(who, maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else ""


def _dashed(text: str, roster: Roster) -> Heading | None:
    """``John Doe -- Big Bank -- Analyst``; with one dash a title, a firm or a known name as well."""
    parts = _DASH.split(text, maxsplit=1)
    if len(parts) < 2 or not parts[1]:
        return None
    name, detail = parts[0].strip(), parts[1].strip()
    if not names.is_name(name) or ":" in detail:
        return None
    if not names.is_title(detail.replace(" -- ", " - ")):
        return None
    tells = names.TITLE.search(detail) or names.ANALYST.search(detail) or names.FIRM.search(detail)
    if not (tells or "--" in text or roster.knows(name)):
        return None
    if names.is_operator(name):
        return Heading("operator", "Operator", "operator")
    return Heading("dash", names.bare(name), names.role_of(name, detail))


def _colon(line: str, roster: Roster) -> Heading | None:
    """``Jane Roe: words``, ``Jane Roe (CFO): words`` and ``JANE ROE, CFO, ACME CORP: words``."""
    match = _COLON.fullmatch(line)
    if match is None:
        return None
    left, text = match["left"].strip(), match["text"].strip()
    if names.is_operator(left):
        return Heading("colon", "Operator", "operator", text)
    if names.is_name(left, n_tokens=1):
        return Heading("colon", names.bare(left), names.role_of(left, ""), text)
    if inside := re.fullmatch(r"(?P<name>[^()\[\]]+?) ?[(\[](?P<detail>[^()\[\]]+)[)\]]", left):
        name, detail = inside["name"], inside["detail"]
    else:
        name, detail = parted(left)
    if not detail or not names.is_name(name, n_tokens=1):
        return None
    if names.is_operator(name):
        return Heading("titled", "Operator", "operator", text)
    tells = names.TITLE.search(detail) or names.ANALYST.search(detail) or names.FIRM.search(detail)
    if detail[0].islower() or not (tells or roster.knows(name)) or len(detail.split()) > 20:
        return None
    return Heading("titled", names.bare(name), names.role_of(name, detail), text)


def _stacked(lines: Sequence[str], index: int, text: str) -> Heading:
    """A name alone on its line, with a title or firm below it or not."""
    name = names.bare(text)
    below = lines[index + 1] if index + 1 < len(lines) else ""
    if names.is_operator(text):
        return Heading("operator", "Operator", "operator")
    if (match := _LETTER.fullmatch(below)) and names.is_title(match["detail"]):
        return Heading("letter", name, _TAG_ROLES[match["tag"]], n_lines=2)
    if not sections.section_of(below) and names.is_title(below) and not names.is_operator(below):
        tells = names.TITLE.search(below) or names.ANALYST.search(below) or names.FIRM.search(below)
        role = names.role_of(name, below)
        if tells:
            # a firm without a title is where analysts work
            return Heading("pair", name, "analyst" if role == "unknown" else role, n_lines=2)
        if not names.is_name(below) or len(below.split()) < 2:
            return Heading("pair?", name, role, n_lines=2)
    return Heading("bare", name, names.role_of(name, ""))


def _with_comma(text: str) -> Heading | None:
    """``Jane Roe, Chief Financial Officer`` alone on its line."""
    name, detail = parted(text)
    if not names.is_name(name) or not names.is_title(detail) or detail[:1].islower():
        return None
    if not (names.TITLE.search(detail) or names.ANALYST.search(detail)):
        return None
    return Heading("comma", names.bare(name), names.role_of(name, detail))


def _is_free(lines: Sequence[str], index: int, roster: Roster, name: str) -> bool:
    """Whether the line above ends, so that this one does not go on with its sentence."""
    if not index or (name and roster.knows(name)):
        return True
    above = lines[index - 1]
    return bool(_SENTENCE_END.search(above)) or len(above) < 60 or sections.is_rule(above)
