"""Infer speaker roles and the start of the questions by rules.

The rules use an operator's phrases ("our next question comes from ..."), who spoke before them and
who speaks after them. ``benchmarks/turns.py`` evaluates them on Earnings-21.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from finllm.corpus import cues, flat
from finllm.corpus.layouts import names
from finllm.records import Turn

MIN_OPERATOR_SHARE = 0.34  # of the turns of a speaker, those that sound like an operator
MIN_READ_OUT = 12  # turns from opening the floor to a hand-over, if questions are read out
MIN_PREPARED_WORDS = 30  # said before the first question: enough for a speaker of the company


def assign(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Assign roles and sections to the turns; those that the source gave are kept.

    If no turn has a speaker, the turns are first split where their text allows it (``flat.split``).
    Whatever no rule decides is "unknown". Roles are unreliable if one voice interprets for many, or
    if names are missing from the transcript.
    """
    if all(turn.role != "unknown" and turn.section != "unknown" for turn in turns):
        return tuple(turns)
    if not any(turn.speaker for turn in turns):
        turns = [part for turn in turns for part in flat.split(turn)]
        if not any(turn.speaker for turn in turns):
            return tuple(part for turn in turns for part in flat.divide(turn))
    start = boundary(turns)
    roles = speaker_roles(turns, start)
    if start is None:
        sections = [_undivided(turns)] * len(turns)
    else:
        sections = ["prepared"] * start + ["qa"] * (len(turns) - start)
    return tuple(
        replace(
            turn,
            role=roles[turn.speaker] if turn.role == "unknown" else turn.role,
            section=section if turn.section == "unknown" else turn.section,
        )
        for turn, section in zip(turns, sections, strict=True)
    )


def settled(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Label named speakers of the prepared remarks as executives if their role is unknown.

    A voice without a name may be anybody's; a name in the remarks belongs to the company, however
    few its words. Nothing changes if no questions were found.
    """
    if not any(turn.section == "qa" for turn in turns):
        return tuple(turns)
    return tuple(
        replace(turn, role="executive")
        if turn.role == "unknown" and turn.section == "prepared" and _is_named(turn.speaker)
        else turn
        for turn in turns
    )


def _is_named(speaker: str) -> bool:
    return names.is_name(speaker, n_tokens=1) and not names.is_anonymous(speaker)


def operators(turns: Sequence[Turn]) -> set[str]:
    """Return the speakers who sound like an operator in at least a third of their turns."""
    n_turns, n_cues = Counter(), Counter()
    for turn in turns:
        n_turns[turn.speaker] += 1
        n_cues[turn.speaker] += cues.sounds_like_operator(turn.text) or cues.hands_over(turn.text)
    named = {turn.speaker for turn in turns if turn.role == "operator"}
    named |= {name for name in n_turns if names.is_operator(name)}
    return named | {
        name
        for name, n in n_turns.items()
        if n_cues[name] / n >= MIN_OPERATOR_SHARE and (n > 1 or _is_brief(turns, name))
    }


def _is_brief(turns: Sequence[Turn], name: str) -> bool:
    return all(len(turn.text.split()) < 150 for turn in turns if turn.speaker == name)


def boundary(turns: Sequence[Turn]) -> int | None:
    """Return the index of the turn with which the questions begin, or None if none is found.

    It is the first turn that the source marks as Q&A; else the first in which an operator begins
    the questions, or the turn after the floor was opened long before that; else the turn after the
    first that ends by opening the floor; else the first turn of anybody that hands over a question;
    else the first turn of an analyst, if the source says who is one.
    """
    for index, turn in enumerate(turns):
        if turn.section == "qa":
            return index
    speaking = operators(turns)
    for index, turn in enumerate(turns):
        if not index or turn.speaker not in speaking:
            continue
        if cues.begins_questions(turn.text):
            return _opened_before(turns, index) or index
    for index, turn in enumerate(turns[:-1]):
        if index and cues.opens_floor(turn.text[-300:]):
            return index + 1
    later = range(1, len(turns))
    handed = next((index for index in later if cues.hands_over(turns[index].text)), None)
    asking = next((index for index in later if turns[index].role == "analyst"), None)
    return asking if handed is None else handed


def _opened_before(turns: Sequence[Turn], hand_over: int) -> int | None:
    """Return the turn after the floor was opened long before the first hand-over, or None.

    Somebody from the company may read the questions out, and the operator speaks only at the end.
    """
    for index in range(1, hand_over - MIN_READ_OUT):
        if cues.opens_floor(turns[index].text[-300:]):
            asked = sum("?" in turn.text for turn in turns[index + 1 : hand_over])
            return index + 1 if asked >= MIN_READ_OUT // 2 else None
    return None


def speaker_roles(turns: Sequence[Turn], start: int | None) -> dict[str, str]:
    """Return a role for each speaker; ``start`` is the turn with which the questions begin.

    Roles that the source gave are kept. Operators are recognised by name or by their phrases.
    Executives have said at least ``MIN_PREPARED_WORDS`` words before ``start``. An analyst speaks
    first after a hand-over in at least half of the exchanges they take part in; hand-overs divide
    the call into exchanges. A speaker who does so in fewer is an executive. All others are judged
    by whether most of their turns ask something.
    """
    roles = {turn.speaker: turn.role for turn in turns if turn.role != "unknown"}
    speaking = operators(turns)
    roles |= {name: "operator" for name in speaking if name not in roles}
    head = turns if start is None else turns[:start]
    n_said: Counter[str] = Counter()
    for turn in head:
        n_said[turn.speaker] += len(turn.text.split())
    for name, n_words in n_said.items():
        if n_words >= MIN_PREPARED_WORDS:
            roles.setdefault(name, "executive" if start is not None else "unknown")
    tail = [] if start is None else turns[start:]
    chosen, n_exchanges = _called(tail, roles)
    texts: dict[str, list[str]] = {}
    for turn in tail:
        texts.setdefault(turn.speaker, []).append(turn.text)
    for name, said in texts.items():
        if name in roles:
            continue
        if chosen[name]:
            roles[name] = "analyst" if 2 * chosen[name] >= n_exchanges[name] else "executive"
        else:
            asks = sum(1 for text in said if cues.asks(text))
            roles[name] = "analyst" if 2 * asks > len(said) else "executive"
    return {turn.speaker: "unknown" for turn in turns} | roles


def _called(tail: Sequence[Turn], roles: dict[str, str]) -> tuple[Counter[str], Counter[str]]:
    """Count how often each speaker is the first newcomer after a hand-over, and their exchanges."""
    chosen: Counter[str] = Counter()
    exchanges: Counter[str] = Counter()
    waiting, seen = False, set()
    for turn in tail:
        if roles.get(turn.speaker) == "operator":
            if cues.hands_over(turn.text) or cues.GOES_TO.search(turn.text):
                waiting, seen = True, set()
            continue
        if turn.speaker not in seen:
            seen.add(turn.speaker)
            exchanges[turn.speaker] += 1
        if waiting and roles.get(turn.speaker, "analyst") == "analyst":
            chosen[turn.speaker] += 1
            waiting = False
    return chosen, exchanges


def _undivided(turns: Sequence[Turn]) -> str:
    """Return the section of a call in which no questions begin."""
    return "prepared" if cues.asks_nothing(" ".join(turn.text for turn in turns)) else "unknown"
