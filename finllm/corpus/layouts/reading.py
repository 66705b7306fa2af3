"""Split the text of a transcript into turns, and remove what the publisher put around them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from finllm.corpus.layouts import names, roster, sections
from finllm.corpus.layouts.credible import MIN_SPEECHES, credible
from finllm.corpus.layouts.speakers import Heading, candidates, parted
from finllm.records import Turn

MIN_AFTER_TAIL = 40  # if this many words are said after an apparent publisher's tail, it is not one
MIN_UNBROKEN = 300  # characters of a line that can hold a dialogue
MIN_PROSE = 12  # words of a line of speech; a shorter line can be a heading
# Name of the layout for each form of speaker lines; several are joined by "+".
LAYOUTS = {
    "tag": "factset",
    "letter": "factset",
    "letter_name": "seeking_alpha",
    "ruled": "streetevents",
    "titled": "streetevents",
    "dash": "motley_fool",
    "firm_dash": "streetevents",
    "pair": "capital_iq",
    "bare": "seeking_alpha",
    "timed": "seeking_alpha",
    "comma": "name_comma",
    "colon_titled": "name_colon",
    "colon": "name_colon",
}
_INSIDE = re.compile(  # the space before "John Doe: " inside a line
    r"(?<=[.?!)\]\"]) (?=(?P<who>(?i:operator|moderator)|[A-Z][\w.'-]*(?: [A-Z][\w.'-]*){1,3}): )"
)
_SPOKEN = re.compile(
    r"\b(?:welcome to|good (?:morning|afternoon|evening|day)|thanks?|ladies and gentlemen)\b",
    re.I,
)
PLAIN = "plain"  # none of these: use the rules for flat text


@dataclass(frozen=True)
class Reading:
    """Turns, layout and surroundings found in a text."""

    layout: str  # one of LAYOUTS, or several joined by "+" if it changes
    turns: tuple[Turn, ...]  # role and section are "unknown" if the text does not state them
    head: tuple[str, ...]  # the lines before the call
    tail: tuple[str, ...]  # the lines after it
    n_words_removed: dict[str, int]  # by kind: head, tail, headings, page_marks


def read(text: str) -> Reading | None:
    """Return the turns of a text in a known layout, or None if no layout is found.

    Parameters
    ----------
    text
        With its original line breaks; a line may also be a paragraph.
    """
    whole = [line.strip() for line in _broken(text).split("\n")]
    whole = [line for line in whole if line]
    pages = sections.running(whole, is_speaker=_announces)
    rows = [i for i in range(len(whole)) if i not in pages]
    lines = [whole[i] for i in rows]
    people = roster.find(lines)
    headings = credible(candidates(lines, people), people)
    first = _first_speech(lines, headings, people, start=_start(lines))
    if first is None:
        return None
    end = _tail(lines, headings, first)
    headings = {i: heading for i, heading in headings.items() if first <= i < end}
    named = [h for h in headings.values() if not names.is_anonymous(h.name)]
    kinds = Counter(h.kind for h in named if h.role != "operator")
    spoken = {names.key(h.name) for h in headings.values()}
    if len(headings) < MIN_SPEECHES or len(spoken) < 2:
        return None
    found = _assembled(lines, headings, people, first=first, end=end, layout=_layout(kinds))
    if not pages:
        return found
    removed = Counter(found.n_words_removed)
    removed["page_marks"] += sum(len(whole[i].split()) for i in pages)
    printed = [whole[i] for i in sorted(pages) if not sections.is_page_mark(whole[i])]
    head = tuple(dict.fromkeys([*found.head, *printed]))
    return replace(found, head=head, n_words_removed=dict(removed))


def _broken(text: str) -> str:
    """Break a line that holds a whole dialogue, "... go ahead. John Doe: Hi.", before each name."""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if len(line) >= MIN_UNBROKEN:
            counts = Counter(match["who"] for match in _INSIDE.finditer(line))
            if sum(n > 1 for n in counts.values()) > 1:
                lines[index] = _INSIDE.sub("\n", line)
    return "\n".join(lines)


def _announces(line: str) -> bool:
    name, detail = parted(line)
    return line[0] in "<[" or names.is_name(name) and (not detail or names.is_title(detail))


def _start(lines: Sequence[str]) -> int:
    """Return the line of the heading above which nothing is said, only printed; 0 without one.

    Pages have estimates and lists of people above "Presentation", some of them in columns, in which
    a name can be above any other words.
    """
    start = 0
    for index, line in enumerate(lines):
        if sections.section_of(line) == "prepared":
            start = index
        elif names.is_operator(line.partition(":")[0]) or (
            _is_prose(line) and not sections.opens_tail(line)
        ):
            break
    return start


def _first_speech(
    lines: Sequence[str], headings: dict[int, Heading], people: roster.Roster, *, start: int
) -> int | None:
    """Return the first heading from a line on that words follow, not a list entry; or None."""
    for index, heading in headings.items():
        if index < start:
            continue
        below = index + heading.n_lines
        if heading.text or (
            below < len(lines) and not _is_furniture(lines, below, headings, people)
        ):
            return index
    return None


def _is_furniture(
    lines: Sequence[str], index: int, headings: dict[int, Heading], people: roster.Roster
) -> bool:
    line = lines[index]
    if sections.is_rule(line):
        return index + 1 >= len(lines) or _is_furniture(lines, index + 1, headings, people)
    return index in headings or index in people.taken or sections.is_mark(line)


def _tail(lines: Sequence[str], headings: dict[int, Heading], first: int) -> int:
    """Return the line at which the publisher's tail begins, or the number of lines if none does."""
    announced = {i + n for i, h in headings.items() if h.kind != "comma" for n in range(h.n_lines)}
    for index in range(first + 1, len(lines)):
        if index in announced:
            continue
        ends = sections.opens_tail(lines[index]) or (
            sections.list_role(lines[index]) and 2 * index > len(lines)
        )
        # a foot that occurs once may be that of the last page but one
        most = 1 if sections.is_page_mark(lines[index]) else MIN_AFTER_TAIL
        if ends and _n_said(lines, headings, index, most) < most:
            return index
    return len(lines)


def _n_said(lines: Sequence[str], headings: dict[int, Heading], start: int, enough: int) -> int:
    """Count words in sentences that announced speakers say from a line on, up to ``enough``."""
    n_words, speaking = 0, False
    for index in range(start, len(lines)):
        if heading := headings.get(index):
            speaking = True
            n_words += len(heading.text.split())
        elif sections.opens_tail(lines[index]):
            speaking = False
        elif speaking and lines[index][-1] in ".?!":
            n_words += len(lines[index].split())
        if n_words >= enough:
            break
    return n_words


def _layout(kinds: Counter[str]) -> str:
    """Return the name of the layout, or of all with a fifth of the headings, joined by "+"."""
    if not kinds:
        return "name_colon"
    if kinds["tag"] or kinds["letter"]:  # FactSet writes the speakers of the remarks in other forms
        others = ("comma", "colon", "pair", "bare")
        kinds = Counter({k: n for k, n in kinds.items() if k not in others})
    if 5 * kinds["titled"] >= kinds["colon"]:  # the title is given only for a new speaker
        kinds["titled"] += kinds.pop("colon", 0)
    if 5 * kinds["firm_dash"] >= kinds["dash"]:  # both give the firm of analysts
        kinds["firm_dash"] += kinds.pop("dash", 0)
    kinds = +kinds
    totals: Counter[str] = Counter()
    for kind, n in kinds.items():
        totals[LAYOUTS[kind]] += n
    named = [name for name, n in totals.most_common() if 5 * n >= totals.total() and n > 1]
    return "+".join(named or [totals.most_common(1)[0][0]])


def _assembled(
    lines: Sequence[str],
    headings: dict[int, Heading],
    people: roster.Roster,
    *,
    first: int,
    end: int,
    layout: str,
) -> Reading:
    removed: Counter[str] = Counter()
    speeches: list[tuple[Heading, str, list[str]]] = []
    opening, section = _before(lines, first, people)
    if opening:
        speeches.append((Heading("bare", "", "unknown"), section, opening))
    speaking = Heading("bare", "", "unknown")
    skip = 0
    for index in range(first, end):
        line = lines[index]
        if skip:
            skip -= 1
            removed["headings"] += len(line.split())
        elif heading := headings.get(index):
            speaking, skip = heading, heading.n_lines - 1
            removed["headings"] += len(line.split()) - len(heading.text.split())
            speeches.append((speaking, section, [heading.text] if heading.text else []))
        elif opened := sections.section_of(line):
            section = opened
            removed["headings"] += len(line.split())
        elif sections.is_rule(line) or index in people.taken:
            removed["headings"] += len(line.split())
        elif sections.is_page_mark(line) or sections.is_advertisement(line):
            removed["page_marks"] += len(line.split())
        else:
            if speeches[-1][1] != section:
                speeches.append((speaking, section, []))
            speeches[-1][2].append(line)
    said = sum(len(line.split()) for line in opening)
    removed["head"] = sum(len(line.split()) for line in lines[:first]) - said
    removed["tail"] = sum(len(line.split()) for line in lines[end:])
    return Reading(
        layout=layout,
        turns=_turns(speeches, people),
        head=tuple(line for line in lines[:first] if line not in opening),
        tail=tuple(lines[end:]),
        n_words_removed=dict(+removed),
    )


def _before(lines: Sequence[str], first: int, people: roster.Roster) -> tuple[list[str], str]:
    """Return the speech before the first announced speaker, and the section open at that point.

    In a table of contents headings follow each other: only the last one opens a section. Without a
    heading, the speech is the prose right above the first speaker, if it sounds spoken.
    """
    section, start = "unknown", None
    for index in range(first):
        if opened := sections.section_of(lines[index]):
            section, start = opened, index + 1
        elif sections.is_mark(lines[index]):
            section, start = "unknown", None
    if start is None:
        start = first
        while start and _is_prose(lines[start - 1]) and start - 1 not in people.taken:
            start -= 1
        said = list(lines[start:first])
        is_speech = not names.is_operator(lines[first]) and _SPOKEN.search(" ".join(said))
        return (said if is_speech else []), "unknown"
    said = [
        line
        for index, line in enumerate(lines[start:first], start)
        if index not in people.taken and _is_prose(line)
    ]
    return said, section


def _is_prose(line: str) -> bool:
    return len(line.split()) >= MIN_PROSE and line[-1] in ".?!"


def _role(heading: Heading, people: roster.Roster) -> str:
    """Return the heading's role, but for an executive's title prefer the role in the lists."""
    if names.is_collective(heading.name):
        return names.role_of(heading.name, "")
    listed = people.role(heading.name)
    sure = heading.role != "executive" or heading.kind in ("tag", "letter", "letter_name")
    if heading.role != "unknown" and (sure or listed == "unknown"):
        return heading.role
    return listed


def _turns(
    speeches: Sequence[tuple[Heading, str, list[str]]], people: roster.Roster
) -> tuple[Turn, ...]:
    """Build the turns with one spelling for each name; sections only if questions are marked."""
    spelled = dict(people.spelled)
    for heading, _, _ in speeches:
        if not heading.name.isupper():
            spelled.setdefault(names.key(heading.name), heading.name)
    has_questions = any(section == "qa" for _, section, _ in speeches)
    found = []
    for heading, section, text in speeches:
        if not text:
            continue
        key = names.key(heading.name)
        role = _role(heading, people)
        name = spelled.get(key, heading.name)
        section = section if has_questions else "unknown"
        if section == "unknown" and has_questions:
            section = "prepared"
        found.append(Turn(name, role, section, "\n".join(text)))
    return tuple(found)
