"""Read the words of captions (WebVTT, SRT, time stamps on lines of their own) as plain text."""

from __future__ import annotations

import re

from finllm.corpus.layouts import names

MIN_TIMES = 3  # lines of nothing but a time; fewer can be part of what is written
_CLOCK = r"(?:\d{1,2}:)?\d{1,2}:\d\d(?:[.,]\d{1,3})?"
_CUE = re.compile(rf"{_CLOCK} -+> {_CLOCK}(?: .{{0,80}})?")
_TIME = re.compile(_CLOCK)
_MARKED_TIME = re.compile(rf"[(\[]{_CLOCK}[)\]]")
_NUMBER = re.compile(r"[\w-]*\d(?:[\w/-]*\d)?")  # "17", "3f2a9c1e-77b0-0f3d7f0f9b10/14-0"
_VOICE = re.compile(r"<v(?:\.\w+)* (?P<who>[^<>]{1,80})>")
_MARKUP = re.compile(r"</?[a-z\d][^<>]{0,40}>")
_ARROWS = re.compile(r">>+ ?(?=\S)")
_SPEAKER = re.compile(r"(?P<who>[^:.?!]{2,60}): ")


def without_times(text: str) -> str:
    """Return a text without the times, numbers and marks of captions; other text as it is.

    The cues of captions become a paragraph for each speaker, and ">>" marks a new one.

    >>> print(without_times('''WEBVTT
    ...
    ... 1
    ... 00:00:02.120 --> 00:00:05.400
    ... <v Jane Roe>Sales rose
    ... 5%.</v>
    ...
    ... 2
    ... 00:00:05.900 --> 00:00:09.030
    ... <v Jane Roe>Costs fell.</v>'''))
    Jane Roe: Sales rose 5%. Costs fell.
    """
    lines = text.split("\n")
    if text.startswith("WEBVTT") or any(_CUE.fullmatch(line.strip()) for line in lines[:40]):
        return _cues(lines)
    lines = [line for line in lines if not _MARKED_TIME.fullmatch(line.strip())]
    words = [line for line in lines if not _TIME.fullmatch(line.strip())]
    lines = words if len(lines) - len(words) >= MIN_TIMES else lines
    if sum(line.startswith(">>") for line in lines) >= MIN_TIMES:
        lines = [_ARROWS.sub("", line, count=1) for line in lines]
    return "\n".join(lines)


def _cues(lines: list[str]) -> str:
    """Join the words of cues; a cue that names its speaker again goes on with the same paragraph.

    Automatic captions, which mark each word, show every line twice.
    """
    at = [index for index, line in enumerate(lines) if _CUE.fullmatch(line.strip())]
    is_numbered = at[0] > 0 and _NUMBER.fullmatch(lines[at[0] - 1].strip())
    is_doubled = any("<c>" in line for line in lines)
    parts: list[str] = []
    speaking = last = ""
    for start, end in zip(at, [*at[1:], len(lines)], strict=True):
        stop = end - 1 if is_numbered and end < len(lines) else end
        block = [_plain(line) for line in lines[start + 1 : stop]]
        shown = [line for line in block if line and not (is_doubled and line == last)]
        last = next((line for line in reversed(block) if line), last)
        said = _ARROWS.sub("", " ".join(shown), count=1)
        match = _SPEAKER.match(said)
        who = match["who"] if match and names.is_name(match["who"], n_tokens=1) else ""
        if not parts or (who and who != speaking) or (not who and shown and shown[0][:2] == ">>"):
            parts.append(said)
            speaking = who
        else:
            parts[-1] += " " + (said[match.end() :] if match and who else said)
    return "\n".join(" ".join(part.split()) for part in parts if part.strip())


def _plain(line: str) -> str:
    """Return a line of a cue without tags; the tag of a voice becomes a name before a colon."""
    return _MARKUP.sub("", _VOICE.sub(r"\g<who>: ", line)).strip()
