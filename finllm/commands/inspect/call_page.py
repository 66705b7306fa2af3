"""Overview of a call: one line per turn with speaker, role and section."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from finllm.commands.files import rows_in
from finllm.commands.terminal import BOLD, DIM, GREEN, RED, YELLOW, painted
from finllm.records import Reject, Transcript, read_jsonl, read_transcripts

TINTS = {"operator": DIM, "executive": GREEN, "analyst": YELLOW, "unknown": RED}
SECTION_NAMES = {
    "prepared": "prepared remarks",
    "qa": "questions and answers",
    "unknown": "section unknown",
}
NAME_WIDTH = 24
MIN_WORDS_WIDTH = 20


def find_call(transcripts: Path, rejects: Path, call_id: str) -> Transcript:
    """Return the call with an id.

    Raises
    ------
    ValueError
        If there is no such call. The message says why, if the call was rejected, or else names
        similar ids.
    """
    ids = []
    what, mend = "calls of the stage `clean`", "run `dvc repro clean` first"
    for call in rows_in(read_transcripts, transcripts, what, mend=mend):
        if call.id == call_id:
            return call
        ids.append(call.id)
    if rejects.is_file():
        for row in rows_in(read_jsonl, rejects, "rejects of the stage `clean`"):
            if row["id"] == call_id:
                bad = Reject(**row)
                raise ValueError(f"{call_id} was rejected: {bad.reason}: {bad.detail} ({bad.file})")
    like = difflib.get_close_matches(call_id, ids, n=3, cutoff=0.3)
    hint = f"did you mean {' or '.join(like)}?" if like else f"the first are {', '.join(ids[:3])}"
    raise ValueError(f"{transcripts}: no call {call_id!r} among {len(ids)}; {hint}")


def page(call: Transcript, *, width: int, colour: bool) -> str:
    """Return the facts about a call, followed by one line per turn.

    With ``colour``, executives are green, analysts yellow, operators dim and unknown speakers red.
    """
    tint = (lambda text, code: painted(text, code)) if colour else (lambda text, code: text)
    lines = [tint(_title(call), BOLD), *_summary(call), ""]
    section = ""
    for number, turn in enumerate(call.turns, 1):
        if turn.section != section:
            section = turn.section
            lines += [tint(f"-- {SECTION_NAMES[section]} ".ljust(width, "-"), BOLD)]
        name = _clipped(turn.speaker or "(no name)", NAME_WIDTH)
        head = f"{number:>4}  {turn.role:<9}  {name:<{NAME_WIDTH}}  "
        words = _clipped(" ".join(turn.text.split()), max(width - len(head), MIN_WORDS_WIDTH))
        lines.append(tint(head, TINTS[turn.role]) + words)
    return "\n".join(lines)


def _title(call: Transcript) -> str:
    company = call.company if call.company != call.id else "company unknown"
    ticker = f" ({call.ticker})" if call.ticker and call.ticker != company else ""
    facts = [company + ticker, call.period or "period unknown", *([call.date] if call.date else [])]
    return f"{call.id}: {', '.join(facts)}"


def _summary(call: Transcript) -> Iterable[str]:
    layout = call.layout or "turns as the source gives them"
    n_words = sum(len(turn.text.split()) for turn in call.turns)
    roles = Counter(turn.role for turn in call.turns)
    people = len({turn.speaker for turn in call.turns if turn.speaker})
    counted = ", ".join(f"{roles[role]} {role}" for role in TINTS if roles[role])
    yield f"layout: {layout}; {len(call.turns)} turns, {people} speakers, {n_words:,} words"
    yield f"turns by role: {counted}"


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3].rstrip() + "..."
