"""Simulate the accounts of a fictional company: quarters that add up, and guidance on them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

N_HISTORY = 8  # quarters before the first year, for the year-ago quarter of a year-ago quarter


@dataclass(frozen=True)
class Economics:
    """Typical figures of a sector; margins and shares are fractions of revenue."""

    growth: float  # per year
    gross_margin: float
    operating_margin: float
    capex: float
    leverage: float  # net debt over annual revenue
    season: tuple[float, float, float, float]  # revenue of a quarter over the year's mean


@dataclass(frozen=True)
class KpiModel:
    """Model of a key indicator: with a level of its own, or tied to revenue.

    ``kind`` is "growth" (year-over-year growth of revenue less currency and expansion, percent),
    "ratio" (percent, a random walk around ``typical``), "money" (million dollars, ``typical`` times
    quarterly revenue), "count" (``typical`` units per million dollars of quarterly revenue) or
    "each" (dollars of revenue per unit of the indicator before it, times ``typical``).
    """

    kind: str
    typical: float
    spread: float


@dataclass(frozen=True)
class Quarter:
    """One quarter, or a year as the sum of its four; in million dollars unless stated otherwise."""

    year: int
    quarter: int  # 1 to 4; 0 for a full year
    segments: tuple[float, ...]  # revenue by segment
    cost_of_revenue: float
    operating_expenses: float  # without the one-off charge
    charge: float  # one-off, before tax
    interest: float  # net expense; negative if cash earns more than debt costs
    tax: float  # negative: a benefit
    shares: float  # diluted, million
    depreciation: float
    working_capital: float  # cash released; negative if it absorbed cash
    capex: float
    dividends: float
    buybacks: float
    net_debt: float  # at the end of the period
    dividend_per_share: float  # dollars
    currency: float  # effect of exchange rates on year-over-year growth, percentage points
    kpis: tuple[float, ...]

    @property
    def revenue(self) -> float:
        """Revenue of all segments."""
        return sum(self.segments)

    @property
    def gross_margin(self) -> float:
        """Gross profit divided by revenue, a fraction."""
        return 1 - self.cost_of_revenue / self.revenue

    @property
    def operating_income(self) -> float:
        """Operating income after the one-off charge."""
        return self.revenue - self.cost_of_revenue - self.operating_expenses - self.charge

    @property
    def net_income(self) -> float:
        """Net income after interest and tax."""
        return self.operating_income - self.interest - self.tax

    @property
    def eps(self) -> float:
        """Net income per diluted share, dollars."""
        return self.net_income / self.shares

    @property
    def tax_rate(self) -> float:
        """Tax divided by pretax income, a fraction."""
        return self.tax / (self.operating_income - self.interest)

    @property
    def adjusted_eps(self) -> float:
        """Earnings per share without the one-off charge and its tax effect, dollars."""
        return (self.net_income + self.charge * (1 - self.tax_rate)) / self.shares

    @property
    def operating_cash_flow(self) -> float:
        """Net income plus non-cash costs (depreciation, the charge) and working capital."""
        return self.net_income + self.depreciation + self.charge + self.working_capital

    @property
    def free_cash_flow(self) -> float:
        """Operating cash flow less capital expenditure."""
        return self.operating_cash_flow - self.capex


@dataclass(frozen=True)
class Range:
    """Guidance from low to high, rounded as it is spoken."""

    low: float
    high: float


@dataclass(frozen=True)
class YearView:
    """Full-year guidance; the status is initial, raised, lowered or affirmed."""

    year: int
    range: Range
    before: Range | None
    status: str


@dataclass(frozen=True)
class Books:
    """All quarters of a company in order, with the guidance given with each quarter's results."""

    quarters: tuple[Quarter, ...]
    next_revenue: tuple[Range, ...]  # of the next quarter, million dollars
    next_eps: tuple[Range, ...]  # of the next quarter, adjusted, dollars
    year_revenue: tuple[YearView, ...]
    year_eps: tuple[YearView, ...]

    def year_of(self, index: int) -> Quarter:
        """Add up the fiscal year that ends with the quarter at ``index``."""
        return add_up(self.quarters[index - 3 : index + 1])


def add_up(quarters: tuple[Quarter, ...]) -> Quarter:
    """Combine quarters into a year: sum flows, average shares, keep last debt and indicators."""
    last = quarters[-1]
    flow = {
        field.name: sum(vars(quarter)[field.name] for quarter in quarters)
        for field in fields(Quarter)
        if field.type == "float"
    }
    flow["shares"] /= len(quarters)
    flow["net_debt"], flow["currency"] = last.net_debt, last.currency
    segments = tuple(map(sum, zip(*(quarter.segments for quarter in quarters), strict=True)))
    return Quarter(year=last.year, quarter=0, segments=segments, kpis=last.kpis, **flow)


def simulate(
    economics: Economics,
    kpis: tuple[KpiModel, ...],
    *,
    n_segments: int,
    first_year: int,
    n_quarters: int,
    rng: np.random.Generator,
) -> Books:
    """Draw the accounts of one company from the start of ``first_year - 2``.

    Index ``N_HISTORY`` is the first quarter of ``first_year``. From it on there are at least
    ``n_quarters``, and after those at least one more full year, so that guidance can look ahead.
    """
    n = N_HISTORY + 4 * (-(-n_quarters // 4) + 1)
    trend, segments = _revenue(economics, n_segments, n, rng)
    revenue = segments.sum(axis=1)
    costs = _costs(economics, trend, revenue, rng)
    currency = rng.normal(0, 1.2, n)
    indicators = _indicators(kpis, trend, revenue, currency, rng)
    cash = _Cash(economics, trend, revenue, costs, rng)
    quarters = []
    for t in range(n):
        quarters.append(
            Quarter(
                year=first_year - 2 + t // 4,
                quarter=t % 4 + 1,
                segments=tuple(float(value) for value in segments[t]),
                cost_of_revenue=float(costs["cost"][t]),
                operating_expenses=float(costs["opex"][t]),
                charge=float(costs["charge"][t]),
                currency=float(currency[t]),
                kpis=tuple(float(value[t]) for value in indicators),
                **cash.settle(t),
            )
        )
    return _with_guidance(tuple(quarters), rng)


def _revenue(
    economics: Economics, n_segments: int, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the trend of revenue, shape (n,), and revenue by segment, shape (n, n_segments)."""
    start = np.exp(rng.uniform(np.log(70), np.log(4000)))
    growth = np.clip(rng.normal(economics.growth, 0.07), -0.12, 0.35)
    shocks = rng.normal(0, 0.018, n)
    shocks[1:] += 0.4 * shocks[:-1]
    common = np.clip(np.cumsum(growth / 4 + shocks), -1.0, 8.0)
    drift = rng.normal(0, 0.012, n_segments)
    own = np.cumsum(drift + rng.normal(0, 0.02, (n, n_segments)), axis=0)
    weights = np.sort(0.12 + rng.dirichlet(np.full(n_segments, 3.0)))[::-1]
    weights = weights * np.exp(np.clip(own, -0.7, 0.7))
    season = np.array([economics.season[t % 4] for t in range(n)])
    trend = start * np.exp(common)
    shares = weights / weights.sum(axis=1, keepdims=True)
    total = trend * season * np.exp(rng.normal(0, 0.012, n))
    return trend, total[:, None] * shares


def _costs(
    economics: Economics, trend: np.ndarray, revenue: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw cost of revenue, operating expenses and one-off charges, each of shape (n,)."""
    n = len(trend)
    gross = np.clip(rng.normal(economics.gross_margin, 0.04), 0.12, 0.9)
    operating = rng.normal(economics.operating_margin, 0.035)
    if rng.random() < 0.24:  # a company in trouble, or not yet profitable
        operating = -rng.uniform(-0.01, 0.16)
    margin = np.clip(gross + np.cumsum(rng.normal(0, 0.006, n)), 0.08, 0.93)
    efficiency = np.exp(rng.normal(0, 0.03, n))
    charge = (rng.random(n) < 0.28) * trend * rng.uniform(0.01, 0.06, n)
    charge = charge * np.where(rng.random(n) < 0.12, 4.0, 1.0)  # now and then an impairment
    return {
        "cost": revenue * (1 - margin),
        "opex": (0.55 * trend + 0.45 * revenue) * (gross - operating) * efficiency,
        "charge": charge,
    }


def _indicators(
    kpis: tuple[KpiModel, ...],
    trend: np.ndarray,
    revenue: np.ndarray,
    currency: np.ndarray,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Draw one series of shape (n,) per indicator; see KpiModel."""
    n = len(trend)
    expansion = rng.uniform(0, 2.5)
    series: list[np.ndarray] = []
    for kpi in kpis:
        walk = np.clip(np.cumsum(rng.normal(0, kpi.spread, n)), -8 * kpi.spread, 8 * kpi.spread)
        if kpi.kind == "growth":
            yoy = np.zeros(n)
            yoy[4:] = 100 * (revenue[4:] / revenue[:-4] - 1)
            series.append(yoy - currency - expansion)
        elif kpi.kind == "ratio":
            series.append(kpi.typical + walk)
        elif kpi.kind in ("money", "count"):
            own = trend[0] * (trend / trend[0]) ** (1.0 if kpi.kind == "money" else 0.6)
            series.append(kpi.typical * rng.uniform(0.85, 1.15) * own * np.exp(walk))
        elif kpi.kind == "each":
            series.append(kpi.typical * revenue / series[-1])
        else:
            raise ValueError(f"kpi kind {kpi.kind!r}: must be growth, ratio, money, count or each")
    return series


class _Cash:
    """The state carried from one quarter to the next: debt, shares, dividends, buybacks."""

    def __init__(
        self,
        economics: Economics,
        trend: np.ndarray,
        revenue: np.ndarray,
        costs: dict[str, np.ndarray],
        rng: np.random.Generator,
    ):
        self.rng, self.trend, self.revenue = rng, trend, revenue
        self.costs, self.economics = costs, economics
        self.net_debt = float(4 * trend[0] * (economics.leverage + rng.normal(0, 0.15)))
        self.price = rng.uniform(14, 130)
        self.shares = float(4 * trend[0] * rng.uniform(1.2, 3.0) / self.price)
        self.rate = rng.uniform(0.035, 0.065)
        self.tax_rate = rng.uniform(0.19, 0.27)
        expected = economics.operating_margin * 0.75 * trend[0] / self.shares
        first_year = sum(self.costs[name][:4].sum() for name in ("cost", "opex", "charge"))
        pays = rng.random() < 0.7 and first_year < 0.96 * self.revenue[:4].sum()
        self.dividend = round(0.35 * expected, 2) if pays and expected > 0.1 else 0.0
        self.buys = rng.random() < 0.55

    def settle(self, t: int) -> dict[str, float]:
        """Compute interest, tax, cash and capital of quarter ``t``; call it in order of ``t``."""
        rng, trend = self.rng, float(self.trend[t])
        operating = float(self.revenue[t]) - sum(
            float(self.costs[name][t]) for name in ("cost", "opex", "charge")
        )
        interest = self.net_debt * self.rate / 4
        tax = (operating - interest) * (self.tax_rate + rng.normal(0, 0.012))
        depreciation = trend * (0.02 + 0.7 * self.economics.capex)
        working_capital = trend * rng.normal(0, 0.02)
        capex = trend * self.economics.capex * rng.uniform(0.75, 1.3)
        if t % 4 == 0 and self.dividend:
            self.dividend = round(self.dividend + max(0.01, 0.06 * self.dividend), 2)
        buybacks = trend * rng.uniform(0.01, 0.05) if self.buys and operating > interest else 0.0
        self.shares -= buybacks / self.price
        net_income = operating - interest - tax
        inflow = net_income + depreciation + float(self.costs["charge"][t]) + working_capital
        dividends = self.dividend * self.shares
        self.net_debt += capex + dividends + buybacks - inflow
        return {
            "interest": interest,
            "tax": tax,
            "shares": self.shares,
            "depreciation": depreciation,
            "working_capital": working_capital,
            "capex": capex,
            "dividends": dividends,
            "buybacks": buybacks,
            "net_debt": self.net_debt,
            "dividend_per_share": self.dividend,
        }


def _with_guidance(quarters: tuple[Quarter, ...], rng: np.random.Generator) -> Books:
    """Add guidance that predicts later quarters with an error; index t is that given in t."""
    revenue = [quarter.revenue for quarter in quarters]
    eps = [quarter.adjusted_eps for quarter in quarters]
    next_revenue, next_eps, year_revenue, year_eps = [], [], [], []
    for t, quarter in enumerate(quarters[:-4]):
        ahead = revenue[t + 1] * (1 + rng.normal(-0.004, 0.012))
        width = ahead * rng.uniform(0.008, 0.02)
        next_revenue.append(_round_range(ahead, width, _money_step(ahead)))
        next_eps.append(_round_range(eps[t + 1] - 0.01 + rng.normal(0, 0.02), 0.025, 0.01))
        start = t + 1 if quarter.quarter == 4 else t - t % 4  # first quarter of the year guided on
        known, left = slice(start, t + 1), slice(max(start, t + 1), start + 4)
        noise = 1 + rng.normal(-0.005, 0.015)
        view = sum(revenue[known]) + sum(revenue[left]) * noise
        width = view * (0.005 + 0.004 * (start + 3 - t))
        before = year_revenue[-1] if year_revenue else None
        year = quarters[start].year
        step = _money_step(view)
        year_revenue.append(_year_view(before, year, _round_range(view, width, step), step))
        view = sum(eps[known]) + sum(eps[left]) + rng.normal(-0.01, 0.015) * (start + 4 - t)
        step = 0.05 if abs(view) >= 2 else 0.01
        width = 0.02 + 0.03 * abs(view)
        before = year_eps[-1] if year_eps else None
        year_eps.append(_year_view(before, year, _round_range(view, width, step), step))
    return Books(
        quarters, tuple(next_revenue), tuple(next_eps), tuple(year_revenue), tuple(year_eps)
    )


def _money_step(value: float) -> float:
    """Return a round step of up to one percent of ``value``: 1 for 452, 10 for 1,820."""
    return 10.0 ** np.floor(np.log10(value)) / 100


def _round_range(middle: float, half_width: float, step: float) -> Range:
    """Round the range about ``middle`` to multiples of ``step``; it is never empty."""
    low = round((middle - half_width) / step)
    high = max(low + 1, round((middle + half_width) / step))
    return Range(round(float(low * step), 4), round(float(high * step), 4))


def _year_view(before: YearView | None, year: int, new: Range, step: float) -> YearView:
    """Keep the earlier range if the middle hardly moved; else replace it and record how."""
    if before is None or before.year != year:
        return YearView(year, new, None, "initial")
    old = before.range
    moved = (new.low + new.high - old.low - old.high) / 2
    if abs(moved) <= max(step, 0.35 * (old.high - old.low)):
        return YearView(year, old, old, "affirmed")
    return YearView(year, new, old, "raised" if moved > 0 else "lowered")
