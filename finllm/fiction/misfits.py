"""Write records that a model should not learn from: failed, off-topic or sent twice."""

from __future__ import annotations

import re

import numpy as np

from finllm.fiction import cast, openings
from finllm.fiction.spoken import Voice, bank
from finllm.records import Turn

FAILED = bank("""
    * [We apologize|I apologize], we [are having|seem to have] [audio trouble|technical problems].
      [Please stand by|Please hold].
    * [The line|Our connection] [was lost|dropped]. [We will|We'll] [try to|] [resume|restart]
      [shortly|in a moment].
    * [Hello|Operator], can [you|anyone] hear [us|me]? [I think|It sounds as if] we [lost|have lost]
      the [feed|line].
    """)
TOWN_HALL = bank("""
    * [Welcome to|It's good to see so many of you at] our [spring|summer|autumn|winter] town hall.
      [Grab a coffee|Find a seat], [we start|and we'll begin] with [birthdays|the new joiners].
    * The [cafeteria|canteen] [reopens|is back] on [Monday|Thursday] with [a salad bar|longer
      hours], and [yes|I promise], the [soup|coffee] [will be hot|is better].
    * [Parking|The car park] [behind|next to] building [two|four|seven] [is closed|stays shut] while
      [the roof|the lighting] is [repaired|replaced], so please [share a ride|take the shuttle].
    * The [volunteering day|clean-up day] [along the river|at the animal shelter] [drew|brought]
      more [colleagues|hands] than [ever|last year], and the [photos|pictures] are on the
      [wall|intranet].
    * [Our|The] [choir|football team|running group] [meets|practices] on [Tuesdays|Wednesdays], [no
      talent needed|all are welcome].
    * [Please remember|A reminder] to [lock|close] your [screens|lockers] and to [wear|show] your
      badge [at the gate|in the lobby].
    * [Someone asked|I was asked] about [dogs|plants] in the office. [We will try|The answer is]
      [one floor|a pilot], and [see|we'll see] how [the carpets|everyone] [cope|copes].
    * [Thank you|A round of applause] to [the kitchen|the night shift|facilities], who [kept us|kept
      everyone] [warm|fed] during the [storm|power cut].
    * The [mentoring|language exchange] [circle|program] [has room|is open] for [a few more|new]
      [pairs| people], [ask|write to] {someone}.
    * [Next|Then], {someone} [will show|shows] the [new|redesigned] [meeting rooms|quiet rooms],
      named after [rivers|birds|mountains] [you chose|from your votes].
    * [The book swap|Our library shelf] [needs|could use] [a new home|more novels]; [talk|speak] to
      {someone} [after this|at lunch].
    * [That is it|That's all] for [this month|today]. [Cake|There is cake] [is|] [at the back|by the
      window].
    """)
SWAPS = (
    ("we are", "we're"),
    ("did not", "didn't"),
    ("Thank you", "Thanks"),
    ("we have", "we've"),
    ("quarter of", "qtr of"),
    (" really", ""),
    ("percent", "per cent"),
    ("do not", "don't"),
)


def failed_recording(company: cast.Company, label: str, rng: np.random.Generator) -> list[Turn]:
    """Write a call that breaks off within its first hundred words."""
    voice = Voice(rng)
    welcome = voice.say(
        ("Welcome to the {company} {label} [results|earnings] call. [One moment|Stand by].",),
        {"company": company.name, "label": label},
    )
    turns = [Turn("Operator", "operator", "prepared", welcome)]
    if voice.chance(0.6):
        turns.append(Turn(company.ir, "executive", "prepared", voice.say(FAILED, {})))
    elif voice.chance(0.5):
        notice = voice.say(openings.WARNING, {"headwind": company.sector.headwinds})
        turns.append(Turn(company.ir, "executive", "prepared", notice))
    turns.append(Turn("Operator", "operator", "prepared", voice.say(FAILED, {})))
    return turns


def town_hall(company: cast.Company, rng: np.random.Generator) -> list[Turn]:
    """Write a talk to employees without a word on the results."""
    voice = Voice(rng)
    people = [cast.person(rng, []) for _ in range(3)]
    slots = {"someone": people}
    body = [voice.say(TOWN_HALL[1:-1], slots) for _ in range(len(TOWN_HALL) - 2)]
    cut = len(body) // 2
    opening, goodbye = (voice.say((TOWN_HALL[at],), slots) for at in (0, -1))
    first, second = " ".join([opening, *body[:cut]]), " ".join([*body[cut:], goodbye])
    return [
        Turn(company.ceo, "executive", "prepared", first),
        Turn(people[0], "unknown", "prepared", second),
    ]


def retransmit(turns: tuple[Turn, ...], rng: np.random.Generator) -> tuple[Turn, ...]:
    """Edit a call as if another agency had transcribed it: contractions, a lost sentence."""
    again = []
    for turn in turns:
        text = turn.text
        for old, new in SWAPS:
            if rng.random() < 0.5:
                text = text.replace(old, new)
        sentences = re.split(r"(?<=[.?]) (?=[A-Z])", text)
        if len(sentences) > 8 and rng.random() < 0.7:
            del sentences[int(rng.integers(1, 4))]
        again.append(Turn(turn.speaker, turn.role, turn.section, " ".join(sentences)))
    return tuple(again[:-1]) if rng.random() < 0.3 else tuple(again)
