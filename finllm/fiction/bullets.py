"""Write a reporter's bullets on a call, only from facts and figures that were spoken."""

from __future__ import annotations

from finllm.fiction import spoken
from finllm.fiction.accounts import Range
from finllm.fiction.script import Script
from finllm.fiction.spoken import bank, direction

RISE = ("rose", "increased", "grew")
FALL = ("fell", "declined", "decreased")
MAX_BULLETS = 6

REVENUE_MOVED = bank("""
    * [{q}|qtrly] {sales} {verb} {pct} to {rev}
    * {q} {sales} {rev}, {side} {pct}
    * {sales} {side} {pct} at {rev} in {quarter}
    """)
REVENUE_STILL = bank("""
    * {q} {sales} [little changed|about flat] at {rev}
    * [qtrly|{q}] {sales} {rev}, [flat|nearly unchanged] from year earlier
    """)
EPS = bank("""
    * [{q}|qtrly] {kind} {profit} per share {eps}
    * [reports|posts|compname reports] {q} {kind} {profit} per share of {eps}
    """)
BREAKEVEN = bank("* [{q}|qtrly] {kind} results break even per share")
NET = bank("* [{q}|qtrly] net {gain} {ni}")
CHARGE = bank("* [takes|records|books] {charge} {charge_kind} in {quarter}")
GROSS = bank("* {q} gross margin {gm}")
GROSS_MOVED = bank("""
    * {q} gross margin {side} {bps} to {gm}
    * gross margin {widened} {bps} to {gm} in {quarter}
    """)
FREE_CASH = bank("* [{q}|qtrly] free cash [flow|outflow] {fcf}")
DIVIDEND = bank("* [declares|sets] quarterly dividend of {dps} per share")
BUYBACK = bank("* [repurchased|bought back] {buyback} of [shares|stock] in {quarter}")
OPERATING = bank("* {q} operating {gain} {op}")
NEXT_REVENUE = bank("""
    * sees {next} {sales} {range}
    * [expects|forecasts] {next} {sales} [of|at] {range}
    """)
NEXT_EPS = bank("* sees {next} adjusted {profit} {range}")
YEAR_REVENUE = bank("""
    * {view} fy {guide_year} {sales} {range}
    * {view} {guide_year} {sales} [of|at] {range}
    """)
YEAR_REVENUE_CHANGED = bank("""
    * {view} fy {guide_year} {sales} [outlook|forecast|view] to {range}
    * {view} fy {guide_year} {sales} [outlook|guidance] to {range} from {before}
    """)
YEAR_EPS = bank("* sees fy {guide_year} adjusted {profit} {range}")
FULL_YEAR = bank("* fy {year} {sales} {fy_rev}")
FULL_YEAR_EPS = bank("* fy {year} {sales} {fy_rev}; {profit} per share {fy_eps}")


def report(script: Script) -> str:
    """Write three to six bullets, one per line, in lower case, without full stops."""
    voice = script.voice
    per_cent = " percent" if voice.chance(0.7) else "%"
    lead = _earnings(script) + [_revenue(script)]
    guidance, rest = _guidance(script), _details(script)
    lead = [lead[at] for at in script.rng.permutation(len(lead))]
    if voice.chance(0.5):  # reporters like to include the outlook
        lead += guidance[-2:]
    else:
        rest += guidance
    rest = [rest[at] for at in script.rng.permutation(len(rest))]
    room = int(voice.chance(0.8)) if len(lead) > 3 else 1 + int(script.rng.integers(3))
    bullets = [*lead, *rest[: max(room, 3 - len(lead))]][:MAX_BULLETS]
    return "\n".join(bullet.replace("%", per_cent).lower() for bullet in bullets)


def _say(script: Script, patterns: tuple[str, ...], **slots: str) -> str:
    names = {
        **script.slots,
        "sales": script.company.sector.revenue_short,
        "quarter": script.voice.draw((str(script.slots["q"]), "quarter")),
        **slots,
    }
    return script.voice.fill(script.voice.draw(patterns), names)


def _revenue(script: Script) -> str:
    kind = direction(script.growth)
    if kind == "flat":
        return _say(script, REVENUE_STILL)
    verb = script.voice.draw(RISE if kind == "up" else FALL)
    return _say(script, REVENUE_MOVED, verb=verb, side=kind)


def _earnings(script: Script) -> list[str]:
    now, voice = script.now, script.voice
    kinds = [("adjusted", now.adjusted_eps)] if "adjusted" in script.said else []
    if not kinds or voice.chance(0.5):
        kinds.append(("gaap" if kinds else "", now.eps))
    bullets = []
    for kind, dollars in kinds:
        patterns = EPS if round(abs(dollars) * 100) else BREAKEVEN
        profit = "loss" if dollars < 0 else "earnings"
        eps = spoken.per_share(dollars, False)
        bullets.append(_say(script, patterns, kind=kind, profit=profit, eps=eps))
    return bullets


def _guidance(script: Script) -> list[str]:
    said, books, at = script.said, script.books, script.index
    next_quarter = f"Q{script.now.quarter % 4 + 1}"
    bullets = []
    if "next_revenue" in said:
        span = books.next_revenue[at]
        text = spoken.money_range(span.low, span.high, False)
        bullets.append(_say(script, NEXT_REVENUE, next=next_quarter, range=text))
    if "next_eps" in said:
        span = books.next_eps[at]
        words = {"profit": _outcome(span), "range": _per_share(span)}
        bullets.append(_say(script, NEXT_EPS, next=next_quarter, **words))
    if "year_revenue" in said:
        view = books.year_revenue[at]
        text = spoken.money_range(view.range.low, view.range.high, False)
        verbs = {
            "raised": ("raises", "lifts"),
            "lowered": ("cuts", "lowers"),
            "initial": ("sees", "expects"),
            "affirmed": ("still sees", "maintains", "reaffirms"),
        }
        changed = view.status in ("raised", "lowered")
        before = str(script.slots.get("year_rev_before", "")) if "year_before" in said else ""
        patterns = YEAR_REVENUE_CHANGED if changed else YEAR_REVENUE
        if not before:
            patterns = patterns[:1]
        verb = script.voice.draw(verbs[view.status])
        bullets.append(_say(script, patterns, view=verb, range=text, before=before))
    if "year_eps" in said:
        span = books.year_eps[at].range
        words = {"profit": _outcome(span), "range": _per_share(span)}
        bullets.append(_say(script, YEAR_EPS, **words))
    return bullets


def _outcome(span: Range) -> str:
    if span.low < 0 < span.high:
        return "per-share result"
    return "loss per share" if span.high <= 0 else "earnings per share"


def _per_share(span: Range) -> str:
    text = spoken.per_share_range(span.low, span.high, False)
    return text.removeprefix("a loss of ") if span.high <= 0 else text


def _details(script: Script) -> list[str]:
    said, now = script.said, script.now
    bullets = []
    for at, kpi in enumerate(script.company.sector.kpis):
        if f"kpi{at}" in said:
            bullets.append(_say(script, (kpi.bullet,), **script.kpi_said[at]))
    if "gross_change" in said and abs(script.points) >= 6:
        up = script.points > 0
        words = ("up", "widened") if up else ("down", "narrowed")
        bullets.append(_say(script, GROSS_MOVED, side=words[0], widened=words[1]))
    elif "gross" in said:
        bullets.append(_say(script, GROSS))
    if "cash" in said:
        negative = now.free_cash_flow < 0
        pattern = FREE_CASH[0].replace("[flow|outflow]", "outflow" if negative else "flow")
        bullets.append(_say(script, (pattern,)))
    if "operating" in said:
        gain = "loss" if now.operating_income < 0 else "income"
        bullets.append(_say(script, OPERATING, gain=gain))
    for fact, patterns in (("charge", CHARGE), ("dividend", DIVIDEND), ("buyback", BUYBACK)):
        if fact in said:
            bullets.append(_say(script, patterns))
    bullets.append(_say(script, NET, gain="loss" if now.net_income < 0 else "income"))
    if "year" in said:
        eps = script.books.year_of(script.index).eps
        patterns = FULL_YEAR_EPS if round(abs(eps) * 100) else FULL_YEAR
        bullets.append(_say(script, patterns, profit="loss" if eps < 0 else "earnings"))
    return bullets
