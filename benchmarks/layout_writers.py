"""Writers of a call in the layout of each publisher, for ``benchmarks/layouts.py``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """A speaker as publishers describe them."""

    name: str
    role: str
    detail: str  # an executive's title or an analyst's firm


@dataclass(frozen=True)
class Speech:
    """A speaker turn to write."""

    person: Person
    section: str
    text: str


@dataclass(frozen=True)
class Call:
    """A call to write."""

    id: str
    speeches: tuple[Speech, ...]
    placed: frozenset[str]  # names whose role is known independently of the rules under test

    def people(self, role: str) -> list[Person]:
        """Return all persons with a role, in the order in which they first speak."""
        return list(dict.fromkeys(s.person for s in self.speeches if s.person.role == role))

    def part(self, section: str) -> list[Speech]:
        """Return the speeches of a section."""
        return [speech for speech in self.speeches if speech.section == section]


def paragraphs(text: str) -> str:
    """Split a text into paragraphs of four sentences, separated by empty lines."""
    sentences = re.split(r"(?<=[.?!])\s+", text)
    return "\n\n".join(" ".join(sentences[i : i + 4]) for i in range(0, len(sentences), 4))


def motley_fool(call: Call, dash: str) -> str:
    """Write ``Name -- Title`` and ``Name -- Firm -- Analyst`` on lines of their own."""

    def line(person: Person) -> str:
        if person.role == "operator":
            return "Operator"
        end = [" Analyst"] if person.role == "analyst" else []
        return f" {dash} ".join([person.name, person.detail, *(part.strip() for part in end)])

    def part(section: str) -> list[str]:
        return [x for s in call.part(section) for x in (line(s.person), paragraphs(s.text))]

    people = call.people("executive") + call.people("analyst")
    return "\n\n".join(
        [
            "Acme Widgets Corp (NYSE: ACM)\nQ3 2023 Earnings Call\nOct 25, 2023, 8:30 a.m. ET",
            "Contents:\n\nPrepared Remarks\nQuestions and Answers\nCall Participants",
            "Prepared Remarks:", *part("prepared"), "Questions & Answers:", *part("qa"),
            "Duration: 61 minutes", "Call participants:", *map(line, people),
            "More ACM analysis", "All earnings call transcripts",
            "This article is a transcript of this conference call produced for The Motley "
            "Fool. While "
            "we strive for our Foolish Best, there may be errors, omissions, or inaccuracies.",
        ]
    )  # fmt: skip


def seeking_alpha(call: Call, dash: str) -> str:
    """Write lists of participants, then each turn under a line with the name alone."""
    mark = "-" if dash == "--" else dash
    lists = [
        "\n".join(f"{p.name} {mark} {p.detail}" for p in call.people(role))
        for role in ("executive", "analyst")
    ]
    said = {
        section: [x for s in call.part(section) for x in (s.person.name, paragraphs(s.text))]
        for section in ("prepared", "qa")
    }
    return "\n\n".join(
        [
            "Acme Widgets Corp (NYSE:ACM) Q3 2023 Earnings Conference Call October 25, 2023 "
            "8:30 AM ET",
            "Company Participants", lists[0], "Conference Call Participants", lists[1],
            *said["prepared"], "Question-and-Answer Session", *said["qa"],
        ]
    )  # fmt: skip


def seeking_alpha_old(call: Call, dash: str) -> str:
    """Write the older pages: ``Executives`` and ``Analysts``, and ``Q - Name`` in the Q&A."""
    mark = "-" if dash == "--" else dash
    lists = [
        "\n".join(f"{p.name} {mark} {p.detail}" for p in call.people(role))
        for role in ("executive", "analyst")
    ]
    tags = {"operator": "", "executive": f"A {mark} ", "analyst": f"Q {mark} "}
    prepared = [x for s in call.part("prepared") for x in (s.person.name, paragraphs(s.text))]
    asked = [
        x
        for s in call.part("qa")
        for x in (tags[s.person.role] + s.person.name, paragraphs(s.text))
    ]
    return "\n\n".join(
        [
            "Acme Widgets Corp. (ACM) Q3 2023 Results - Earnings Call Transcript", "Executives",
            lists[0], "Analysts", lists[1], *prepared, "Question-and-Answer Session", *asked,
            "Copyright policy: All transcripts on this site are the copyright of Seeking "
            "Alpha. However, "
            "we view them as an important resource for bloggers and journalists.",
        ]
    )  # fmt: skip


def factset(call: Call, dash: str) -> str:
    """Write ``Operator: ...``, ``Name, Title`` in remarks, ``<Q - Name - Firm>: ...`` in Q&A."""
    mark = "-" if dash == "--" else dash
    said = ["MANAGEMENT DISCUSSION SECTION"]
    for speech in call.part("prepared"):
        p = speech.person
        if p.role == "operator":
            said.append(f"Operator: {paragraphs(speech.text)}")
        else:
            said += [f"{p.name}, {p.detail}", paragraphs(speech.text)]
    said.append("QUESTION AND ANSWER SECTION")
    for speech in call.part("qa"):
        p, letter = speech.person, "Q" if speech.person.role == "analyst" else "A"
        who = f"<{letter} {mark} {p.name}{f' {mark} {p.detail}' if letter == 'Q' else ''}>"
        who = "Operator" if p.role == "operator" else who
        said.append(f"{who}: {paragraphs(speech.text)}")
    return "\n\n".join(
        [
            "Acme Widgets Corp. (ACM)\nQ3 2023 Earnings Call\n25-Oct-2023", *said,
            "Disclaimer\n\nThe information herein is based on sources we believe to be "
            "reliable but is "
            "not guaranteed by us and does not purport to be a complete or error-free statement.",
        ]
    )  # fmt: skip


def factset_letters(call: Call, dash: str) -> str:
    """Write the newer pages: name, title, company, Q or A at the margin, dotted rules, footers."""
    mark = "-" if dash == "--" else dash
    lists = [
        "\n".join(f"{p.name} {mark} {p.detail}, {firm}" for p in call.people(role))
        for role, firm in (("executive", "Acme Widgets Corp."), ("analyst", "Research"))
    ]
    rule = "." * 100
    said = [rule, "MANAGEMENT DISCUSSION SECTION"]
    for index, speech in enumerate(call.speeches):
        p = speech.person
        if speech.section == "qa" and call.speeches[index - 1].section == "prepared":
            said += [rule, "QUESTION AND ANSWER SECTION"]
        text = paragraphs(speech.text)
        if p.role == "operator":
            said += [rule, f"Operator: {text}"]
            continue
        detail = (
            f"Analyst, {p.detail}" if p.role == "analyst" else f"{p.detail}, Acme Widgets Corp."
        )
        letter = "" if speech.section == "prepared" else " Q" if p.role == "analyst" else " A"
        said += [rule, f"{p.name}\n{detail}{letter}", text]
        if index % 9 == 8:
            said += [
                "1-877-FACTSET www.callstreet.com",
                f"{index}",
                "Copyright \u00a9 2001-2023 FactSet",
            ]
    return "\n\n".join(
        ["25-Oct-2023", "Acme Widgets Corp. "
                        "(ACM)", "Q3 2023 Earnings Call", "CORPORATE PARTICIPANTS",
         lists[0], "OTHER PARTICIPANTS", lists[1], *said]
    )  # fmt: skip


def capital_iq(call: Call, dash: str) -> str:
    """Write a name above the title or firm; the lists at the front have the same form."""

    def below(person: Person) -> str:
        firm = f"\n{person.detail}, Research Division"
        return firm if person.role == "analyst" else f"\n{person.detail}" if person.detail else ""

    def part(section: str) -> list[str]:
        rows = call.part(section)
        return [x for s in rows for x in (s.person.name + below(s.person), paragraphs(s.text))]

    lists = ["\n".join(p.name + below(p) for p in call.people(r)) for r in ("executive", "analyst")]
    return "\n\n".join(
        [
            "Acme Widgets Corp. NYSE:ACM\nFQ3 2023 Earnings Call Transcripts\n"
            "Wednesday, October 25, 2023 12:30 PM GMT",
            "Call Participants", "EXECUTIVES", lists[0], "ANALYSTS", lists[1],
            "Presentation", *part("prepared"), "Question and Answer", *part("qa"),
            "Copyright \u00a9 2023 by S&P Global Market Intelligence, a division of S&P Global "
            "Inc. All "
            "rights reserved.",
            "These materials have been prepared solely for information purposes based upon "
            "information "
            "generally available to the public and from sources believed to be reliable.",
        ]
    )  # fmt: skip


def name_colon(call: Call, dash: str) -> str:
    """Write ``Name: words``, one line per turn, as public APIs return it."""
    return "\n".join(f"{s.person.name}: {s.text}" for s in call.speeches)


def streetevents(call: Call, dash: str) -> str:
    """Write ruled sections, with ``Name,  Company - Title   [3]`` between rules."""
    double, single = "=" * 80, "-" * 80
    mark = "-" if dash == "--" else dash

    def who(person: Person, firm: str) -> str:
        title = "Analyst" if person.role == "analyst" else person.detail
        return f"{person.detail if person.role == 'analyst' else firm} {mark} {title}"

    def entries(role: str) -> list[str]:
        rows = call.people(role)
        return [f" * {p.name}\n   {who(p, 'Acme Widgets Corp')}" for p in rows]

    said, number = [], 0
    for section, title in (("prepared", "Presentation"), ("qa", "Questions and Answers")):
        said += [f"{double}\n{title}\n{single}"]
        for speech in call.part(section):
            number += 1
            p = speech.person
            name = (
                "Operator" if p.role == "operator" else f"{p.name},  {who(p, 'Acme Widgets Corp')}"
            )
            said += [f"{name}   [{number}]\n{single}", paragraphs(speech.text), single]
    return "\n".join(
        [
            "Refinitiv StreetEvents Event Transcript\nE D I T E D   V E R S I O N\n",
            "Q3 2023 Acme Widgets Corp Earnings Call\nOCTOBER 25, 2023 / 12:30PM GMT\n",
            double, "Corporate Participants", double, *entries("executive"), "",
            double, "Conference Call Participiants", double, *entries("analyst"), "", *said,
            double, "Definitions", double,
            "PRELIMINARY TRANSCRIPT: \"Preliminary Transcript\" indicates that the Transcript "
            "has been "
            "published in near real-time by an experienced professional transcriber.",
            "Disclaimer", "Refinitiv reserves the right to make changes to documents, content, "
                          "or other "
            "information on this web site without obligation to notify any person of such changes.",
        ]
    )  # fmt: skip


def name_title_company(call: Call, dash: str) -> str:
    """Write ``NAME, TITLE, COMPANY: words``, as in StreetEvents' briefs and by broadcasters."""

    def who(p: Person) -> str:
        if p.role == "operator":
            return "OPERATOR"
        parts = (
            (p.name, "ANALYST", p.detail)
            if p.role == "analyst"
            else (p.name, p.detail, "ACME CORP")
        )
        return ", ".join(parts).upper()

    rule = "*" * 60
    said = {
        k: [f"{who(s.person)}: {paragraphs(s.text)}" for s in call.part(k)]
        for k in ("prepared", "qa")
    }
    head = "Q3 2023 Acme Widgets Corp Earnings Call - Final\nOctober 25, 2023"
    return "\n\n".join(
        [head, rule, "PRESENTATION", rule, *said["prepared"], rule, "QUESTIONS AND "
                                                                    "ANSWERS", rule, *said["qa"]]
    )  # fmt: skip


WRITERS: dict[str, Callable[[Call, str], str]] = {
    "motley_fool": motley_fool,
    "seeking_alpha": seeking_alpha,
    "seeking_alpha_old": seeking_alpha_old,
    "factset": factset,
    "factset_letters": factset_letters,
    "capital_iq": capital_iq,
    "name_colon": name_colon,
    "streetevents": streetevents,
    "name_title_company": name_title_company,
}
