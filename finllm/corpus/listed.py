"""Read turns from public APIs and Hub datasets: ``[{"speaker": ..., "text": ...}, ...]``."""

from __future__ import annotations

import ast
import contextlib
import json
import re
from functools import partial

from finllm.corpus.layouts import names
from finllm.corpus.layouts.speakers import parted
from finllm.records import ROLES, SECTIONS, Turn

SPEAKER_KEYS = (
    "speaker", "name", "speaker_name", "participant", "participant_name", "person", "author",
    "transcriptpersonname",
)  # fmt: skip
TEXT_KEYS = (
    "text", "content", "speech", "words", "utterance", "transcript", "paragraphs", "body",
    "remarks", "paragraph", "utterances", "sentences", "statement", "message", "dialogue",
    "speeches", "componenttext",
)  # fmt: skip
ROLE_KEYS = (
    "role", "speaker_role", "title", "speaker_title", "position", "description", "speaker_type",
    "job_title", "affiliation", "speakertypename",
)  # fmt: skip
SECTION_KEYS = ("section", "session", "part", "segment", "transcriptcomponenttypename")
DETAIL_KEYS = ("speaker_info", "speaker_details")  # an object beside the speaker's code
_QUESTIONS = re.compile(r"q ?(?:&|and) ?a|question|answer|\bqa\b", re.I)
_PREPARED = re.compile(r"prepared|present(?:ation|er)|management|remarks|discussion", re.I)


def turns(value: object, *, section: str, field: str) -> list[Turn]:
    """Return the turns in a list of objects, an object of such lists by section, or plain text.

    Parameters
    ----------
    value
        May also be JSON in a string, as in CSV files, or an object of columns.
    section
        The section implied by the field itself; an entry's own section takes precedence.
    field
        Its name, for messages.

    Raises
    ------
    ValueError
        If the value or an entry has another form, or no known field of an entry has the words.
    """
    value = _parsed(value)
    if value is None or value != value:
        return []
    if isinstance(value, str):
        return [Turn("", "unknown", section, value)]
    if isinstance(value, dict):
        return _by_section(value, section, field)
    if not isinstance(value, list | tuple):
        raise ValueError(f"{field} is {value!r}; must be text, or a list of speaker and text")
    if all(isinstance(entry, str) for entry in value):
        return [Turn("", "unknown", section, "\n".join(value))]
    found = [_turn(entry, section, f"{field}, entry {n}") for n, entry in enumerate(value, 1)]
    return [turn for turn in found if turn.text.strip()]


def _parsed(value: object) -> object:
    """Parse a list or object in a cell of a CSV file, written as JSON or as a Python literal."""
    if isinstance(value, str) and re.match(r"\s*(?:\[\s*[\[{]|\{\s*[\"'])", value):
        for parse in (partial(json.loads, strict=False), ast.literal_eval):
            with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                return parse(value)
    return value


def _by_section(value: dict, section: str, field: str) -> list[Turn]:
    """Return the turns of lists by section or of columns: ``{"speaker": [...], "text": [...]}``."""
    keys = _keys(value)
    speakers, texts = _first(keys, SPEAKER_KEYS), _first(keys, TEXT_KEYS)
    if texts and isinstance(value[texts], list) and not any(
        isinstance(part, dict) for part in value[texts]
    ):  # fmt: skip
        columns = {key: cells for key, cells in value.items() if isinstance(cells, list)}
        if speakers in columns and len({len(cells) for cells in columns.values()}) == 1:
            rows = [
                dict(zip(columns, cells, strict=True))
                for cells in zip(*columns.values(), strict=True)
            ]
            return turns(rows, section=section, field=field)
    found = []
    for key, part in value.items():
        if isinstance(part, list | str) and (own := _section(key) or (key == texts and section)):
            found += turns(part, section=own or section, field=f"{field}.{key}")
    if not found:
        raise ValueError(
            f"{field} has the fields {', '.join(map(str, value))}; none of them is a list of turns "
            f"(text, prepared remarks, or questions and answers)"
        )
    return found


def _turn(entry: object, section: str, where: str) -> Turn:
    entry = _paired(entry)
    if not isinstance(entry, dict):
        raise ValueError(f"{where} is {entry!r}; must be an object with speaker and text")
    keys = _keys(entry)
    key = _first(keys, TEXT_KEYS) or next((keys[k] for k in keys if k.endswith("_text")), None)
    if key is None:
        raise ValueError(
            f"{where} has {', '.join(map(str, entry)) or 'no field'}; the words must be under "
            f"one of "
            f"{', '.join(TEXT_KEYS)}"
        )
    text = entry[key]
    text = (
        "\n".join(map(str, text)) if isinstance(text, list) else "" if text is None else str(text)
    )
    name, detail = _speaker(entry, keys)
    own = str(entry.get(_first(keys, SECTION_KEYS)) or "")
    return Turn(name, _role(name, detail), _section(own) or section, text)


def _paired(entry: object) -> object:
    """Add keys to ``["Jane Roe", "Sales rose."]`` and ``{"Jane Roe": "Sales rose."}``."""
    pair = list(entry) if isinstance(entry, list | tuple) else []
    if isinstance(entry, dict) and len(entry) == 1:
        pair = next([str(who), text] for who, text in entry.items())
        pair = pair if names.is_name(parted(pair[0])[0]) else []
    if len(pair) == 2 and all(isinstance(part, str) for part in pair):
        return {"speaker": pair[0], "text": pair[1]}
    return entry


def _speaker(entry: dict, keys: dict[str, str]) -> tuple[str, str]:
    """Return the name and the detail that tells the role; a title after the name is split off."""
    key = _first(keys, SPEAKER_KEYS)
    info = entry.get(_first(keys, DETAIL_KEYS))
    who = info if isinstance(info, dict) else entry.get(key) if key else ""
    detail = str(entry.get(_first(keys, ROLE_KEYS)) or "")
    if isinstance(who, dict):
        inner = _keys(who)
        detail = detail or str(who.get(_first(inner, ROLE_KEYS)) or "")
        who = who.get(_first(inner, SPEAKER_KEYS), "")
    name = " ".join(str(who or "").split())
    if inside := re.fullmatch(r"(?P<name>[^()\[\]]+?) ?[(\[](?P<detail>[^()\[\]]+)[)\]]:?", name):
        name = f"{inside['name']}, {inside['detail']}"
    first, rest = parted(name)
    if rest and names.is_name(first):
        return names.bare(first), f"{detail} {rest}".strip()
    return name.rstrip(":"), detail


def _role(name: str, detail: str) -> str:
    told = detail.strip().lower()
    return told if told in ROLES else names.role_of(name, detail)


def _section(name: str) -> str:
    told = str(name).replace("_", " ").replace("-", " ").strip().lower()
    if told in SECTIONS:
        return told
    if _QUESTIONS.search(told):
        return "qa"
    return "prepared" if _PREPARED.search(told) else ""


def _keys(entry: dict) -> dict[str, str]:
    """Map snake-case keys to the entry's own: speaker_name for "Speaker Name" and "speakerName"."""
    return {re.sub(r"[\s-]+|(?<=[a-z])(?=[A-Z])", "_", str(key)).lower(): key for key in entry}


def _first(keys: dict[str, str], wanted: tuple[str, ...]) -> str | None:
    return next((keys[key] for key in wanted if key in keys), None)
