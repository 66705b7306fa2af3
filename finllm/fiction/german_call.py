"""Write a German call on the accounts of an English one, with all figures of the English bullets.

Nothing is translated: the phrases are German ones (``de.toml``), and the facts are those that the
English script drew from the accounts, in the digits of that script. Its bullets hold for the German
call unchanged.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from finllm.fiction import german, spoken
from finllm.fiction.cast import broker, person
from finllm.fiction.script import Script
from finllm.fiction.spoken import Voice, bank, direction
from finllm.fiction.vocabulary import listed
from finllm.records import Turn

PHRASES = Path(__file__).with_name("de.toml")
HELD_BACK = 0.35  # probability that a fact is left for the questions


@cache
def vocabulary() -> dict:
    """Load the content of ``de.toml``."""
    return tomllib.loads(PHRASES.read_text(encoding="utf-8"))


def speak(script: Script, rng: np.random.Generator) -> tuple[Turn, ...]:
    """Return the turns of a German call with the facts that ``script`` states in English."""
    return tuple(_GermanCall(script, rng).turns)


class _GermanCall:
    """A German call under construction, from the welcome to the goodbye."""

    def __init__(self, script: Script, rng: np.random.Generator) -> None:
        self.script, self.rng = script, rng
        self.voice = Voice(rng, finish=german.tidy)
        self.words = vocabulary()
        self.sector = self.words["sectors"][script.company.sector.name]
        self.units = german.WRITTEN[int(rng.integers(len(german.WRITTEN)))]
        self.percent = " Prozent" if self.voice.chance(0.6) else " %"
        self.in_cents = self.voice.chance(0.3)
        self.turns: list[Turn] = []
        self.slots = {**self._names(), **self._figures()}
        facts = [f"kpi{at}" for at in range(len(self.sector["kpis"]))]
        facts += ["cash"] if "cash" in script.said else []
        held = self.voice.chance(HELD_BACK)
        self.held_back = facts[int(rng.integers(len(facts)))] if held else ""
        self._prepared()
        self._questions()

    def _names(self) -> dict[str, str | Sequence[str]]:
        company, now = self.script.company, self.script.now
        lists = {name: listed(self.sector[name]) for name in ("drivers", "headwinds", "customers")}
        costs = listed(self.sector["costs"])
        places = self.rng.permutation(len(german.REGIONS))[:4]
        return {
            "company": company.name,
            "ceo": company.ceo,
            "cfo": company.cfo,
            "ir": company.ir,
            "operator": self.voice.draw(("Dana", "Chris", "Robin", "Sasha", "Kim")),
            "quarter": f"{now.quarter}. Quartal",
            "next_quarter": f"{now.quarter % 4 + 1}. Quartal",
            "year": str(now.year),
            "prior_year": str(now.year - 1),
            "revenue": self.sector["revenue"],
            "program": f"Projekt {company.program}",
            "brand": company.brands[0],
            "brand2": company.brands[1],
            "region": tuple(german.REGIONS[int(at)] for at in places),
            "product": listed(self.sector["products"]),
            "driver": lists["drivers"],
            "headwind": lists["headwinds"],
            "headwind_cap": german.capitalised(lists["headwinds"]),
            "customers": lists["customers"],
            "customers_cap": german.capitalised(lists["customers"]),
            "cost": costs,
            "cost_cap": german.capitalised(costs),
            "segment": tuple(self.sector["segments"][name] for name in company.segments),
        }

    def _figures(self) -> dict[str, str]:
        """Return the script's figures in German, with amounts per share in this call's style."""
        now, slots = self.script.now, self.script.slots
        names = (
            "rev", "rev_prior", "pct", "gm", "bps", "opex", "opex_prior", "opex_ratio", "charge",
            "op", "op_margin", "tax_rate", "ni", "ocf", "capex", "fcf", "net_debt", "buyback",
            "depreciation", "next_rev", "year_rev", "year_rev_before", "fy_rev", "guide_year",
        )  # fmt: skip
        found = {name: self.write(str(slots[name])) for name in names if name in slots}
        shares = {"eps": now.eps, "adj": now.adjusted_eps, "dps": now.dividend_per_share}
        if now.quarter == 4:
            year, before = (self.script.books.year_of(self.script.index - at) for at in (0, 4))
            shares["fy_eps"] = year.eps
            found["fy_moved"] = self.moved(100 * (year.revenue / before.revenue - 1))
        found |= {name: self.per_share(value) for name, value in shares.items()}
        is_small = now.charge < 0.05 * now.revenue
        found["charge_kind"] = "Restrukturierungskosten" if is_small else "Wertminderungen"
        return found

    def write(self, english: str) -> str:
        """Convert a figure of the script to the notation of this call."""
        return german.figure(english, self.units, self.percent)

    def per_share(self, dollars: float) -> str:
        """Format an amount per share without its sign."""
        cents = round(abs(dollars) * 100)
        if self.in_cents and 1 < cents < 100:
            return f"{cents} Cent"
        return self.write(spoken.per_share(dollars, False))

    def moved(self, percent: float) -> str:
        """Describe a change, with as many decimals as in the script."""
        text = self.write(f"{abs(percent):.{self.script.style.digits}f}%")
        return german.moved(percent, text, int(self.rng.integers(3)))

    def say(self, name: str, **extra: str) -> str:
        """Draw one or more sentences from a bank of ``[phrases]``."""
        return self.fill(bank(self.words["phrases"][name]), **extra)

    def fill(self, options: Sequence[str], **extra: str) -> str:
        """Draw one of the patterns and fill it, which gives one or more sentences."""
        text = self.voice.say(options, {**self.slots, **extra})
        return text if text[-1] in ".?!" else text + "."

    def turn(self, speaker: str, role: str, section: str, sentences: Sequence[str]) -> None:
        """Add a turn."""
        self.turns.append(Turn(speaker, role, section, " ".join(sentences)))

    def _prepared(self) -> None:
        company, now = self.script.company, self.script.now
        self.turn("Operator", "operator", "prepared", [self.say("welcome")])
        notice = [self.say(name) for name in ("notice", "warning", "to_ceo")]
        self.turn(company.ir, "executive", "prepared", notice)
        mood = "good" if self.script.growth > 2 and now.eps > self.script.prior.eps else "mixed"
        opening = self.say("ceo_bad" if now.net_income < 0 else f"ceo_{mood}")
        body = [self.fill(bank(self.sector["themes"])) for _ in range(3)]
        body += [self.say("strategy") for _ in range(3 + int(self.rng.integers(3)))]
        body = [body[at] for at in self.rng.permutation(len(body))]
        said = [opening, *body, self.say("risks"), self.say("to_cfo")]
        self.turn(company.ceo, "executive", "prepared", said)
        self.turn(company.cfo, "executive", "prepared", self._finances())

    def _finances(self) -> list[str]:
        blocks = [self._segments(), self._all_kpis(), self._profit()]
        blocks = [blocks[at] for at in self.rng.permutation(len(blocks))]
        said = [self.say("cfo_opening"), *self._top_line(), *(s for block in blocks for s in block)]
        if "cash" in self.script.said and self.held_back != "cash":
            said += self._cash()
        return [*said, *self._capital(), *self._year(), *self._outlook(), self.say("to_questions")]

    def _top_line(self) -> list[str]:
        way = direction(self.script.growth)
        said = [self.say("revenue_value"), self.say(f"revenue_{way}")]
        return said + ([self.say("revenue_prior")] if self.voice.chance(0.5) else [])

    def _segments(self) -> list[str]:
        now, prior = self.script.now.segments, self.script.prior.segments
        return [
            self.say(
                "segment_said",
                seg=str(self.slots["segment"][at]),
                seg_moved=self.moved(100 * (now[at] / prior[at] - 1)),
                seg_value=self.write(self.script.money(now[at])),
                seg_prior=self.write(self.script.money(prior[at])),
            )
            for at in range(len(now))
        ]

    def _all_kpis(self) -> list[str]:
        order = self.rng.permutation(len(self.sector["kpis"]))
        return [self._kpi(int(at)) for at in order if self.held_back != f"kpi{at}"]

    def _kpi(self, at: int) -> str:
        told: Mapping[str, str] = self.script.kpi_said[at]
        extra = {name: self.write(told[name]) for name in ("v", "p") if name in told}
        if "moved" in told:
            extra["moved"] = self.moved(self.script.now.kpis[at])
        return self.fill(bank(self.sector["kpis"][at]["said"]), **extra)

    def _profit(self) -> list[str]:
        now, said = self.script.now, self.script.said
        names = ["gross"] if "gross" in said else []
        if "gross_change" in said and abs(self.script.points) >= 6:
            names.append("gross_up" if self.script.points > 0 else "gross_down")
        names += ["opex"] if self.voice.chance(0.6) else []
        names += ["charge"] if "charge" in said else []
        if "operating" in said:
            names.append("operating_loss" if now.operating_income < 0 else "operating_profit")
        names += ["tax"] if now.tax > 0 and self.voice.chance(0.4) else []
        names.append("net_loss" if now.net_income < 0 else "net_profit")
        names.append(_by_sign("eps", now.eps))
        if "adjusted" in said:
            names.append("adjusted_loss" if now.adjusted_eps < 0 else "adjusted_profit")
        return [self.say(name) for name in names]

    def _cash(self) -> list[str]:
        now = self.script.now
        names = ("cash_burn" if now.operating_cash_flow < 0 else "cash",
                 "free_cash_burn" if now.free_cash_flow < 0 else "free_cash")  # fmt: skip
        return [self.say(name) for name in names]

    def _capital(self) -> list[str]:
        now, said = self.script.now, self.script.said
        names = []
        if "cash" in said and self.voice.chance(0.7):
            names.append("net_debt" if now.net_debt > 0 else "net_cash")
        names += [name for name in ("dividend", "buyback") if name in said]
        return [self.say(name) for name in names]

    def _year(self) -> list[str]:
        if "year" not in self.script.said:
            return []
        eps = self.script.books.year_of(self.script.index).eps
        names = ("year_revenue", "year_growth", _by_sign("year_eps", eps))
        return [self.say(name) for name in names]

    def _outlook(self) -> list[str]:
        said, books, at = self.script.said, self.script.books, self.script.index
        names: list[tuple[str, dict[str, str]]] = [("to_outlook", {})]
        if "next_revenue" in said:
            names.append(("guide_next_revenue", {}))
        if "next_eps" in said:
            span = german.per_share_range(books.next_eps[at], self.units)
            names.append(("guide_next_eps", {"next_eps": span}))
        if "year_revenue" in said:
            before = ""
            if "year_before" in said:
                before = f", zuvor waren es {self.slots['year_rev_before']}"
            names.append((f"guide_year_{books.year_revenue[at].status}", {"before": before}))
        if "year_eps" in said:
            span = german.per_share_range(books.year_eps[at].range, self.units)
            names.append(("guide_year_eps", {"year_eps": span}))
        names.append(("guide_assumes" if len(names) > 1 else "no_guide", {}))
        return [self.say(name, **extra) for name, extra in names]

    def _questions(self) -> None:
        company = self.script.company
        topics = [
            topic
            for topic in self.words["topics"]
            if company.sector.name != "banking" or topic.get("banks", True)
        ]
        topics.append({"who": "ceo", **self.sector})
        order = self.rng.permutation(len(topics))[: 3 + int(self.rng.integers(3))]
        taken = [company.ceo, company.cfo, company.ir]
        for number, at in enumerate(order):
            self._exchange(topics[int(at)], taken, first=number == 0, last=at == order[-1])
            if number == 1 and self.held_back:
                self._ask_held_back(taken[-1])
        self.turn(company.ceo, "executive", "qa", [self.say("closing")])
        if self.voice.chance(0.7):
            self.turn("Operator", "operator", "qa", [self.say("operator_end")])

    def _exchange(self, topic: Mapping, taken: list[str], *, first: bool, last: bool) -> None:
        """Add one analyst's question and its answer."""
        house = broker(self.rng, taken)
        analyst = person(self.rng, taken)
        self.slots |= {"analyst": analyst, "broker": house}
        bank_name = "first_question" if first else "last_question" if last else "next_question"
        self.turn("Operator", "operator", "qa", [self.say(bank_name)])
        names = ("product", "segment", "headwind", "region", "cost", "customers")
        still = {name: self.voice.draw(self.slots[name]) for name in names}
        still |= {f"{name}_cap": text[0].upper() + text[1:] for name, text in still.items()}
        asked = [self.say("hello"), self.fill(bank(topic["question"]), **still)]
        self.turn(analyst, "analyst", "qa", asked)
        answered = [self.say("acknowledge")] if self.voice.chance(0.7) else []
        answered.append(self.fill(bank(topic["answer"]), **still))
        company = self.script.company
        speaker = company.ceo if topic["who"] == "ceo" else company.cfo
        self.turn(speaker, "executive", "qa", answered)
        if self.voice.chance(0.3):
            self.turn(analyst, "analyst", "qa", [self.say("thanks")])

    def _ask_held_back(self, analyst: str) -> None:
        """Ask for the figure that the remarks left out, and give it."""
        if self.held_back == "cash":
            thing, reply = "den Cashflow im Quartal", self._cash()
        else:
            at = int(self.held_back.removeprefix("kpi"))
            thing, reply = self.sector["kpis"][at]["label"], [self._kpi(at)]
        self.turn(analyst, "analyst", "qa", [self.say("ask_figure", thing=thing)])
        reply.insert(0, self.say("give_figure"))
        self.turn(self.script.company.cfo, "executive", "qa", reply)


def _by_sign(name: str, dollars: float) -> str:
    if round(abs(dollars) * 100) == 0:
        return f"{name}_breakeven"
    return f"{name}_loss" if dollars < 0 else f"{name}_profit"


def failed_recording(company: str, ir: str, rng: np.random.Generator) -> tuple[Turn, ...]:
    """Write a call that breaks off within its first words."""
    voice, words = Voice(rng, finish=german.tidy), vocabulary()["phrases"]
    said = [voice.say(bank(words["failed"]), {}) for _ in range(2)]
    welcome = f"Willkommen zur Telefonkonferenz der {company}. Einen Moment bitte."
    return (
        Turn("Operator", "operator", "prepared", welcome),
        Turn(ir, "executive", "prepared", said[0]),
        Turn("Operator", "operator", "prepared", said[1]),
    )


def town_hall(ceo: str, rng: np.random.Generator) -> tuple[Turn, ...]:
    """Write a talk to employees without a word on the results."""
    voice, options = Voice(rng, finish=german.tidy), bank(vocabulary()["phrases"]["town_hall"])
    body = [voice.say(options[1:-1], {}) for _ in options[1:-1]]
    said = [voice.say((options[0],), {}), *body, voice.say((options[-1],), {})]
    return (Turn(ceo, "executive", "prepared", " ".join(said)),)
