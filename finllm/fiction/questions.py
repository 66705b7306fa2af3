"""Write the Q&A part of a call."""

from __future__ import annotations

from finllm.fiction import dialogue
from finllm.fiction.cast import broker, person
from finllm.fiction.remarks import cash_flow
from finllm.fiction.script import MAX_WORDS, MIN_WORDS, Script
from finllm.fiction.topics import TOPICS


def speak_questions(script: Script, held_back: str) -> None:
    """Add three to six questions with answers, and the goodbye; one may ask for ``held_back``."""
    company, voice = script.company, script.voice
    n_topics, n_own = len(TOPICS), len(company.sector.questions)
    order = [int(at) for at in script.rng.permutation(n_topics + n_own)]
    if company.sector.name == "banking":
        order = [at for at in order if at >= n_topics or TOPICS[at].banks]
    n_questions = 3 + int(script.rng.integers(4))
    taken = [company.ceo, company.cfo, company.ir]
    ask_back_at = int(script.rng.integers(3)) if held_back else -1
    asked = 0
    while asked < 3 or (asked < n_questions and script.n_words() < MAX_WORDS - 330):
        last = asked + 1 == n_questions
        _introduce(script, taken, asked, last)
        _exchange(script, order[asked], ask_back_at == asked, held_back)
        asked += 1
        if asked == n_questions < 6 and script.n_words() < MIN_WORDS - 20:
            n_questions += 1
    script.turn(company.ceo, "executive", "qa", [script.say(dialogue.CLOSING_CEO)])
    if voice.chance(0.7):
        script.turn("Operator", "operator", "qa", [script.say(dialogue.CLOSING_OPERATOR)])


def _introduce(script: Script, taken: list[str], asked: int, last: bool) -> None:
    analyst = person(script.rng, taken)
    script.slots |= {
        "analyst": analyst,
        "analyst_first": analyst.split()[0],
        "broker": broker(script.rng, taken),
    }
    bank = dialogue.NEXT_QUESTION
    if asked == 0:
        bank = dialogue.FIRST_QUESTION
    elif last:
        bank = dialogue.LAST_QUESTION
    script.turn("Operator", "operator", "qa", [script.say(bank)])


def _exchange(script: Script, topic: int, ask_back: bool, held_back: str) -> None:
    """Add one analyst's question, its answer, and sometimes a follow-up."""
    company, voice, say = script.company, script.voice, script.say
    if topic < len(TOPICS):
        subject = TOPICS[topic]
        who, follow_up, reply = subject.who, subject.follow_up, subject.reply
        question, answer = voice.draw(subject.questions), voice.draw(subject.answers)
    else:
        who, follow_up, reply = "ceo", (), ()
        own = topic - len(TOPICS)
        question, answer = company.sector.questions[own], company.sector.answers[own]
    analyst = str(script.slots["analyst"])
    speaker = company.ceo if who == "ceo" else company.cfo
    # A question and its answer have one subject: each list slot keeps its value for the exchange.
    still = {
        name: voice.draw(script.slots[name])
        for name in ("product", "segment", "headwind", "region", "cost")
    }
    still |= {f"{name}_cap": text[0].upper() + text[1:] for name, text in still.items()}
    greeting = [say(dialogue.HELLO)]
    if script.now.net_income > 0 and script.growth > 4 and voice.chance(0.3):
        greeting.append(say(dialogue.HELLO_GOOD))
    script.turn(analyst, "analyst", "qa", [*greeting, say((question,), **still)])
    answered = [say((answer,), **still)]
    if voice.chance(0.8):
        answered.insert(0, say(dialogue.ACKNOWLEDGE))
    script.turn(speaker, "executive", "qa", answered)
    if ask_back:
        _ask_held_back(script, analyst, held_back)
    elif follow_up and voice.chance(0.45):
        lead = say(dialogue.FOLLOW_UP_LEAD)
        script.turn(analyst, "analyst", "qa", [lead, say(follow_up, **still)])
        script.turn(speaker, "executive", "qa", [say(reply, **still)])
    if voice.chance(0.4):
        script.turn(analyst, "analyst", "qa", [say(dialogue.THANKS)])


def _ask_held_back(script: Script, analyst: str, held_back: str) -> None:
    """Ask for a figure that the remarks left out, and give it."""
    say = script.say
    if held_back == "cash":
        thing, reply = "cash flow for the quarter", cash_flow(script)
    else:
        at = int(held_back.removeprefix("kpi"))
        thing, reply = script.company.sector.kpis[at].label, [script.kpi(at)]
    lead = say(dialogue.FOLLOW_UP_LEAD)
    question = say(dialogue.ASK_FIGURE, thing=thing)
    script.turn(analyst, "analyst", "qa", [lead, question])
    reply.insert(0, say(dialogue.GIVE_FIGURE))
    script.turn(script.company.cfo, "executive", "qa", reply)
