"""Write the prepared remarks of a call: who says which facts, in which order."""

from __future__ import annotations

from finllm.fiction import dialogue, openings, phrases, spoken
from finllm.fiction.script import Script
from finllm.fiction.spoken import direction


def speak_prepared(script: Script, held_back: str) -> None:
    """Add the turns from the welcome to the outlook; ``held_back`` is left for the questions."""
    company, say = script.company, script.say
    script.turn("Operator", "operator", "prepared", [say(openings.WELCOME)])
    notice = [say(openings.IR_OPENING), say(openings.WARNING), say(openings.WARNING_SOURCE)]
    if script.voice.chance(0.7):
        notice.append(say(openings.NON_GAAP))
    notice.append(say(openings.TO_CEO))
    script.turn(company.ir, "executive", "prepared", notice)
    growth_by_ceo = script.voice.chance(0.6)
    script.turn(company.ceo, "executive", "prepared", _ceo(script, growth_by_ceo))
    script.turn(company.cfo, "executive", "prepared", _cfo(script, growth_by_ceo, held_back))


def _ceo(script: Script, with_growth: bool) -> list[str]:
    say, voice, now = script.say, script.voice, script.now
    if now.net_income < 0:
        opening = openings.CEO_OPENING_BAD
    elif script.growth > 2 and now.eps > script.prior.eps:
        opening = openings.CEO_OPENING_GOOD
    else:
        opening = openings.CEO_OPENING_MIXED
    n_themes, n_plans = 3 + int(script.rng.integers(3)), 3 + int(script.rng.integers(4))
    body = [say(script.company.sector.themes) for _ in range(n_themes)]
    body += [say(dialogue.STRATEGY) for _ in range(n_plans)]
    body = [body[at] for at in script.rng.permutation(len(body))]
    if with_growth:
        body.insert(int(script.rng.integers(len(body) + 1)), script.revenue_growth())
    risks = [say(dialogue.RISKS) for _ in range(1 + int(voice.chance(0.5)))]
    return [say(opening), *body, *risks, say(openings.TO_CFO)]


def _cfo(script: Script, growth_said: bool, held_back: str) -> list[str]:
    blocks = [_segments(script), _kpis(script, held_back), _profit(script)]
    blocks = [blocks[at] for at in script.rng.permutation(len(blocks))]
    sentences = [script.say(openings.CFO_OPENING), *_top_line(script, growth_said)]
    for block in blocks:
        sentences += block
    if script.company.sector.name != "banking" and held_back != "cash":
        sentences += cash_flow(script)
    sentences += _capital(script)
    if script.now.quarter == 4:
        sentences += _full_year(script)
    return [*sentences, *_outlook(script), script.say(dialogue.TO_QUESTIONS)]


def _top_line(script: Script, growth_said: bool) -> list[str]:
    say, chance, now = script.say, script.voice.chance, script.now
    script.said.add("revenue")
    sentences = [say(phrases.REVENUE_VALUE)]
    if chance(0.5):
        script.said.add("revenue_prior")
        sentences.append(say(phrases.REVENUE_PRIOR))
    guide = script.books.next_revenue[script.index - 1]
    if chance(0.45):
        if now.revenue > guide.high:
            sentences.append(say(phrases.VERSUS_GUIDE_ABOVE))
        elif now.revenue < guide.low:
            sentences.append(say(phrases.VERSUS_GUIDE_BELOW))
        else:
            sentences.append(say(phrases.VERSUS_GUIDE_WITHIN))
    if not growth_said:
        sentences.append(script.revenue_growth())
    if chance(0.4) and script.company.sector.name != "banking":
        sentences.append(say(phrases.REVENUE_CONSTANT))
    return sentences


def _segments(script: Script) -> list[str]:
    order = script.rng.permutation(len(script.company.segments))
    n_said = max(2, len(order) - int(script.voice.chance(0.4)))
    return [script.segment(int(at)) for at in order[:n_said]]


def _kpis(script: Script, held_back: str) -> list[str]:
    order = script.rng.permutation(len(script.company.sector.kpis))
    return [script.kpi(int(at)) for at in order if held_back != f"kpi{at}"]


def _profit(script: Script) -> list[str]:
    say, chance, now, said = script.say, script.voice.chance, script.now, script.said
    sentences = []
    if script.company.sector.name != "banking":
        said.add("gross")
        sentences.append(say(phrases.GROSS_LEVEL))
        if chance(0.75):
            said.add("gross_change")
            kind = direction(script.points, flat=6)
            banks = {"up": phrases.GROSS_UP, "down": phrases.GROSS_DOWN}
            sentences.append(say(banks.get(kind, phrases.GROSS_FLAT)))
    if chance(0.7):
        sentences.append(say(phrases.OPEX))
    if now.charge:
        said.add("charge")
        sentences.append(say(phrases.CHARGE))
    if chance(0.8):
        said.add("operating")
        loss = now.operating_income < 0
        sentences.append(say(phrases.OPERATING_LOSS if loss else phrases.OPERATING_PROFIT))
    if chance(0.5):
        plain = now.interest < 0.05 * abs(now.operating_income) or now.tax < 0
        sentences.append(say(phrases.TAX if plain else phrases.INTEREST))
    said.add("net")
    sentences.append(say(phrases.NET_LOSS if now.net_income < 0 else phrases.NET_PROFIT))
    said.add("eps")
    sentences.append(_by_sign(script, now.eps, "EPS"))
    if now.charge and round(abs(now.adjusted_eps), 2) > 0:
        said.add("adjusted")
        loss = now.adjusted_eps < 0
        sentences.append(say(phrases.ADJUSTED_LOSS if loss else phrases.ADJUSTED_PROFIT))
    return sentences


def _by_sign(script: Script, dollars: float, name: str) -> str:
    """State earnings per share, of the quarter or the year, as a profit, a loss or breakeven."""
    banks = {
        "EPS": (phrases.EPS_PROFIT, phrases.EPS_LOSS, phrases.EPS_BREAKEVEN),
        "YEAR": (phrases.YEAR_EPS_PROFIT, phrases.YEAR_EPS_LOSS, phrases.YEAR_EPS_BREAKEVEN),
    }
    profit, loss, breakeven = banks[name]
    if round(abs(dollars) * 100) == 0:
        return script.say(breakeven)
    return script.say(loss if dollars < 0 else profit)


def cash_flow(script: Script) -> list[str]:
    """State operating cash flow, capital spending and free cash flow."""
    now, say = script.now, script.say
    script.said.add("cash")
    burn = now.operating_cash_flow < 0
    free_burn = now.free_cash_flow < 0
    return [
        say(phrases.CASH_BURN if burn else phrases.CASH),
        say(phrases.FREE_CASH_BURN if free_burn else phrases.FREE_CASH),
    ]


def _capital(script: Script) -> list[str]:
    say, chance, now = script.say, script.voice.chance, script.now
    sentences = []
    if script.company.sector.name != "banking" and chance(0.8):
        sentences.append(say(phrases.NET_DEBT if now.net_debt > 0 else phrases.NET_CASH))
    if now.dividend_per_share and chance(0.8):
        script.said.add("dividend")
        sentences.append(say(phrases.DIVIDEND))
    if now.buybacks > 0.2 and chance(0.85):
        script.said.add("buyback")
        sentences.append(say(phrases.BUYBACK))
    return sentences


def _full_year(script: Script) -> list[str]:
    year, before = (script.books.year_of(at) for at in (script.index, script.index - 4))
    script.said.add("year")
    script.slots |= {
        "fy_rev": script.money(year.revenue),
        "fy_moved": script.moved(100 * (year.revenue / before.revenue - 1)),
        "fy_eps": spoken.per_share(year.eps, script.style.in_cents),
    }
    sentences = [script.say(phrases.YEAR_REVENUE), script.say(phrases.YEAR_GROWTH)]
    return [*sentences, _by_sign(script, year.eps, "YEAR")]


def _outlook(script: Script) -> list[str]:
    say, chance, books, at = script.say, script.voice.chance, script.books, script.index
    sentences = [say(dialogue.TO_OUTLOOK)]
    if chance(0.1):
        return [*sentences, say(dialogue.NO_GUIDE)]
    between, cents = script.style.between, script.style.in_cents
    view, eps_view = books.year_revenue[at], books.year_eps[at]
    nearby, nearby_eps = books.next_revenue[at], books.next_eps[at]
    script.slots |= {
        "guide_year": str(view.year),
        "next_rev": spoken.money_range(nearby.low, nearby.high, between),
        "next_eps": spoken.per_share_range(nearby_eps.low, nearby_eps.high, cents),
        "year_rev": spoken.money_range(view.range.low, view.range.high, between),
        "year_eps": spoken.per_share_range(eps_view.range.low, eps_view.range.high, cents),
    }
    if view.before:
        before = spoken.money_range(view.before.low, view.before.high, False)
        script.slots["year_rev_before"] = before
    # In the third quarter the two ranges would be one and the same statement.
    for_year = chance(0.75)
    for_next = not for_year or (script.now.quarter != 3 and chance(0.5))
    if for_next:
        script.said.add("next_revenue")
        sentences.append(say(dialogue.GUIDE_NEXT_REVENUE))
        if chance(0.6):
            script.said.add("next_eps")
            sentences.append(say(dialogue.GUIDE_NEXT_EPS))
    if for_year:
        script.said.add("year_revenue")
        banks = {
            "initial": dialogue.GUIDE_YEAR_INITIAL,
            "raised": dialogue.GUIDE_YEAR_RAISED,
            "lowered": dialogue.GUIDE_YEAR_LOWERED,
            "affirmed": dialogue.GUIDE_YEAR_AFFIRMED,
        }
        sentences.append(say(banks[view.status]))
        if view.before and script.slots["year_rev_before"] in sentences[-1]:
            script.said.add("year_before")
        if chance(0.65):
            script.said.add("year_eps")
            sentences.append(say(dialogue.GUIDE_YEAR_EPS))
    return [*sentences, say(dialogue.GUIDE_ASSUMES)]
