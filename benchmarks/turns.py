"""Precision and recall of the analyst turns and of the start of the Q&A, on Earnings-21.

    python -m benchmarks.turns --data ../shared/data/earnings21

The turn that starts the Q&A was found by reading. Analysts are identified from the speaker
metadata: a speaker whose name is given in a hand-over is an analyst; a speaker who spoke before the
Q&A, or whose last name is given in the opening, is not. The rules under test see "voice 3" instead
of names. Speakers that the reference cannot place (no name in the metadata, no name spoken) are
left out and counted. The rules were tuned on these calls: expect lower figures elsewhere.

The rows "flat" are the same calls without speakers, one sentence per line, as in ECTSum: there,
only text between a hand-over and the first question mark is assigned to an analyst, so recall is
low by design. A start counts as near within one turn, or within five sentences.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path

from finllm.corpus import cues, revcom, turns
from finllm.records import Turn

# The turn that starts the Q&A, found by reading; the fireside chat 4374910 has none.
STARTS = {
    "4330115": 6, "4344338": 4, "4344866": 6, "4346923": 9, "4359732": 4, "4360366": 9,
    "4360674": 3, "4360717": 2, "4361631": 1, "4363614": 5, "4364366": 3, "4365948": 5,
    "4366302": 8, "4366429": 5, "4367318": 5, "4368670": 4, "4375653": 7, "4382825": 3,
    "4384198": 6, "4384683": 6, "4384744": 4, "4385072": 4, "4385388": 4, "4385939": 2,
    "4386541": 4, "4387383": 40, "4387865": 4, "4389907": 4, "4392809": 5, "4394084": 7,
    "4397800": 10, "4397829": 7,
}  # fmt: skip
_ANONYMOUS = re.compile(r"(?i)speaker \d+(?: #\w+)?|operator")


def is_named(speaker: str, text: str, *, whole_name: bool) -> bool:
    """Return whether a text has the last name (or any part of the name), in similar spelling."""
    parts = [part.lower() for part in re.findall(r"[^\W\d_]{3,}", speaker)]
    if _ANONYMOUS.fullmatch(speaker) or not parts:
        return False
    heard = {word.lower() for word in re.findall(r"[A-Z][^\W\d_]+", text)}
    return any(
        SequenceMatcher(None, part, word).ratio() >= 0.8
        for part in (parts[-1:] if whole_name else parts)
        for word in heard
    )


def reference(call: tuple[Turn, ...], start: int) -> dict[str, bool]:
    """Return whether each speaker is an analyst, for those that the metadata can place."""
    head = call[:start]
    n_said: Counter[str] = Counter()
    for turn in head:
        n_said[turn.speaker] += len(turn.text.split())
    opening = " ".join(turn.text for turn in head)
    told = " . ".join(turn.text for turn in call[start:] if cues.hands_over(turn.text))
    placed = {name: False for name, n_words in n_said.items() if n_words >= 10}
    for speaker in {turn.speaker for turn in call[start:]} - set(placed):
        if is_named(speaker, opening, whole_name=True) or speaker == "Operator":
            placed[speaker] = False
        elif is_named(speaker, told, whole_name=False):
            placed[speaker] = True
    return placed


def share(part: int, whole: int) -> float | None:
    """Return a ratio, or None if the denominator is zero."""
    return part / whole if whole else None


def score(gold: list[bool | None], said: list[Turn], start: int, name: str) -> Counter[str]:
    """Count the results of one call; ``gold`` marks the units (turns, sentences) of analysts."""
    counts: Counter[str] = Counter()
    for is_analyst, guess in zip(gold, said, strict=True):
        if is_analyst is None:
            counts["unplaced"] += 1
            continue
        counts["analyst"] += is_analyst
        counts["found"] += guess.role == "analyst"
        counts["right"] += is_analyst and guess.role == "analyst"
    guessed = next((i for i, turn in enumerate(said) if turn.section == "qa"), None)
    counts["start_found"] = guessed is not None
    counts["start_exact"] = guessed == start
    counts["start_near"] = guessed is not None and abs(guessed - start) <= (1, 5)[name == "flat"]
    counts["units"] = len(gold)
    print(
        f"{name:>13} {len(gold):>6} {counts['analyst']:>8} {counts['found']:>6}"
        f" {counts['right']:>6} {start:>6} {guessed!s:>5}"
    )
    return counts


def voices(call: tuple[Turn, ...]) -> list[Turn]:
    """Return the turns as the rules get them: numbers for names, no roles, no sections."""
    numbers = {name: f"voice {i}" for i, name in enumerate(dict.fromkeys(t.speaker for t in call))}
    return [Turn(numbers[turn.speaker], "unknown", "unknown", turn.text) for turn in call]


def sentences(call: tuple[Turn, ...]) -> list[tuple[int, str]]:
    """Return the turn number and the text of every sentence."""
    split = re.compile(r"(?<=[.?!])\s+")
    return [(i, part) for i, turn in enumerate(call) for part in split.split(turn.text) if part]


def summary(total: Counter[str]) -> dict[str, float | None]:
    """Return precision and recall from counts over all calls."""
    return {
        "n": total["units"],
        "n_unplaced": total["unplaced"],
        "n_analyst": total["analyst"],
        "analyst_precision": share(total["right"], total["found"]),
        "analyst_recall": share(total["right"], total["analyst"]),
        "start_precision": share(total["start_exact"], total["start_found"]),
        "start_recall": share(total["start_exact"], total["calls"]),
        "start_recall_near": share(total["start_near"], total["calls"]),
    }


def main() -> None:
    """Print one row per call, then the totals as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of Earnings-21")
    folder = parser.parse_args().data
    turn_total: Counter[str] = Counter()
    flat_total: Counter[str] = Counter()
    print("         call  units  analyst  found  right  start  said")
    for record in revcom.read(folder, source="earnings21", encoding="utf-8"):
        call = record[0].turns
        start = STARTS.get(record[0].id)
        if start is None:
            continue
        gold = reference(call, start)
        said = list(turns.assign(voices(call)))
        turn_total += score([gold.get(turn.speaker) for turn in call], said, start, record[0].id)
        lines = sentences(call)
        text = "\n".join(line for _, line in lines)
        flat = [
            replace(turn, text=line)
            for turn in turns.assign([Turn("", "unknown", "unknown", text)])
            for line in turn.text.split("\n")
        ]
        flat_gold = [gold.get(call[index].speaker) for index, _ in lines]
        flat_start = next(i for i, (index, _) in enumerate(lines) if index == start)
        flat_total += score(flat_gold, flat, flat_start, "flat")
        turn_total["calls"] += 1
        flat_total["calls"] += 1
    print(json.dumps({"turns": summary(turn_total), "flat_sentences": summary(flat_total)}))


if __name__ == "__main__":
    main()
