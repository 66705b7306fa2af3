"""Write calls of Earnings-21 in each publisher's layout and read them back.

    python -m benchmarks.layouts --data ../shared/data/earnings21

The writers follow the pages and files of each publisher, with headers, lists of participants, page
footers and endings. Speakers without a name get one. Every layout is also written with odd spacing,
CRLF, non-breaking spaces, smart quotes, dashes in the name lines, upper-case names, two people with
one surname, lines of 80 columns, and no empty lines.

A turn is right if its speaker and exactly its words are read back; spaces around a hyphen do not
count, because a line broken there does not show whether there was one. The shares of roles and
sections are of all turns written: a lost turn counts as wrong. Which speakers are analysts and
where the Q&A begins is taken from ``benchmarks/turns.py`` (metadata and reading by hand). The roles
of ``name_colon``, which writes none, leave out speakers that this reference cannot place. The
figures do not apply to pages that contain errors: the writers make none.
"""

from __future__ import annotations

import argparse
import html
import json
import random
import re
import textwrap
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path

from benchmarks.layout_writers import WRITERS, Call, Person, Speech
from benchmarks.turns import STARTS, reference
from finllm.corpus import documents, listed, revcom, turns
from finllm.corpus.cleaning import clean_text, clean_transcript
from finllm.corpus.layouts import names
from finllm.records import Transcript, Turn

N_CALLS = 30
INVENTED = (
    "Maria van der Berg", "Sean O'Brien", "Jean-Luc Picardi", "Robert J. Lindqvist", "Li Wei",
    "Anne-Marie d'Abo", "T. J. Hooper", "Luis de la Cruz", "Ravi Subramanian", "Grace Okonkwo",
    "John McKenzie, Jr.", "Fatima Al-Hassan", "Bj\u00f6rn "
                                              "\u00c5kesson", "Kate St. Clair", "Wim ter Horst",
    "Larry Page", "Zoe Kravchenko", "Hugo Ma", "Ed Day", "Noor bin Salleh",
)  # fmt: skip
TITLES = (
    "Chief Executive Officer", "Executive Vice President and Chief Financial Officer",
    "Vice President, Investor Relations", "President & Chief Operating Officer",
    "Senior Vice President of Finance, Treasurer", "Chairman", "Head of Strategy",
    "General Counsel and Corporate Secretary",
)  # fmt: skip
FIRMS = (
    "Big Bank", "Wolfe & Partners", "Roe Capital Markets", "J.P. Morgan Securities", "Jefferies",
    "Raymond James & Associates, Inc.", "BofA Securities", "Evercore ISI", "Stephens Inc.",
)  # fmt: skip


def load(folder: Path) -> list[Call]:
    """Read the first calls for which the start of the Q&A is known."""
    calls = []
    for record, _, _ in revcom.read(folder, source="earnings21", encoding="utf-8"):
        start = STARTS.get(record.id)
        if start is not None and len(calls) < N_CALLS:
            calls.append(_call(record.id, record.turns, start))
    return calls


def _call(call_id: str, said: tuple[Turn, ...], start: int) -> Call:
    placed = reference(said, start)
    by_rule = {turn.speaker: turn.role for turn in turns.assign(said)}
    operators = turns.operators(said)
    rng = random.Random(call_id)
    spare, people = rng.sample(INVENTED, len(INVENTED)), {}
    for speaker in dict.fromkeys(turn.speaker for turn in said):
        role = "analyst" if placed.get(speaker) else "executive"
        if speaker in operators:
            role = "operator"
        elif speaker not in placed:
            role = by_rule[speaker] if by_rule[speaker] != "unknown" else "executive"
        detail = rng.choice(FIRMS if role == "analyst" else TITLES)
        usable = names.is_name(speaker) and not names.is_anonymous(speaker)
        name = "Operator" if role == "operator" else speaker if usable else spare.pop()
        people[speaker] = Person(name, role, "" if role == "operator" else detail)
    speeches: list[Speech] = []
    for index, turn in enumerate(said):
        if not clean_text(turn.text):
            continue  # only a laugh
        one = Speech(people[turn.speaker], "prepared" if index < start else "qa", turn.text)
        if speeches and (speeches[-1].person, speeches[-1].section) == (one.person, one.section):
            one = replace(one, text=f"{speeches.pop().text} {one.text}")  # two voices, one name
        speeches.append(one)
    known = frozenset(people[name].name for name in placed if name not in operators)
    return Call(call_id, tuple(speeches), known | {"Operator"})


VARIANTS = (
    "as published", "80 columns", "one surname", "upper-case names", "em dashes", "en dashes",
    "smart quotes", "non-breaking spaces", "odd spacing", "CRLF", "no empty lines",
)  # fmt: skip


def varied(call: Call, write: Callable[[Call, str], str], variant: str) -> tuple[Call, str]:
    """Return the call as changed by the variant, and the text that a reader gets."""
    if variant == "upper-case names":
        call = _renamed(call, str.upper)
    if variant == "one surname":
        first = next((p for p in call.people("executive")), None)
        surname = first.name.split()[-1] if first else "Roe"
        call = _renamed(call, lambda name: f"{name.split()[0]} {surname}")
        others = {s.person.name for s in call.speeches} - {"Operator"}
        assert len(others) > 1
    if variant == "smart quotes":
        call = _renamed(call, lambda name: name.replace("'", "\u2019"))
        call = _retold(call, lambda text: text.replace("'", "\u2019").replace('"', "\u201d"))
    if variant == "em dashes":
        call = _retold(call, lambda text: re.sub(r",? (and|but) ", " \u2014 \\1 ", text, count=1))
    dash = {"en dashes": "\u2013", "em dashes": "\u2014"}.get(variant, "--")
    text = write(call, dash)
    rng = random.Random(call.id)
    if variant == "odd spacing":
        text = re.sub(r" ", lambda m: rng.choice([" "] * 9 + ["  "]), text)
        text = re.sub(r"\n", lambda m: rng.choice(["\n", " \n", "\t\n", "\n  "]), text)
    if variant == "CRLF":
        text = text.replace("\n", "\r\n")
    if variant == "non-breaking spaces":
        text = re.sub(r" ", lambda m: rng.choice([" ", " ", "\u00a0"]), text)
    if variant == "80 columns":
        text = "\n".join(
            textwrap.fill(line, 80) if len(line) > 80 and " " in line else line
            for line in text.split("\n")
        )
    if variant == "no empty lines":
        text = re.sub(r"\n\s*\n", "\n", text)
    return call, text


def _renamed(call: Call, change: Callable[[str], str]) -> Call:
    """Return the call with changed names; a person whose new name is taken keeps the old one."""
    new: dict[Person, Person] = {}
    for person in dict.fromkeys(s.person for s in call.speeches):
        name = person.name if person.role == "operator" else change(person.name)
        taken = {p.name for p in new.values()}
        new[person] = replace(person, name=person.name if name in taken else name)
    placed = frozenset(new[p].name for p in new if p.name in call.placed)
    rows = tuple(replace(s, person=new[s.person]) for s in call.speeches)
    return Call(call.id, rows, placed)


def _retold(call: Call, change: Callable[[str], str]) -> Call:
    rows = tuple(replace(s, text=change(s.text)) for s in call.speeches)
    return replace(call, speeches=rows)


def as_html(text: str) -> str:
    """Return an HTML page with menus and scripts around the text, one block per paragraph."""
    blocks = "".join(
        "<p>" + "<br/>".join(html.escape(line) for line in part.split("\n")) + "</p>\n"
        for part in text.split("\n\n")
    )
    menu = (
        "<nav><ul><li>Home</li><li>Stocks: buy now</li></ul></nav><script>var a = '<p>x';</script>"
    )
    return (
        f"<!DOCTYPE html><html><head><title>Transcript</title><style>p "
        f"{{}}</style></head><body>{menu}"
        f"<article>{blocks}</article><footer>Terms of use</footer></body></html>"
    )


def read_back(text: str) -> tuple[Transcript, Counter[str]]:
    """Clean the text as the stage `clean` does."""
    raw = Transcript("x", "", "", "", "x", (Turn("", "unknown", "unknown", text),), None)
    record, counts = clean_transcript(raw, repair_mojibake=True, infer_turns=True, removable=())
    assert isinstance(record, Transcript), record
    return record, counts


def from_json(call: Call) -> Transcript:
    """Return the call as read from an API's JSON: a list of turns each for remarks and Q&A."""
    said: list[Turn] = []
    for section in ("prepared", "qa"):
        rows = [
            {"speaker": s.person.name, "title": s.person.detail, "content": s.text}
            for s in call.part(section)
        ]
        said += listed.turns(json.dumps(rows), section=section, field=section)
    raw = Transcript("x", "", "", "", "x", tuple(said), None, layout="turns")
    return clean_transcript(raw, repair_mojibake=True, infer_turns=True, removable=())[0]


def compare(call: Call, found: Transcript, *, layout: str) -> Counter[str]:
    """Count the turns, roles and sections that were read back correctly."""
    wanted = [
        (names.key(names.bare(clean_text(s.person.name))), _flat(s.text)) for s in call.speeches
    ]
    got = [(names.key(turn.speaker), _flat(turn.text)) for turn in found.turns]
    counts: Counter[str] = Counter(written=len(wanted), read=len(got))
    matcher = SequenceMatcher(None, wanted, got, autojunk=False)
    for block in matcher.get_matching_blocks():
        for i in range(block.size):
            speech, turn = call.speeches[block.a + i], found.turns[block.b + i]
            counts["right"] += 1
            counts["sections"] += turn.section == speech.section
            if layout != "name_colon" or speech.person.name in call.placed:
                counts["roles"] += turn.role == speech.person.role
    counts["with_role"] = sum(
        layout != "name_colon" or s.person.name in call.placed for s in call.speeches
    )
    counts["heads"] = (found.company, found.period) == ("Acme Widgets Corp", "2023Q3")
    counts["calls"] = 1
    return counts


def _flat(text: str) -> str:
    """Return the words without spaces around hyphens, where lines may have been broken."""
    return " ".join(clean_text(text).split()).replace("- ", "-").replace(" -", "-")


def shares(counts: Counter[str]) -> dict[str, float]:
    """Return the shares that the table shows."""
    return {
        "turns": 2 * counts["right"] / (counts["written"] + counts["read"]),
        "roles": counts["roles"] / counts["with_role"],
        "sections": counts["sections"] / counts["written"],
        "heads": counts["heads"] / counts["calls"],
        "named": counts["named"] / counts["calls"],
    }


def main() -> None:
    """Print one row per layout and variant, then the totals as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of Earnings-21")
    parser.add_argument("--layout", default="", help="only this one")
    parser.add_argument("--variant", default="", help="only this one")
    parser.add_argument("--show", action="store_true", help="print the first turns that are wrong")
    parsed = parser.parse_args()
    calls = load(parsed.data)
    print(
        f"{'layout':<20} {'text':<20} {'turns':>6} {'roles':>6} {'sections':>8} {'heads':>6} "
        f"{'named':>6}"
    )
    found: dict[str, dict[str, float]] = {}
    jobs = [(layout, variant) for variant in VARIANTS for layout in WRITERS]
    jobs += [
        ("motley_fool", "html"),
        ("seeking_alpha", "html"),
        ("capital_iq", "html"),
        ("json", "json"),
    ]
    for layout, variant in jobs:
        if parsed.layout not in ("", layout) or parsed.variant not in ("", variant):
            continue
        total: Counter[str] = Counter()
        for call in calls:
            if layout == "json":
                changed, record = call, from_json(call)
            else:
                base = "as published" if variant == "html" else variant
                changed, text = varied(call, WRITERS[layout], base)
                text = documents.html_text(as_html(text)) if variant == "html" else text
                record, counts = read_back(text)
                removed = sum(
                    n
                    for key, n in counts.items()
                    if key.startswith(("words_removed", "words_joined"))
                )
                assert counts["words_before"] == counts["words_after"] + removed, counts
            one = compare(changed, record, layout=layout)
            one["named"] = record.layout.split("+")[0] in (
                layout,
                *layout.rsplit("_", 1)[:1],
                "turns",
            ) or (layout == "name_title_company" and record.layout == "streetevents")
            total += one
            if parsed.show and one["right"] < one["written"]:
                print_wrong(changed, record)
        row = shares(total)
        found[f"{layout}, {variant}"] = row
        print(
            f"{layout:<20} {variant:<20} {row['turns']:>6.3f} {row['roles']:>6.3f}"
            f" {row['sections']:>8.3f} {row['heads']:>6.2f} {row['named']:>6.2f}", flush=True,
        )  # fmt: skip
    lowest = {
        key: min(row[key] for row in found.values()) for key in ("turns", "roles", "sections")
    }
    print(json.dumps({"n_calls": len(calls), "lowest": lowest, "rows": found}))


def print_wrong(call: Call, found: Transcript) -> None:
    """Print the first turns that were not read back correctly."""
    wanted = [
        (names.key(names.bare(clean_text(s.person.name))), _flat(s.text)) for s in call.speeches
    ]
    got = [(names.key(turn.speaker), _flat(turn.text)) for turn in found.turns]
    print(f"  {call.id}: {found.layout}, {len(wanted)} written, {len(got)} read")
    lost = [row for row in wanted if row not in got][:3]
    new = [row for row in got if row not in wanted][:4]
    for mark, rows in (("-", lost), ("+", new)):
        for name, text in rows:
            print(f"    {mark} {name}: {text[:110]} ... {text[-50:]}")


if __name__ == "__main__":
    main()
