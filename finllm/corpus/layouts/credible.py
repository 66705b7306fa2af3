"""Tell lines that announce a speaker from lines that only look like it, by the rest of the file."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from finllm.corpus.layouts import names, roster
from finllm.corpus.layouts.speakers import Heading

MIN_SPEECHES = 3  # fewer announced speakers are a list, or chance
MIN_OF_A_KIND = 2
MIN_OPENING = 4  # words of an operator who speaks once; "Moderator: Jane Roe" is shorter


def credible(found: dict[int, Heading], people: roster.Roster) -> dict[int, Heading]:
    """Return the candidates whose form occurs often enough, or whose name is known."""
    found = _believed_colons(found, people)
    found = _settled_firms(_believed_stacks(found, people))
    kinds = Counter(heading.kind for heading in found.values())
    kinds["dash"] = kinds["firm_dash"] = kinds["dash"] + kinds["firm_dash"]
    kinds["titled"] = kinds["colon_titled"] = kinds["titled"] + kinds["colon_titled"]
    chosen = {}
    for index, heading in found.items():
        known = people.knows(heading.name)
        if heading.kind == "ruled?":
            if kinds["ruled"] < MIN_OF_A_KIND and (known or kinds["ruled?"] >= MIN_OF_A_KIND):
                chosen[index] = replace(heading, kind="ruled")
            continue
        sure = heading.kind in ("operator", "tag") or names.is_anonymous(heading.name)
        sure = sure or (heading.kind in ("comma", "bare") and kinds["tag"])
        sure = sure or (heading.role == "operator" and len(heading.text.split()) >= MIN_OPENING)
        if sure or known or kinds[heading.kind] >= MIN_OF_A_KIND:
            chosen[index] = heading
    return chosen


def _believed_colons(found: dict[int, Heading], people: roster.Roster) -> dict[int, Heading]:
    """Drop headings like "Highlights: ..." in prose: in a dialogue, names recur.

    "John Doe, Big Bank: ..." counts only in a dialogue, in which others may have titles.
    """
    talk = Counter(names.key(h.name) for h in found.values() if h.kind.startswith("colon"))
    converse = sum(n > 1 for n in talk.values()) > 1
    found = {
        i: replace(h, kind="colon_titled") if h.kind == "colon_firm" else h
        for i, h in found.items()
        if h.kind != "colon_firm" or converse or people.knows(h.name)
    }
    colons = {i: h for i, h in found.items() if h.kind == "colon"}
    counts = Counter(names.key(h.name) for h in colons.values())
    others = {names.key(h.name) for h in found.values() if h.kind != "colon"}
    repeated = {key for key, n in counts.items() if n > 1 or key == "operator"}
    dialogue = len(colons) >= MIN_SPEECHES and len(repeated) >= 2
    kept = {}
    for index, heading in found.items():
        if heading.kind == "colon":
            key = names.key(heading.name)
            known = key in people.spelled or key in others or heading.role != "unknown"
            whole = len(heading.name.split()) > 1 or names.is_collective(heading.name)
            if not (known or (dialogue and (key in repeated or whole))):
                continue
        kept[index] = heading
    return kept


def _believed_stacks(found: dict[int, Heading], people: roster.Roster) -> dict[int, Heading]:
    """Keep names alone on a line that are in a list, recur, or have a title below."""
    counts = Counter(names.key(h.name) for h in found.values())
    strong = Counter(h.kind for h in found.values())
    elsewhere = {names.key(h.name) for h in found.values() if h.kind in ("tag", "dash", "titled")}
    elsewhere |= {names.key(h.name) for h in found.values() if names.is_anonymous(h.name)}
    stacked = {"bare", "pair", "pair?", "letter"}
    n_sure = sum(
        h.kind in ("pair", "letter") or people.knows(h.name) or counts[names.key(h.name)] > 1
        for h in found.values()
        if h.kind in stacked
    )
    settled = n_sure >= MIN_SPEECHES and n_sure >= strong["colon"] + strong["dash"]
    kept = {}
    for index, heading in found.items():
        if heading.kind in stacked:
            again = counts[names.key(heading.name)] > 1
            key = names.key(heading.name)
            known = people.knows(heading.name) or key in elsewhere
            if not (known or again or settled or heading.kind == "letter"):
                continue
            if heading.kind == "pair?":  # a firm where lines below names are titles, else words
                firm = strong["pair"] >= MIN_OF_A_KIND
                role = "analyst" if heading.role == "unknown" else heading.role
                heading = (
                    replace(heading, kind="pair", role=role)
                    if firm
                    else replace(heading, kind="bare", n_lines=1)
                )
        kept[index] = heading
    return kept


def _settled_firms(found: dict[int, Heading]) -> dict[int, Heading]:
    """Take a firm before a title as an analyst's if the executives of the file give no firm."""
    if not any(h.kind == "dash" and h.role == "executive" for h in found.values()):
        return found
    return {
        index: replace(h, kind="dash", role="analyst") if h.kind == "firm_dash" else h
        for index, h in found.items()
    }
