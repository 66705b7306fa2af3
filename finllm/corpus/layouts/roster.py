"""Read the lists of participants: who belongs to the company, and who asks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from finllm.corpus.layouts import names, sections

MAX_ENTRIES = 120  # a longer list is not a list of participants
_BULLET = re.compile(r"^\s*(?:[*\u2022\u25cf\u00b7o-]|\d{1,2}[.)])\s+")
_DASH = re.compile(r"\s+(?:--?|\u2013|\u2014|\|)\s+|\s+-(?=[A-Z])|;\s+")


@dataclass
class Roster:
    """Listed names by ``names.key``: their spelling and role, and the lines that lists occupy."""

    spelled: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    details: dict[str, str] = field(default_factory=dict)  # the line below a listed name

    def knows(self, name: str) -> bool:
        """Return whether a name is in a list."""
        return names.key(names.bare(name)) in self.spelled

    def role(self, name: str) -> str:
        """Return the role of a name, or of the only one that differs just in initials or "Jr.".

        The only entry that begins with the name counts too: some lists have "Jane Roe Acme Corp -
        CFO".
        """
        key = names.key(names.bare(name))
        if key in self.roles:
            return self.roles[key]
        short = names.short_key(name)
        alike = {role for other, role in self.roles.items() if names.short_key(other) == short}
        alike = alike or {r for other, r in self.roles.items() if other.startswith(f"{key} ")}
        return alike.pop() if len(alike) == 1 else "unknown"

    def add(self, name: str, role: str) -> None:
        """Add a name; the first known role is kept."""
        key = names.key(name)
        self.spelled.setdefault(key, name)
        if role != "unknown":
            self.roles.setdefault(key, role)


def find(lines: Sequence[str]) -> Roster:
    """Return the participants of all lists in a transcript, wherever they are."""
    roster = _lists(lines, firms=frozenset())
    return _lists(lines, firms=_below_names(lines)) if roster.details else roster


def _lists(lines: Sequence[str], *, firms: frozenset[str]) -> Roster:
    roster, index = Roster(), 0
    while index < len(lines):
        role = sections.list_role(lines[index])
        if not role:
            index += 1
            continue
        index = _read_list(lines, index, role, roster, firms=firms)
    return roster


def _read_list(
    lines: Sequence[str], start: int, role: str, roster: Roster, *, firms: frozenset[str]
) -> int:
    """Read the list below the heading at ``start``; return the index of the first line after it.

    If a list has titles or firms below names, ``firms`` are those that look like names too.
    """
    index, n_entries = start + 1, 0
    taken, found = {start}, []
    seen: set[str] = set()
    while index < len(lines) and n_entries < MAX_ENTRIES:
        if sections.is_rule(lines[index]):
            taken.add(index)
            index += 1
            continue
        entry = _entry(lines, index, firms=firms)
        if entry is None or (not entry[1] and names.key(entry[0]) in seen):
            break
        name, detail, n_lines = entry
        if names.is_operator(name):
            break
        said = names.role_of(name, detail)
        if role == "mixed":
            # a firm without a title is that of an analyst
            own = said if said != "unknown" or not names.FIRM.search(detail) else "analyst"
        else:
            own = role
        found.append((name, own))
        if n_lines > 1:
            roster.details[names.key(name)] = detail
        seen.add(names.key(name))
        taken |= set(range(index, index + n_lines))
        index += n_lines
        n_entries += 1
    if found:
        roster.taken |= taken
        for name, own in found:
            roster.add(name, own)
    return max(index, start + 1)


def _entry(
    lines: Sequence[str], index: int, *, firms: frozenset[str]
) -> tuple[str, str, int] | None:
    """Return name, title or firm, and number of lines of a list entry; None if it is not one."""
    line = _BULLET.sub("", lines[index]).strip()
    if not line or len(line) > 180 or sections.section_of(line) or sections.list_role(line):
        return None
    if sections.opens_tail(line) or sections.is_contents(line):
        return None
    parts = _DASH.split(line, maxsplit=1)
    if len(parts) == 2:
        first, rest = parts
        if names.is_name(first):
            return names.bare(first), rest, 1
        if names.is_name(rest) and names.TITLE.search(
            first
        ):  # "Chief Executive Officer - Jane Roe"
            return names.bare(rest), first, 1
        return None
    first, _, rest = line.partition(",")
    if names.is_name(line):
        below = _BULLET.sub("", lines[index + 1]).strip() if index + 1 < len(lines) else ""
        is_other = names.is_name(below) and below not in firms
        if below and not is_other and names.is_title(below) and _is_detail(below):
            return names.bare(line), below, 2
        return names.bare(line), "", 1
    if match := re.fullmatch(r"(?P<name>[^()]{3,60}?) ?\((?P<detail>[^()]{2,80})\)", line):
        return (
            (names.bare(match["name"]), match["detail"], 1)
            if names.is_name(match["name"])
            else None
        )
    if rest and names.is_name(first) and names.is_title(rest.strip()):
        return names.bare(first), rest.strip(), 1
    return None


def _below_names(lines: Sequence[str]) -> frozenset[str]:
    """Return the lines that always come below a name, as firms do but speakers do not."""
    plain = [_BULLET.sub("", line).strip() if len(line) <= 60 else "" for line in lines]
    known = {line: names.is_name(line) for line in set(plain)}
    spoken = {plain[0]} | {line for above, line in itertools.pairwise(plain) if not known[above]}
    return frozenset(known) - spoken


def _is_detail(text: str) -> bool:
    return not sections.section_of(text) and not sections.list_role(text)
