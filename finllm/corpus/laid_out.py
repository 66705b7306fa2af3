"""Split calls with named speakers into turns, and read their layout and head metadata."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from finllm.corpus import layouts
from finllm.corpus.captions import without_times
from finllm.corpus.layouts.head import Facts
from finllm.corpus.layouts.head import facts as head_facts
from finllm.corpus.wrapping import rejoin, unwrap
from finllm.records import Turn


def laid_out(
    said: Sequence[Turn], counts: Counter[str], *, infer_turns: bool
) -> tuple[Facts, str, list[Turn]]:
    """Return the facts in the head of a text without speakers, its layout, and its turns.

    Turns that the source gives stay as they are, and the layout is "". The words taken off the text
    are counted as ``words_removed_head``, ``_tail``, ``_headings``, ``_page_marks`` and ``_times``.
    """
    if not infer_turns or any(turn.speaker or turn.role != "unknown" for turn in said):
        return Facts(), "", [dataclasses.replace(t, text=unwrap(t.text, counts)) for t in said]
    found: list[Turn] = []
    names, lines = [], []
    for turn in said:
        text = without_times(turn.text)
        if text != turn.text:
            counts["words_removed_times"] += len(turn.text.split()) - len(text.split())
            turn = dataclasses.replace(turn, text=text)
        reading = layouts.read(turn.text)
        if reading is None:
            found.append(dataclasses.replace(turn, text=unwrap(turn.text, counts)))
            continue
        names.append(reading.layout)
        lines += reading.head
        counts.update({f"words_removed_{key}": n for key, n in reading.n_words_removed.items()})
        width = max(len(line) for part in reading.turns for line in part.text.split("\n"))
        for part in reading.turns:
            section = part.section if turn.section == "unknown" else turn.section
            text, n_joined = rejoin(part.text, width)
            if n_joined:
                counts["words_joined"] += n_joined
            found.append(dataclasses.replace(part, section=section, text=text))
    layout = "+".join(dict.fromkeys(names)) or layouts.PLAIN
    return head_facts(lines) if names else Facts(), layout, found
