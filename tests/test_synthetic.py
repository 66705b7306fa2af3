import dataclasses
import json
import re
from collections import Counter
from decimal import Decimal

import numpy as np
import pytest

from finllm.fiction.accounts import N_HISTORY, KpiModel, add_up, simulate
from finllm.fiction.industries import SECTORS
from finllm.fiction.spoken import Voice, contract, tidy
from finllm.fiction.synthetic import iter_calls
from finllm.records import to_json

FIGURE = re.compile(
    r"(?P<dollar>\$)?(?P<digits>\d[\d,]*(?:\.\d+)?)(?P<unit> (?:billion|million|cents|basis points"
    r"|percent)|%)?"
)
SCALE = {"billion": 10**9, "million": 10**6, "cents": Decimal("0.01"), "basis points": 1}


def write(seed=7, n_companies=40, n_calls=150, **extra):
    rng = np.random.default_rng(seed)
    return list(
        iter_calls(n_companies=n_companies, n_calls=n_calls, first_year=2019, rng=rng, **extra)
    )


@pytest.fixture(scope="module")
def calls():
    return write()


def text_of(call):
    return "\n".join(turn.text for turn in call.turns)


def sentences_of(call):
    return [s for turn in call.turns for s in re.split(r"(?<=[.?!]) (?=[A-Z])", turn.text)]


def figures(text):
    """(value, half a unit in the last place, kind) of each figure; kind is money, percent, ..."""
    text = re.sub(r"\b(?:q[1-4]|(?:fy )?20[1-4]\d)\b", " ", text, flags=re.IGNORECASE)
    for match in FIGURE.finditer(text):
        digits, unit = match["digits"].rstrip(",").replace(",", ""), (match["unit"] or "").strip()
        scale = SCALE.get(unit, 1)
        decimals = len(digits.partition(".")[2])
        kind = "percent" if unit in ("%", "percent") else "points" if unit == "basis points" else ""
        kind = "money" if match["dollar"] or unit == "cents" else kind
        yield Decimal(digits) * scale, Decimal(5) / 10 ** (decimals + 1) * scale, kind


def supported(figure, spoken):
    value, slack, kind = figure
    return any(kind == other and abs(value - said) <= slack for said, _, other in spoken)


def test_the_same_seed_gives_the_same_bytes():
    one, two = (write(seed=3, n_companies=9, n_calls=30, n_duplicates=2) for _ in range(2))
    assert [to_json(call) for call in one] == [to_json(call) for call in two]


def test_another_seed_gives_other_calls():
    one, two = write(seed=3, n_companies=9, n_calls=9), write(seed=4, n_companies=9, n_calls=9)
    assert not {call.company for call in one} & {call.company for call in two}


def test_only_the_given_generator_is_drawn_from():
    np.random.seed(0)  # noqa: NPY002 - the global state is what must stay untouched
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    write(n_companies=3, n_calls=6)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_counts_of_calls_companies_and_sectors_are_exact(calls):
    assert len(calls) == len({call.id for call in calls}) == 150
    sector_of = {call.company: call.sector for call in calls}
    assert len(sector_of) == len({call.ticker for call in calls}) == 40
    assert Counter(sector_of.values()) == {sector.name: 5 for sector in SECTORS}
    assert set(Counter(call.company for call in calls).values()) == {3, 4}


def test_a_call_is_one_json_object_with_the_documented_keys(calls):
    row = json.loads(to_json(calls[0]))
    assert list(row) == ["id", "company", "ticker", "period", "sector", "turns", "summary"]
    assert list(row["turns"][0]) == ["speaker", "role", "section", "text"]
    assert re.fullmatch(r"[A-Z]{4,5}_q[1-4]_\d{4}", row["id"])
    assert row["id"].startswith(row["ticker"] + "_q" + row["period"][-1])


def test_a_company_reports_consecutive_quarters_from_the_first_year():
    for call_list in by_company(write(n_companies=5, n_calls=40)).values():
        at = [4 * int(call.period[:4]) + int(call.period[-1]) - 1 for call in call_list]
        assert at == list(range(at[0], at[0] + 8))
        assert at[0] // 4 == 2019


def by_company(call_list):
    companies = {}
    for call in call_list:
        companies.setdefault(call.company, []).append(call)
    return companies


def all_books(seed=11, n=40):
    rng = np.random.default_rng(seed)
    for at in range(n):
        sector = SECTORS[at % len(SECTORS)]
        kpis = tuple(kpi.model for kpi in sector.kpis)
        yield (
            sector,
            simulate(sector.economics, kpis, n_segments=3, first_year=2020, n_quarters=6, rng=rng),
        )


def test_the_income_statement_adds_up():
    for _, books in all_books():
        for q in books.quarters:
            pretax = (
                sum(q.segments) - q.cost_of_revenue - q.operating_expenses - q.charge - q.interest
            )
            assert q.net_income == pytest.approx(pretax - q.tax)
            assert q.eps * q.shares == pytest.approx(q.net_income)
            assert min(q.segments) > 0 and q.cost_of_revenue > 0 and q.shares > 0
            if not q.charge:
                assert q.adjusted_eps == q.eps


def test_net_debt_moves_by_what_was_not_paid_from_free_cash_flow():
    for _, books in all_books():
        for before, q in zip(books.quarters, books.quarters[1:], strict=False):
            paid_out = q.dividends + q.buybacks
            assert q.net_debt - before.net_debt == pytest.approx(paid_out - q.free_cash_flow)
            assert q.dividends == pytest.approx(q.dividend_per_share * q.shares)


def test_a_year_is_the_sum_of_its_quarters():
    for _, books in all_books():
        year = books.year_of(N_HISTORY + 3)
        quarters = books.quarters[N_HISTORY : N_HISTORY + 4]
        assert {q.year for q in quarters} == {year.year} and year.quarter == 0
        assert year.revenue == pytest.approx(sum(q.revenue for q in quarters))
        assert year.net_income == pytest.approx(sum(q.net_income for q in quarters))
        assert year.net_debt == quarters[-1].net_debt
        assert add_up(quarters) == year


def test_guidance_foresees_what_follows_within_a_few_percent():
    errors, hits = [], []
    for _, books in all_books():
        for t in range(N_HISTORY, len(books.next_revenue) - 1):
            span, actual = books.next_revenue[t], books.quarters[t + 1].revenue
            errors.append(abs((span.low + span.high) / 2 / actual - 1))
            hits.append(span.low <= actual <= span.high)
    assert max(errors) < 0.08
    assert 0.4 < np.mean(hits) < 0.95


def test_full_year_guidance_is_kept_raised_or_lowered_as_its_status_says():
    seen = Counter()
    for _, books in all_books():
        for view in books.year_revenue:
            seen[view.status] += 1
            if view.status == "affirmed":
                assert view.range == view.before
            elif view.status != "initial":
                sign = 1 if view.status == "raised" else -1
                assert sign * (view.range.low + view.range.high) > sign * (
                    view.before.low + view.before.high
                )
    assert min(seen[status] for status in ("initial", "raised", "lowered", "affirmed")) > 10


def test_an_unknown_kind_of_indicator_is_an_error():
    with pytest.raises(ValueError, match="kpi kind 'median'"):
        simulate(
            SECTORS[0].economics,
            (KpiModel("median", 1, 1),),
            n_segments=2,
            first_year=2020,
            n_quarters=1,
            rng=np.random.default_rng(0),
        )


def test_stated_growth_is_the_growth_of_the_companys_own_year_ago_call():
    checked = 0
    for call_list in by_company(write(seed=5, n_companies=16, n_calls=160)).values():
        said = {call.period: revenue_bullet(call) for call in call_list}
        for call in call_list:
            growth, now = said[call.period]
            year_ago = f"{int(call.period[:4]) - 1}{call.period[4:]}"
            before = said.get(year_ago, (None, None))[1]
            if growth is None or now is None or before is None:
                continue
            low = 100 * ((now[0] - now[1]) / (before[0] + before[1]) - 1)
            high = 100 * ((now[0] + now[1]) / (before[0] - before[1]) - 1)
            assert low - growth[1] <= growth[0] <= high + growth[1], call.id
            checked += 1
    assert checked > 60


def revenue_bullet(call):
    """(growth, value) of the revenue bullet, each with its slack; None where not stated."""
    pattern = r"(rose|increased|grew|up|fell|declined|decreased|down)\b"
    for bullet in call.summary.split("\n"):
        is_revenue = re.match(r"(q\d |qtrly )?(service )?(sales|revenue)\b", bullet)
        amounts = [figure for figure in figures(bullet) if figure[2] == "money"]
        if not is_revenue or len(amounts) != 1:
            continue
        percent = [figure for figure in figures(bullet) if figure[2] == "percent"]
        if not percent:
            return None, amounts[0][:2]
        fell = re.search(pattern, bullet)[1] in ("fell", "declined", "decreased", "down")
        return ((-1 if fell else 1) * percent[0][0], percent[0][1]), amounts[0][:2]
    return None, None


def test_every_figure_of_a_summary_was_spoken_in_its_call(calls):
    for call in calls:
        spoken = list(figures(text_of(call)))
        for bullet in call.summary.split("\n"):
            for figure in figures(bullet):
                assert supported(figure, spoken), (call.id, bullet, figure)


def test_most_summaries_have_three_to_six_short_lower_case_bullets(calls):
    for call in calls:
        bullets = call.summary.split("\n")
        assert 3 <= len(bullets) <= 6 and len(set(bullets)) == len(bullets)
        assert call.summary == call.summary.lower()
        assert max(len(bullet.split()) for bullet in bullets) <= 20


def test_no_sentence_of_a_call_holds_a_bullet_or_all_figures_of_its_summary(calls):
    alone = []
    for call in calls:
        sentences = [sentence.lower() for sentence in sentences_of(call)]
        wanted = [figure for bullet in call.summary.split("\n") for figure in figures(bullet)]
        for sentence in sentences:
            assert not any(bullet in sentence for bullet in call.summary.split("\n"))
            assert not all(supported(figure, list(figures(sentence))) for figure in wanted)
        growth, value = revenue_bullet(call)
        if growth is not None:
            pair = [(abs(growth[0]), growth[1], "percent"), (*value, "money")]
            alone.append(any(all(supported(f, list(figures(s))) for f in pair) for s in sentences))
    assert len(alone) > 80 and np.mean(alone) < 0.03  # direction and value come from two sentences


def test_gains_and_losses_both_happen(calls):
    losses = sum("net loss" in text_of(call).lower() for call in calls)
    falls = sum((revenue_bullet(call)[0] or (0,))[0] < 0 for call in calls)
    assert 0.08 < losses / len(calls) < 0.5
    assert 0.05 < falls / len(calls) < 0.5


def test_every_call_has_remarks_and_three_to_six_questions(calls):
    for call in calls:
        assert {turn.section for turn in call.turns} == {"prepared", "qa"}
        assert {turn.role for turn in call.turns} == {"operator", "executive", "analyst"}
        sections = [turn.section for turn in call.turns]
        assert sections == sorted(sections)  # prepared before qa
        analysts = {turn.speaker for turn in call.turns if turn.role == "analyst"}
        assert 3 <= len(analysts) <= 6
        assert len({turn.speaker for turn in call.turns if turn.role == "executive"}) == 3


def test_calls_are_seven_hundred_to_eighteen_hundred_words_long(calls):
    n_words = [len(text_of(call).split()) for call in calls]
    assert 700 <= min(n_words) and max(n_words) <= 1800


@pytest.mark.parametrize(
    "slip",
    [
        r"[{}\[\]|]", r"  ", r" [,.;?!]", r"\$-|-\d+%", r"\b[Aa] (?:\$?8|11\b|18\b|[aeio])",
        r"(?<![\d.])0(?:\.0)?%", r"\$0\.0 million", r"\b(\w+ \w+) \1\b",
        r"\b(?:the the|a a|of of|to to|in in)\b", r"\.\.|\?\.|,\.",
        r"(?:^|[.?!] )[a-z]", r"\bnet sales was\b|\brevenue were\b", r"\b(?:None|nan|inf)\b",
    ],
)  # fmt: skip
def test_text_is_free_of_slips(calls, slip):
    for call in calls:
        for turn in call.turns:
            found = re.search(slip, turn.text)
            assert not found, (call.id, turn.text[max(0, found.start() - 60) : found.end() + 40])


def test_vocabulary_is_diverse_and_calls_share_few_long_phrases(calls):
    words = Counter(
        word for call in calls for word in re.findall(r"[a-z']+", text_of(call).lower())
    )
    assert len(words) > 2800
    grams = [ngrams(call) for call in calls]
    owners = {}
    for call, own in zip(calls, grams, strict=True):
        for gram in own:
            owners.setdefault(gram, set()).add(call.company)
    elsewhere = [np.mean([len(owners[gram]) > 1 for gram in own]) for own in grams]
    assert np.mean(elsewhere) < 0.10  # against all 39 other companies together
    for at in range(len(calls)):
        for other in range(at):
            shared = len(grams[at] & grams[other]) / min(len(grams[at]), len(grams[other]))
            assert shared < 0.10, (calls[at].id, calls[other].id)


def ngrams(call, n=13):
    found = set()
    for turn in call.turns:
        words = re.findall(r"[a-z0-9$%.']+", turn.text.lower())
        found |= {tuple(words[at : at + n]) for at in range(len(words) - n + 1)}
    return found


def test_misfits_come_on_top_of_the_calls_and_are_what_they_say():
    mixed = write(n_companies=10, n_calls=30, n_short=3, n_offtopic=2, n_duplicates=4)
    assert len(mixed) == len({call.id for call in mixed}) == 39
    short = [call for call in mixed if len(text_of(call).split()) < 100]
    assert len(short) == 3 and all(call.summary is None for call in short)
    talks = [call for call in mixed if "townhall" in call.id]
    assert len(talks) == 2 and all(call.summary is None for call in talks)
    assert not any(re.search(r"\$|%|revenue|earnings|profit", text_of(call)) for call in talks)
    whole = {call.id: call for call in mixed}
    copies = [call for call in mixed if call.id.endswith("_rev")]
    assert len(copies) == 4
    for copy in copies:
        original = whole[copy.id.removesuffix("_rev")]
        mine, other = (set(text_of(call).lower().split()) for call in (copy, original))
        assert text_of(copy) != text_of(original) and copy.summary == original.summary
        assert len(mine & other) / len(mine | other) > 0.85


def test_calls_come_one_company_at_a_time():
    rng = np.random.default_rng(1)
    stream = iter_calls(n_companies=25_000, n_calls=100_000, first_year=2015, rng=rng)
    some = [next(stream) for _ in range(12)]
    assert len({call.company for call in some}) == 3


@pytest.mark.parametrize(
    ("n_companies", "n_calls", "n_duplicates"), [(0, 5, 0), (6, 5, 0), (1, 61, 0), (2, 5, 6)]
)
def test_impossible_counts_are_errors_that_name_the_value(n_companies, n_calls, n_duplicates):
    with pytest.raises(ValueError, match=f"n_calls={n_calls}"):
        write(n_companies=n_companies, n_calls=n_calls, n_duplicates=n_duplicates)


def test_a_voice_repeats_no_pattern_before_all_were_used():
    voice = Voice(np.random.default_rng(0))
    drawn = [voice.say(("one", "two", "three"), {}) for _ in range(6)]
    assert sorted(drawn[:3]) == sorted(drawn[3:]) == ["One", "Three", "Two"]


def test_nested_alternatives_and_slots_are_filled():
    voice = Voice(np.random.default_rng(0))
    said = {voice.fill("[a [b|c] {x}|d] e", {"x": ("y", "z")}) for _ in range(80)}
    assert said == {"a b y e", "a b z e", "a c y e", "a c z e", "d e"}


@pytest.mark.parametrize("pattern", ["[a|b", "a]b", "[a|[b]"])
def test_an_unbalanced_pattern_is_an_error(pattern):
    with pytest.raises(ValueError, match="pattern"):
        Voice(np.random.default_rng(0)).fill(pattern, {})


def test_articles_follow_the_sound_of_the_figure():
    assert tidy("a 8% rise, a 11% rise, a 18% fall, a $80 fee") == (
        "an 8% rise, an 11% rise, an 18% fall, an $80 fee"
    )
    assert tidy("an 12% rise, an unit, a 110% rise, an net loss") == (
        "a 12% rise, a unit, a 110% rise, a net loss"
    )


def test_a_pair_at_the_end_of_a_clause_is_not_contracted():
    rng = np.random.default_rng(0)
    assert contract("know where we are. It is what it is", rng, 1.0) == (
        "know where we are. It's what it is"
    )


def test_records_are_frozen(calls):
    with pytest.raises(dataclasses.FrozenInstanceError):
        calls[0].id = "other"
