"""Recognise lines that announce the next speaker, in every form that publishers use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from finllm.corpus.layouts import names, sections
from finllm.corpus.layouts.roster import Roster

MAX_HEADING = 200  # characters of a line that only announces a speaker
MAX_WRAPPED_WIDTH = 132  # characters of a line that was broken at a column
MAX_BROKEN = 3  # lines that a heading between rules may span
_TAG = re.compile(
    r"[<\[](?P<tag>[QA])(?: ?[-\u2013\u2014:] ?(?P<who>[^<>\]]{0,120}))?[>\]] ?:? ?(?P<text>.*)",
    re.S,
)
_PERSON_TAG = re.compile(r"<(?P<who>[^<>]{2,120})>(?: ?: ?(?P<text>.*))?", re.S)
_BIO = re.compile(r" ?\{BIO[^{}]{0,40}\}")  # Bloomberg's link after a name
_TIME = re.compile(r"^(?:[\[(]\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?[\])]|\d{1,2}:\d\d:\d\d\b) ?")
_TIME_AFTER = re.compile(  # "Jane Roe 12:31", "Jane Roe (00:31):", "Jane Roe | CFO | 12:31"
    r"[ |\u00b7\u2022,-]+[(\[]?\d{1,2}:\d\d(?::\d\d)?[)\]]?:?$"
)
_TIME_WITHIN = re.compile(  # "Jane Roe [00:12:31] Thank you."
    r"(?P<who>[^\[\]():]{3,60}?) ?[\[(]\d{1,2}:\d\d(?::\d\d)?[\])]:? (?P<text>\S.*)"
)
_NAME_TAG = re.compile(r"(?P<who>[^:\[\]]{2,60}) \[(?P<tag>[QAM])\] ?:(?: (?P<text>.*))?", re.S)
_OLD_TAG = re.compile(r"(?P<tag>[QA]) ?- ?(?P<who>[^:]{3,80}?)(?:: ?(?P<text>.*))?", re.S)
_NUMBERED = re.compile(r"(?P<who>\S.{2,180}?) ?\[(?P<number>\d{1,4})\]")
_LETTER = re.compile(r"(?P<detail>\S.{1,140}?) (?P<tag>[QA])")
_COLON = re.compile(
    r"(?P<left>[^:.?!\n]{1,60}(?:\.[^:?!\n]{0,90})?|[^:?!\n]{1,150}) ?: ?(?P<text>.*)", re.S
)
_DASH = re.compile(r" +(?:--+|[-\u2013\u2014|\u00b7\u2022]) +|--+")
_BRACKETED = re.compile(r"(?P<name>[^()\[\]]+?) ?[(\[](?P<detail>[^()\[\]]+)[)\]]")
_DEGREE = re.compile(r"(?:jr|sr|ii|iii|iv|cfa|cpa|ph\.?d|m\.?d|mba|esq|j\.?d)\.?", re.I)
_SENTENCE_END = re.compile(r"[.?!:;)\]\"'-]$|\.\.\.$|\u2026$")
_GROUPS = {"executives": "executive", "executive": "executive"}
_GROUPS |= {"analysts": "analyst", "analyst": "analyst"}
_TAG_ROLES = {"Q": "analyst", "A": "executive"}


@dataclass(frozen=True)
class Heading:
    """The speaker that a line announces, and the words on that line."""

    kind: str  # a key of reading.LAYOUTS, or operator; "ruled?", "pair?" and "colon_firm" if the
    # rest of the file must settle it
    name: str
    role: str
    text: str = ""
    n_lines: int = 1


def candidates(lines: Sequence[str], roster: Roster) -> dict[int, Heading]:
    """Return the best guess for each line that could announce a speaker, by line index."""
    found: dict[int, Heading] = {}
    is_wrapped = max(map(len, lines), default=0) <= MAX_WRAPPED_WIDTH
    below = 0  # lines still to skip as part of the heading above
    for index, line in enumerate(lines):
        if below or index in roster.taken or sections.is_mark(line):
            below = max(below - 1, 0)
        elif heading := _guess(lines, index, roster, is_wrapped=is_wrapped):
            found[index] = heading
            below = heading.n_lines - 1
    return found


def _guess(lines: Sequence[str], index: int, roster: Roster, *, is_wrapped: bool) -> Heading | None:
    line = _TIME.sub("", _BIO.sub("", lines[index])).strip()
    if not line:
        return None
    if len(line) <= MAX_HEADING and (timed := _TIME_AFTER.sub("", line)) != line:
        heading = _guess([timed.strip("[]")], 0, roster, is_wrapped=False)
        if heading and not heading.text:
            is_other = heading.kind not in ("bare", "comma")
            return heading if is_other else replace(heading, kind="timed")
        name, detail = parted(timed)
        if names.is_name(name) and _is_short_title(detail):  # "John Doe, Big Bank | 12:31"
            return Heading("timed", names.bare(name), names.role_of(name, detail))
    if (within := _TIME_WITHIN.match(line)) and names.is_name(within["who"]):
        line = f"{within['who']}: {within['text']}"
    if line[0] in "<[QA" and (heading := _tagged(line)):
        return heading
    if "]" in line[:70] and (heading := _name_tagged(line)):
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
    if is_wrapped and line.isupper() and "," in line and index + 1 < len(lines):
        heading = _colon(f"{line} {lines[index + 1]}", roster)
        if heading and heading.kind == "titled":
            return replace(heading, n_lines=2)
    if is_wrapped and not _is_free(lines, index, roster, text):
        return None
    if len(text) <= 60 and names.is_name(text):
        return _stacked(lines, index, text, roster)
    if len(line) <= MAX_HEADING and ("," in line or line.endswith(")")):
        return _with_comma(text, is_marked=text != line)
    return None


def _tagged(line: str) -> Heading | None:
    """Read ``<Q - John Doe - Big Bank>: Hi``, ``Q - John Doe`` and ``[A]: Sure``."""
    match = _TAG.fullmatch(line)
    if match is None and (person := _PERSON_TAG.fullmatch(line)):
        name, detail = parted(person["who"])
        if names.is_name(name):
            role = names.role_of(name, detail)
            name = "Operator" if role == "operator" else names.bare(name)
            return Heading("tag", name, role, (person["text"] or "").strip())
    if match is None:
        match = _OLD_TAG.fullmatch(line)
        if match is None or not names.is_name(_DASH.split(match["who"])[0]):
            return None
    who = names.bare(parted(_DASH.split((match["who"] or "").strip())[0])[0])
    role = "operator" if names.is_operator(who) else _TAG_ROLES[match["tag"]]
    kind = "tag" if line[0] in "<[" else "letter_name"
    return Heading(kind, who or match["tag"], role, (match["text"] or "").strip())


def _name_tagged(line: str) -> Heading | None:
    """Read ``Yamada [Q]: What is the outlook?``; M marks the moderator."""
    match = _NAME_TAG.fullmatch(line)
    if match is None or not names.is_name(match["who"], n_tokens=1):
        return None
    is_operator = names.is_operator(match["who"])
    name = "Operator" if is_operator else names.bare(match["who"])
    role = "operator" if is_operator else _TAG_ROLES.get(match["tag"], "unknown")
    return Heading("tag", name, role, (match["text"] or "").strip())


def _ruled(lines: Sequence[str], index: int, text: str) -> Heading | None:
    """Read ``Jane Roe,  Acme Corp - CFO   [2]``, maybe broken, or a line between two rules."""
    is_below_rule = index > 0 and sections.is_rule(lines[index - 1])
    match, n_lines = _NUMBERED.fullmatch(text), 1
    while match is None and is_below_rule and n_lines < MAX_BROKEN:
        if index + n_lines >= len(lines) or sections.is_rule(lines[index + n_lines]):
            break
        text = f"{text} {lines[index + n_lines]}"
        n_lines += 1
        match = _NUMBERED.fullmatch(text)
    if match is None:
        is_above_rule = index + 1 < len(lines) and sections.is_rule(lines[index + 1])
        if not (is_below_rule and is_above_rule):
            return None
        text, n_lines = lines[index], 1
    who = match["who"] if match else text
    if names.is_operator(who):
        return Heading("ruled", "Operator", "operator", n_lines=n_lines)
    name, detail = parted(who)
    if not names.is_name(name, n_tokens=1 if match and is_below_rule else 2):
        return None
    kind = "ruled" if match else "ruled?"
    return Heading(kind, names.bare(name), names.role_of(name, detail), n_lines=n_lines)


def parted(who: str) -> tuple[str, str]:
    """Split a name from the text after its first comma or dash; "Jr." and degrees stay with it.

    >>> parted("John Doe, Jr., Chief Financial Officer"), parted("Jane Roe - Big Bank - Analyst")
    (('John Doe, Jr.', 'Chief Financial Officer'), ('Jane Roe', 'Big Bank - Analyst'))
    """
    first, *rest = who.split(",")
    while rest and (_DEGREE.fullmatch(rest[0].strip())):
        first = f"{first},{rest.pop(0)}"
    if rest and names.is_name(first, n_tokens=1):
        return first.strip(), ",".join(rest).strip()
    parts = _DASH.split(who, maxsplit=1)
    return parts[0].strip(), parts[1].strip() if len(parts) > 1 else ""


def _dashed(text: str, roster: Roster) -> Heading | None:
    """Read ``John Doe -- Big Bank -- Analyst``; one dash needs a title, a firm or a known name."""
    parts = _DASH.split(text, maxsplit=1)
    if len(parts) < 2 or not parts[1]:
        return None
    name, detail = parts[0].strip(), parts[1].strip()
    if not names.is_name(name) or ":" in detail:
        return None
    if names.is_operator(name) and names.is_operator(detail):
        return Heading("operator", "Operator", "operator")
    if not names.is_title(detail.replace(" -- ", " - ")):
        return None
    tells = names.TITLE.search(detail) or names.ANALYST.search(detail) or names.FIRM.search(detail)
    if not (tells or "--" in text or roster.knows(name)):
        return None
    if names.is_operator(name):
        return Heading("operator", "Operator", "operator")
    role = names.role_of(name, detail)
    has_firm = role == "executive" and len(_DASH.split(detail)) > 1  # "Acme Corp - CFO"
    return Heading("firm_dash" if has_firm else "dash", names.bare(name), role)


def _colon(line: str, roster: Roster) -> Heading | None:
    """Read ``Jane Roe: words``, ``Jane Roe (CFO): words``, ``JANE ROE, CFO, ACME CORP: words``."""
    match = _COLON.fullmatch(line)
    if match is None:
        return None
    left, text = match["left"].strip(), match["text"].strip()
    if left.count("(") != left.count(")") or _is_entry(text):
        return None  # "Acme Corp, Inc. (NYSE:ACM)", "MODERATOR: JANE ROE - BIG BANK"
    if names.is_operator(left):
        return Heading("colon", "Operator", "operator", text)
    inside = _BRACKETED.fullmatch(left)
    if names.is_collective(left):
        return Heading("colon", left, "unknown", text)
    if not inside and names.is_name(left, n_tokens=1):
        return Heading("colon", names.bare(left), names.role_of(left, ""), text)
    name, detail = (inside["name"], inside["detail"]) if inside else parted(left)
    if not detail or not names.is_name(name, n_tokens=1):
        return None
    if names.is_operator(name):
        return Heading("colon", "Operator", "operator", text)
    tells = names.TITLE.search(detail) or names.ANALYST.search(detail) or names.FIRM.search(detail)
    tells = tells or (inside and not text and names.is_title(detail))
    if not tells and not inside and names.is_name(name) and _is_short_title(detail):
        return Heading("colon_firm", names.bare(name), "unknown", text)
    if detail[0].islower() or not (tells or roster.knows(name)) or len(detail.split()) > 20:
        return None
    kind = "titled" if left.isupper() or left.count(",") > 1 else "colon_titled"
    return Heading(kind, names.bare(name), names.role_of(name, detail), text)


def _is_short_title(detail: str) -> bool:
    return len(detail.split()) <= 4 and names.is_title(detail)


def _is_entry(text: str) -> bool:
    """Return whether the words after a colon are an entry of a list: ``JANE ROE - BIG BANK``."""
    name, *rest = _DASH.split(text, maxsplit=1) if len(text) <= MAX_HEADING else ("",)
    return bool(rest) and names.is_name(name) and names.is_title(rest[0])


def _stacked(lines: Sequence[str], index: int, text: str, roster: Roster) -> Heading:
    """Read a name alone on its line, with or without a title or firm below it."""
    name = names.bare(text)
    below = lines[index + 1] if index + 1 < len(lines) else ""
    if names.is_operator(text):
        return Heading("operator", "Operator", "operator")
    beneath = lines[index + 2] if index + 2 < len(lines) else ""
    if beneath in _TAG_ROLES and names.is_title(below):
        return Heading("letter", name, _TAG_ROLES[beneath], n_lines=3)
    if (match := _LETTER.fullmatch(below)) and names.is_title(match["detail"]):
        return Heading("letter", name, _TAG_ROLES[match["tag"]], n_lines=2)
    if group := _GROUPS.get(below.casefold()):
        return Heading("pair", name, group, n_lines=2)
    if below and roster.details.get(names.key(name)) == below:
        return Heading("pair", name, roster.role(name), n_lines=2)
    if not sections.section_of(below) and names.is_title(below) and not names.is_operator(below):
        tells = names.TITLE.search(below) or names.ANALYST.search(below) or names.FIRM.search(below)
        role = names.role_of(name, below)
        if tells:
            # a firm without a title is that of an analyst
            return Heading("pair", name, "analyst" if role == "unknown" else role, n_lines=2)
        if not names.is_name(below) or len(below.split()) < 2:
            return Heading("pair?", name, role, n_lines=2)
    return Heading("bare", name, names.role_of(name, ""))


def _with_comma(text: str, *, is_marked: bool) -> Heading | None:
    """Read ``Jane Roe, Chief Financial Officer`` or ``Jane Roe (CFO)`` alone on its line.

    In brackets after a name that Markdown marks, any words will do: ``### John Doe (Big Bank)``.
    """
    inside = _BRACKETED.fullmatch(text)
    name, detail = (inside["name"], inside["detail"]) if inside else parted(text)
    if not names.is_name(name) or not names.is_title(detail) or detail[:1].islower():
        return None
    tells = names.TITLE.search(detail) or names.ANALYST.search(detail)
    if not (tells or (inside and is_marked)):
        return None
    return Heading("comma", names.bare(name), names.role_of(name, detail))


def _is_free(lines: Sequence[str], index: int, roster: Roster, name: str) -> bool:
    """Return whether the line above ends, so that this line does not continue its sentence."""
    if not index or (name and roster.knows(name)):
        return True
    above = lines[index - 1]
    return bool(_SENTENCE_END.search(above)) or len(above) < 60 or sections.is_rule(above)
