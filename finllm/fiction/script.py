"""Build one earnings call: its speakers, its figures, and the facts stated so far."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from finllm.fiction import phrases, spoken
from finllm.fiction.accounts import Books
from finllm.fiction.cast import Company
from finllm.fiction.spoken import Voice, direction
from finllm.records import Turn

MAX_WORDS = 1750
MIN_WORDS = 720


@dataclass(frozen=True)
class Style:
    """The way figures are spoken in one call."""

    long_form: bool  # "$1,243.6 million" instead of "$1.24 billion"
    in_cents: bool  # "45 cents" instead of "$0.45"
    between: bool  # "between $1 million and $2 million"
    digits: int  # decimals of a percentage
    exact_points: bool  # "114 basis points" instead of "110"
    contracts: float  # probability that "we are" becomes "we're"


class Script:
    """A call under construction: its slots, the facts stated so far, and the turns."""

    def __init__(self, company: Company, books: Books, index: int, rng: np.random.Generator):
        self.company, self.books, self.index, self.rng = company, books, index, rng
        self.now, self.prior = books.quarters[index], books.quarters[index - 4]
        self.voice = Voice(rng)
        chance = self.voice.chance
        self.style = Style(
            long_form=chance(0.25),
            in_cents=chance(0.35),
            between=chance(0.4),
            digits=int(chance(0.5)),
            exact_points=chance(0.4),
            contracts=rng.random(),
        )
        self.said: set[str] = set()  # the facts that a bullet may use
        self.kpi_said: dict[int, dict[str, str]] = {}
        self.turns: list[Turn] = []
        self.slots: dict[str, str | Sequence[str]] = {}
        self._set_names()
        self._set_figures()

    def money(self, millions: float) -> str:
        """Format an amount in the style of this call."""
        return spoken.money(millions, self.style.long_form)

    def say(self, bank: Sequence[str], **extra: str) -> str:
        """Draw one or more sentences from a bank of patterns."""
        text = self.voice.say(bank, {**self.slots, **extra} if extra else self.slots)
        text = text if text[-1] in ".?!" else text + "."
        text = spoken.contract(text, self.rng, self.style.contracts)
        return re.sub(r"([.?!] )([a-z])", lambda m: m[1] + m[2].upper(), text)

    def turn(self, speaker: str, role: str, section: str, sentences: Sequence[str]) -> None:
        """Add a turn."""
        self.turns.append(Turn(speaker, role, section, " ".join(sentences)))

    def n_words(self) -> int:
        """Count the words of all turns so far."""
        return sum(len(turn.text.split()) for turn in self.turns)

    def _set_names(self) -> None:
        company, now, sector = self.company, self.now, self.company.sector
        unit_of = dict(zip(sector.segments, sector.units or sector.segments, strict=True))
        units = tuple(unit_of[segment] for segment in company.segments)
        next_quarter = spoken.ORDINALS[now.quarter % 4 + 1] + " quarter"
        self.slots |= {
            "company": company.name,
            "ceo": company.ceo,
            "cfo": company.cfo,
            "ir": company.ir,
            "ceo_first": company.ceo.split()[0],
            "cfo_first": company.cfo.split()[0],
            "ir_first": company.ir.split()[0],
            "operator": self.voice.draw(("Dana", "Chris", "Robin", "Pat", "Sasha", "Lee")),
            "daypart": self.voice.draw(("morning", "afternoon")),
            "quarter": f"{spoken.ORDINALS[now.quarter]} quarter",
            "quarter_cap": f"The {spoken.ORDINALS[now.quarter]} quarter",
            "q": f"Q{now.quarter}",
            "year": str(now.year),
            "prior_year": str(now.year - 1),
            "next_year": str(now.year + 1),
            "next_quarter": next_quarter,
            "revenue": sector.revenue,
            "was": "were" if sector.revenue.endswith("sales") else "was",
            "product": company.products,
            "brand": company.brands[0],
            "brand2": company.brands[1],
            "program": f"{self.voice.draw(('Project', 'Program'))} {company.program}",
            "region": company.regions,
            "driver": sector.drivers,
            "headwind": sector.headwinds,
            "headwind_cap": tuple(text[0].upper() + text[1:] for text in sector.headwinds),
            "customers": sector.customers,
            "customers_cap": tuple(text[0].upper() + text[1:] for text in sector.customers),
            "cost": sector.costs,
            "cost_cap": tuple(text[0].upper() + text[1:] for text in sector.costs),
            "segment": units,
            "segment_cap": tuple(text[0].upper() + text[1:] for text in units),
            "seg_driver": sector.drivers,
        }

    def _set_figures(self) -> None:
        now, prior, money = self.now, self.prior, self.money
        cents = self.style.in_cents

        def per_share(dollars: float) -> str:
            return spoken.per_share(dollars, cents)

        self.growth = 100 * (now.revenue / prior.revenue - 1)
        self.points = 10_000 * (now.gross_margin - prior.gross_margin)
        points = (
            round(abs(self.points))
            if self.style.exact_points
            else 10 * round(abs(self.points) / 10)
        )
        guide = self.books.next_revenue[self.index - 1]
        self.slots |= {
            "rev": money(now.revenue),
            "rev_prior": money(prior.revenue),
            "pct": f"{abs(self.growth):.{self.style.digits}f}%",
            "cc_moved": self.moved(self.growth - now.currency),
            "guide": spoken.money_range(guide.low, guide.high, False),
            "gm": f"{100 * now.gross_margin:.1f}%",
            "bps": f"{points} basis points",
            "opex": money(now.operating_expenses),
            "opex_prior": money(prior.operating_expenses),
            "opex_ratio": f"{100 * now.operating_expenses / now.revenue:.1f}%",
            "charge": money(now.charge),
            "charge_kind": "restructuring charge"
            if now.charge < 0.05 * now.revenue
            else "impairment charge",
            "op": money(now.operating_income),
            "op_prior": _beside(now.operating_income, prior.operating_income, money),
            "op_margin": f"{100 * now.operating_income / now.revenue:.1f}%",
            "interest": money(now.interest),
            "tax_rate": f"{100 * now.tax_rate:.1f}%",
            "ni": money(now.net_income),
            "ni_prior": _beside(now.net_income, prior.net_income, money),
            "shares": f"{now.shares:.1f}",
            "eps": per_share(now.eps),
            "eps_prior": _beside(now.eps, prior.eps, per_share),
            "adj": per_share(now.adjusted_eps),
            "adj_prior": _beside(now.adjusted_eps, prior.adjusted_eps, per_share),
            "ocf": money(now.operating_cash_flow),
            "capex": money(now.capex),
            "fcf": money(now.free_cash_flow),
            "net_debt": money(now.net_debt),
            "dps": per_share(now.dividend_per_share),
            "buyback": money(now.buybacks),
            "depreciation": money(now.depreciation),
        }

    def moved(self, percent: float) -> str:
        """Describe a change, with as many decimals as this call uses."""
        return spoken.moved(self.voice, percent, self.style.digits)

    def revenue_growth(self) -> str:
        """State how revenue compares with a year ago, without its value."""
        self.said.add("growth")
        banks = {"up": phrases.REVENUE_UP, "down": phrases.REVENUE_DOWN}
        return self.say(banks.get(direction(self.growth), phrases.REVENUE_FLAT))

    def segment(self, at: int) -> str:
        """State the revenue of a segment."""
        value, before = self.now.segments[at], self.prior.segments[at]
        name = self.company.segments[at]
        return self.say(
            phrases.SEGMENT,
            seg=f"{name} {self.company.sector.segment_noun}".strip(),
            seg_moved=self.moved(100 * (value / before - 1)),
            seg_value=self.money(value),
            seg_prior=self.money(before),
        )

    def kpi(self, at: int) -> str:
        """State a key indicator."""
        self.said.add(f"kpi{at}")
        self.kpi_said[at] = self._kpi_slots(at)
        return self.say(self.company.sector.kpis[at].said, **self.kpi_said[at])

    def _kpi_slots(self, at: int) -> dict[str, str]:
        """Return value, year-ago value and direction of an indicator, as spoken."""
        kpi = self.company.sector.kpis[at]
        value, before = self.now.kpis[at], self.prior.kpis[at]
        if kpi.model.kind == "growth":
            return {"moved": self.moved(value)}
        if kpi.model.kind == "money":
            v, p = self.money(value), self.money(before)
        else:
            v, p = (_count(x, kpi.form) for x in (value, before))
        return {"v": v, "p": p, "from": spoken.from_prior(self.voice, v, p, value > before)}


def _beside(now: float, prior: float, say: Callable[[float], str]) -> str:
    """Format a year-ago result next to the current one, with its sign in words if unclear."""
    if say(prior) == "$0.00":
        return "breakeven"
    if prior < 0:
        return f"a loss of {say(prior)}"
    return say(prior) if now >= 0 else f"a profit of {say(prior)}"


def _count(value: float, form: str) -> str:
    """Format a level; large counts are rounded as in speech."""
    if form == "{:,.0f}" and value >= 1e6:
        return f"{value / 1e6:.2f} million"
    if form == "{:,.0f}" and value >= 1e4:
        value = 100 * round(value / 100)
    return form.format(value)
