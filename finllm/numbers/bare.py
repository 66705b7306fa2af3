"""Amounts without a currency: "sales were 72 million" is money, "4 million tests" is not.

Calls often leave the dollar out, and their summaries put it back. The decision is made by the noun
after the number, else by the last telling noun before it in the sentence, else by the first
telling noun in the rest of the sentence.
"""

from __future__ import annotations

import re
from collections import Counter

from finllm.numbers.atom import Atom, alternatives
from finllm.numbers.counts import STOPS, counted_unit
from finllm.numbers.currencies import LOCAL

_SMALLEST = 1e5  # below it a magnitude tells little: "15k" is as often a headcount
_REACH = 140  # characters around an amount in which its noun is searched for
_ACCOUNTS = frozenset(
    "revenue revenues sales income earnings profit profits loss losses ebitda ebitdax "
    "ebit ebita noi ffo affo oibda cash liquidity debt borrowings borrowing capex expenditure "
    "expenditures expense expenses cost costs spend spending savings charge charges impairment "
    "impairments dividend dividends proceeds assets equity liabilities liability reserve reserves "
    "provision provisions tax taxes depreciation amortization interest receivables payables "
    "inventory inventories deposits loans loan bonds bond investment investments funding funds "
    "financing premiums premium budget capital buybacks facility fees fee royalties synergies "
    "mortgage mortgages goodwill intangibles compensation consideration guidance headwind "
    "headwinds tailwind benefit acquisition acquisitions repurchase repurchases collateral "
    "maturities securities dollars contribution securitized opex sg&a nii ebt pbt turnover "
    "bookings lost paid spent invested returned distribution distributions benefits value "
    "settlement tam worth valued billings originations backlog aum leases rent equivalents "
    "commitments grants".split()
)
_THINGS = frozenset(
    "member members membership subscriber subscribers subs user users customer customers client "
    "clients account accounts unit units shares ton tons tonnes barrel barrels ounces boe "
    "gallons pounds volume volumes production feet footage people employees headcount patient "
    "patients dose doses test tests vehicle vehicles cars visitors visits passengers guests stores "
    "homes households downloads transactions lives meters acres miles hours cases pieces packages "
    "views viewers listeners impressions prescriptions procedures installs installations devices "
    "population traffic wafers megawatts kilowatts cubic tickets rooms nights cards policies "
    "drivers riders trips connections day".split()
)
_NOUN = re.compile(rf"\b({alternatives(_ACCOUNTS | _THINGS)})\b")
_OURS = ("our", "the", "its", "their")
_WORD = re.compile(r"[ -]([a-z&]+)")
_MEASURES = re.compile(  # "2.76 million boed", "1.2 million b/d", "1.8 million sq ft"
    r"[ -](?:of )?(?:(?:mm?|k)?(?:boe(?:/d|p?d)?|bbls?(?:/d|p?d)?|b(?:/d|p?d))"
    r"|(?:leasable |rentable |gross |net |usable |contiguous |irrigated )*(?:sq\.? ?(?:ft|feet|foot"
    r"|km|mi?|miles?|yds?|met(?:re|er)s?)|sq(?:ft|m)|square|cubic|(?:[kcm]?m|ft)[²³2-3]"
    r"|ha|acres?|hectares?|acre-feet)|(?:k|m|g|t)wh?|kilomet(?:re|er)s?|kms?|lit(?:re|er)s?"
    r"|kilograms?|kgs?|tonnes?|tons?|hours?)(?![a-z0-9])"
)


def mark_bare_amounts(text: str, atoms: list[Atom]) -> None:
    """Mark bare amounts of an account as money, in the currency that the text uses most.

    If the text shows no currency, the unit stays empty. Cents of another language ("Cent",
    "centimes") are given the text's currency too, or else the euro.
    """
    if any(atom.unit == LOCAL for atom in atoms):
        _mark_local_cents(atoms)
    bare = [atom for atom in atoms if not atom.kind and max(atom.scale, atom.quantum) >= _SMALLEST]
    if not bare:
        return
    shown = Counter(atom.unit for atom in atoms if atom.kind == "money")
    unit = shown.most_common(1)[0][0] if shown else ""
    spoken = bool(shown)  # in a text that states money, an amount without a noun is money
    far_end = {  # "12.8-13.0 million units": the first end counts the noun of the second
        first.end: second.end
        for first, second in zip(atoms, atoms[1:], strict=False)
        if second.start - first.end < 6
        and text[first.end : second.start] in ("-", "–", " - ", " – ", " to ", "-to-", " and ")
    }
    for atom in bare:
        if _MEASURES.match(text, atom.end):
            continue
        noun = (
            _noun_behind(text, far_end.get(atom.end, atom.end))
            or _noun_before(text, atom.start)
            or _noun_after(text, atom.end)
        )
        if noun is None and spoken or noun is not None and noun in _ACCOUNTS:
            atom.kind, atom.unit, spoken = "money", unit, True


def _mark_local_cents(atoms: list[Atom]) -> None:
    shown = Counter(atom.unit for atom in atoms if atom.kind == "money" and atom.unit != LOCAL)
    unit = shown.most_common(1)[0][0] if shown else "EUR"
    for atom in atoms:
        if atom.unit == LOCAL:
            atom.unit = unit


def _noun_before(text: str, start: int) -> str | None:
    """Return the last telling noun of the sentence before an amount, or None without one."""
    first = max(0, start - _REACH)
    window = text[text.rfind("\n", first, start) + 1 or first : start]
    nouns = _NOUN.findall(window[window.rfind(". ") + 1 :])
    return nouns[-1] if nouns else None


def _noun_after(text: str, end: int) -> str | None:
    """Return the first telling noun in the rest of the sentence, or None without one."""
    rest = text[end : min(end + _REACH, text.find("\n", end))]
    match = _NOUN.search(rest.split(". ")[0])
    return None if match is None else match[0]


def _noun_behind(text: str, end: int) -> str | None:
    """Return the noun that a number counts, or the account it is "of" or "in", or None."""
    unit = counted_unit(text, end)
    if unit:
        return unit
    for nth in range(5):
        match = _WORD.match(text, end)
        if match is None:
            return None
        word = match[1]
        if word in _ACCOUNTS or word in _THINGS:
            return word
        if word in STOPS and not (nth == 0 and word in ("of", "in", "a") or word in _OURS):
            return None
        end = match.end()
    return None
