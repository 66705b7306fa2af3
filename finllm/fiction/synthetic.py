"""Write fictional earnings calls with reporters' bullets, all figures from consistent accounts.

They let the pipeline run if no real data may be downloaded: results on them are no evidence about
real calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from finllm.fiction import german_call, misfits
from finllm.fiction.accounts import N_HISTORY, Books, simulate
from finllm.fiction.bullets import report
from finllm.fiction.cast import Company, found_company
from finllm.fiction.industries import SECTORS
from finllm.fiction.questions import speak_questions
from finllm.fiction.remarks import speak_prepared
from finllm.fiction.script import Script
from finllm.records import Turn

LANGUAGES = ("en", "de")
MAX_CALLS_PER_COMPANY = 60  # fifteen years: over more, growth compounds into absurd figures


@dataclass(frozen=True)
class SampleCall:
    """A fictional call as stored in its file."""

    id: str  # "NRVL_q3_2021"
    company: str
    ticker: str
    period: str  # "2021Q3"
    sector: str
    turns: tuple[Turn, ...]
    summary: str | None  # bullets, one per line; None if there is nothing to report


def iter_calls(
    *,
    n_companies: int,
    n_calls: int,
    first_year: int,
    rng: np.random.Generator,
    n_short: int = 0,
    n_offtopic: int = 0,
    n_duplicates: int = 0,
    language: str = "en",
) -> Iterator[SampleCall]:
    """Yield calls company by company; only one company (and the names of all) is in memory.

    Every company reports consecutive quarters that begin in ``first_year``; companies are given the
    sectors in turn.

    Parameters
    ----------
    n_companies, n_calls : int
        Exact numbers; calls are spread over the companies as evenly as possible.
    first_year : int
        Of each company's first call.
    rng : numpy.random.Generator
        The only source of randomness: the same state gives the same bytes.
    n_short, n_offtopic, n_duplicates : int
        Records in addition to ``n_calls`` for filters to drop: calls cut off before a hundred
        words, talks to employees, and the second transmission of a call under another id.
    language : str
        The language of the calls, one of ``LANGUAGES``. Companies, accounts and the English
        summaries do not depend on it.

    Raises
    ------
    ValueError
        If the language is not one of these, a company would have no call or more than sixty, a
        number is negative, or duplicates outnumber calls.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language {language!r}; the calls can be in {', '.join(LANGUAGES)}")
    if not 1 <= n_companies <= n_calls <= MAX_CALLS_PER_COMPANY * n_companies:
        raise ValueError(
            f"n_calls={n_calls} for n_companies={n_companies}: needs at least one company and "
            f"1 to {MAX_CALLS_PER_COMPANY} calls per company"
        )
    if min(n_short, n_offtopic, n_duplicates) < 0 or n_duplicates > n_calls:
        raise ValueError(
            f"n_short={n_short}, n_offtopic={n_offtopic}, n_duplicates={n_duplicates}: must not be "
            f"negative, and duplicates not more than n_calls={n_calls}"
        )
    calls_of = _spread(n_calls, n_companies)
    short_of = _spread(n_short, n_companies)
    talks_of = _spread(n_offtopic, n_companies)
    copies_of = _spread(n_duplicates, n_companies)
    sector_order = rng.permutation(len(SECTORS))
    names: set[str] = set()  # used only for membership tests, never for its order
    for at in range(n_companies):
        sector = SECTORS[int(sector_order[at % len(SECTORS)])]
        company = found_company(sector, names, rng)
        written = list(_calls_of_company(company, calls_of[at], first_year, rng))
        calls = [call for call, _ in written]
        own = [misfits.retransmit(call.turns, rng) for call in calls[: copies_of[at]]]
        odd = list(_misfits(company, calls[-1].period, short_of[at], talks_of[at], rng))
        if language != "en":  # with separate generators, so that the accounts stay the same
            calls = [_in_german(call, script, rng) for call, script in written]
            own = [misfits.retransmit(c.turns, rng.spawn(1)[0]) for c in calls[: copies_of[at]]]
            odd = [_odd_in_german(record, company, rng) for record in odd]
        yield from calls
        for original, turns in zip(calls, own, strict=False):
            yield _record(company, original.period, turns, original.summary, suffix="_rev")
        yield from odd


def held_out(calls: Iterable[SampleCall], *, sectors: Sequence[str]) -> Iterator[SampleCall]:
    """Yield the regular calls of these sectors (all if empty), without misfits and copies."""
    for call in calls:
        wanted = not sectors or call.sector in sectors
        if wanted and call.summary and not call.id.endswith("_rev"):
            yield call


def _in_german(call: SampleCall, script: Script, rng: np.random.Generator) -> SampleCall:
    return replace(call, turns=german_call.speak(script, rng.spawn(1)[0]))


def _odd_in_german(record: SampleCall, company: Company, rng: np.random.Generator) -> SampleCall:
    (own,) = rng.spawn(1)
    if "_townhall" in record.id:
        return replace(record, turns=german_call.town_hall(company.ceo, own))
    return replace(record, turns=german_call.failed_recording(company.name, company.ir, own))


def _misfits(
    company: Company, last: str, n_short: int, n_talks: int, rng: np.random.Generator
) -> Iterator[SampleCall]:
    """Yield irregular records: failed recordings of the quarters after ``last``, and talks."""
    for _ in range(n_short):
        last = _period_after(last)
        yield _record(company, last, misfits.failed_recording(company, last, rng), None)
    for talk in range(n_talks):
        turns = misfits.town_hall(company, rng)
        yield _record(company, last, turns, None, suffix=f"_townhall{talk + 1}")


def _spread(total: int, n: int) -> list[int]:
    """Divide a total into n parts as evenly as possible, the larger parts first."""
    return [total // n + (at < total % n) for at in range(n)]


def _calls_of_company(
    company: Company, n_calls: int, first_year: int, rng: np.random.Generator
) -> Iterator[tuple[SampleCall, Script]]:
    offset = int(rng.integers(4))
    sector = company.sector
    books = simulate(
        sector.economics,
        tuple(kpi.model for kpi in sector.kpis),
        n_segments=len(company.segments),
        first_year=first_year,
        n_quarters=offset + n_calls,
        rng=rng,
    )
    for index in range(N_HISTORY + offset, N_HISTORY + offset + n_calls):
        yield _write_call(company, books, index, rng)


def _write_call(
    company: Company, books: Books, index: int, rng: np.random.Generator
) -> tuple[SampleCall, Script]:
    script = Script(company, books, index, rng)
    held_back = ""
    if rng.random() < 0.35:  # a fact that only the questions reveal
        facts = [f"kpi{at}" for at in range(len(company.sector.kpis))]
        if company.sector.name != "banking":
            facts.append("cash")
        held_back = facts[int(rng.integers(len(facts)))]
    speak_prepared(script, held_back)
    speak_questions(script, held_back)
    quarter = books.quarters[index]
    period = f"{quarter.year}Q{quarter.quarter}"
    return _record(company, period, tuple(script.turns), report(script)), script


def _record(
    company: Company,
    period: str,
    turns: Sequence[Turn],
    summary: str | None,
    suffix: str = "",
) -> SampleCall:
    year, quarter = period.split("Q")
    return SampleCall(
        id=f"{company.ticker}_q{quarter}_{year}{suffix}",
        company=company.name,
        ticker=company.ticker,
        period=period,
        sector=company.sector.name,
        turns=tuple(turns),
        summary=summary,
    )


def _period_after(period: str) -> str:
    year, quarter = (int(part) for part in period.split("Q"))
    return f"{year + quarter // 4}Q{quarter % 4 + 1}"
