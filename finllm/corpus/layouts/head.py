"""Read the company, its ticker, the period and the date from the lines above a call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from finllm.corpus.call_period import call_date, normalise_period, parted_by_period, stated_period
from finllm.corpus.layouts import sections

MAX_LINES = 60  # from the top; lines below are not part of a page's head
MAX_LINE = 250  # characters
_EXCHANGE = r"[A-Za-z][A-Za-z. -]{1,20}?"
_IN_BRACKETS = re.compile(
    rf"(?P<company>[^()\n]*?)[ ,]*[(\[](?:(?P<exchange>{_EXCHANGE}) ?: ?)?"
    r"\$?(?P<ticker>[A-Z0-9][A-Z0-9.-]{0,9})"
    r"(?:[,;/][^()\[\]]{0,40}| (?(exchange)[^()\[\]]{0,40}|[A-Z]{2}(?: [Ee]quity)?))?[)\]]"
)
_NAMED_EXCHANGE = (
    r"NYSE(?: American| Arca)?|Nasdaq\w*|NASDAQ\w*|AMEX|LSE|TSX\w*|ASX|XTRA|ENX\w*"
    r"|SEHK|TSE|NSEI|BSE|SWX|OM|OB|BOVESPA|BMV"
)
_TICKER = r" ?: ?(?P<ticker>[A-Z0-9][A-Z0-9.-]{0,9})"
_BESIDE = re.compile(
    rf"(?P<company>\S.{{1,80}}?)[ ,-]+(?P<exchange>{_NAMED_EXCHANGE}|[A-Z]{{3,6}}){_TICKER}\b"
)
_ALONE = re.compile(rf"(?:{_NAMED_EXCHANGE}){_TICKER}")
_RIC = re.compile(r"(?P<ticker>[A-Z0-9]{1,8})\.[A-Z]{1,3} - ")
_EXCHANGES = frozenset("NYSE NASDAQ AMEX LSE TSX ASX XETRA".split())
_NOT_TICKERS = frozenset(
    "ET EST EDT PT PST PDT CT CST CDT GMT BST CET UTC AM PM CEO CFO COO CTO IR VP EVP SVP US USA UK"
    " USD EUR GAAP EPS FY Q1 Q2 Q3 Q4 H1 H2 PDF HTML AI".split()
)
_EVENT = re.compile(
    r"\b(?:(?:earnings|results|conference|analyst|investor|interim|preliminary|financial)[ ,]+)*"
    r"\b(?:earnings|results|briefing|conference call|call|presentation|transcripts?"
    r"|telefonkonferenz"
    r"|ergebnisse?|zahlen|r\u00e9sultats|conf\u00e9rence|resultados|conferencia)\b.*",
    re.I,
)
# "Q3 2024 Earnings Call of Acme Corp", "Earnings call transcript: Acme Corp beats in Q3 2024"
_OF = re.compile(
    r"(?:.*?\b(?:call|transcript|results)(?: transcript)?(?: of|:)"
    r"|(?:earnings |results |conference )+(?:call )?(?:transcript )?[-\u2013\u2014]) "
    r"(?P<company>(?-i:[^\Wa-z]).*)",
    re.I,
)
_PUBLISHER = re.compile(
    r"\b(?:transcript|image source|seeking alpha|motley fool|streetevents|refinitiv|thomson reuters"
    r"|factset|bloomberg|capital iq|wire|edited|version|contents|event|final|page)\b", re.I,
)  # fmt: skip
_MARKS = " .,:;|-\u2013\u2014"
_LABEL = re.compile(
    r"(?P<bracket>\[)?(?P<label>company(?: name)?|issuer|(?:company )?ticker(?: symbol)?|symbol"
    r"|date|event date|call date|(?:fiscal )?(?:period|quarter|year))"
    r"(?(bracket)\]| ?[:=]) ?(?P<value>\S.*)",
    re.I,
)
_EDITOR = re.compile(
    r"^(?:(?:edited |full |corrected |event )*transcript(?: of |:? ?-? ?)|the )+(?=\S)", re.I
)
_OTHER_DATE = re.compile(
    r"\b(?:published|posted|updated|transcrib(?:ers|ing)|(?:period|quarter|year|months) end)", re.I
)
_FIRM = re.compile(
    r"(?P<company>[A-Z].{1,60}? (?:inc|corp|corporation|plc|ltd|limited|llc|gmbh"
    r"|(?-i:NV|N\.V|AG|SE|SA|S\.A|ASA|AB|KGaA|SpA|Oyj)))\.?(?:, (?-i:[A-Z])\w+)?",
    re.I,
)


@dataclass(frozen=True)
class Facts:
    """Facts stated in the head of a call; "" for each that is missing."""

    company: str = ""
    ticker: str = ""
    period: str = ""  # "2023Q3"
    date: str = ""  # "2023-10-25"


def facts(lines: Sequence[str]) -> Facts:
    """Return the first company, ticker, period and date named in the lines above a call.

    >>> facts(["Acme Corp (NYSE: ACM)", "Q3 2023 Earnings Call", "Oct 25, 2023, 8:30 a.m. ET"])
    Facts(company='Acme Corp', ticker='ACM', period='2023Q3', date='2023-10-25')
    """
    company = named = title = above = firm = ticker = period = date = year = part = ""
    listed = False  # the ticker comes with its exchange, as in a page's first line
    last = ""
    for line in _readable(lines):
        label, value = _labelled(line)
        if label in ("company", "company name", "issuer"):
            company = company or _tidy(value)
        elif "ticker" in label or label == "symbol":
            ticker = ticker or (value.split(":")[-1].strip(" $()").upper().split() or [""])[0]
        found, sign, is_listed = _traded(line)
        if sign and (is_listed or not ticker) and not listed:
            ticker, named, listed = sign, found or named, is_listed
        title = title or _titled(line)
        if label.endswith(("period", "quarter", "year")):
            year, part = (value, part) if label.endswith("year") else (year, value)
            period = period or normalise_period(part) or normalise_period(f"{part} {year}") or ""
            above = above or last
        elif not period and (period := stated_period(line)):
            above = last
        firm = firm or _firm(line)
        date = date or ("" if _OTHER_DATE.search(line) else call_date(line))
        last = last if label else line
    return Facts(company or named or title or _alone(above) or firm or ticker, ticker, period, date)


def _alone(line: str) -> str:
    """Return a company's name alone on the line above the period, or "" if it is not one."""
    is_name = 0 < len(line.split()) <= 6 and line[:1].isupper() and line[-1:] not in ":?!"
    return _tidy(line) if is_name and not _PUBLISHER.search(line) and not call_date(line) else ""


def _firm(line: str) -> str:
    """Return the company's name on a line that ends with its legal form, maybe with its town."""
    match = _FIRM.fullmatch(line)
    return _tidy(match["company"]) if match else ""


def _readable(lines: Sequence[str]) -> list[str]:
    """Return the lines of a head without lists of people, rules and headings of the call."""
    kept, in_list = [], False
    for line in lines[:MAX_LINES]:
        if sections.section_of(line) or sections.is_contents(line):
            in_list = sections.is_contents(line)
        elif sections.list_role(line):
            in_list = True
        elif not in_list and len(line) <= MAX_LINE and not sections.is_rule(line):
            kept.append(line.strip('*_# "'))
    return kept


def _labelled(line: str) -> tuple[str, str]:
    match = _LABEL.fullmatch(line)
    return (match["label"].lower(), match["value"]) if match else ("", "")


def _traded(line: str) -> tuple[str, str, bool]:
    """Return company and ticker of "Acme Corp (NYSE: ACM)", and whether the exchange is named."""
    for pattern in (_IN_BRACKETS, _BESIDE):
        for match in pattern.finditer(line):
            ticker = match["ticker"].strip(".-")
            if ticker in _EXCHANGES and match["exchange"]:  # "(ACM:NYSE)"
                ticker = match["exchange"]
            if ticker in _NOT_TICKERS or not re.search(r"[A-Z]", ticker) and not match["exchange"]:
                continue
            return _tidy(match["company"]), ticker, bool(match["exchange"])
    if match := _ALONE.fullmatch(line):
        return "", match["ticker"], True
    if match := _RIC.match(line):
        return _titled(line[match.end() :]), match["ticker"], True
    return "", "", False


def _titled(line: str) -> str:
    """Return the company in "Q3 2023 Acme Corp Earnings Call" and "Acme Corp - Q3 2023 Results"."""
    before, period, behind = parted_by_period(line)
    if not period or line[-1] in ".?!":
        return ""
    if not _EVENT.search(before + behind):  # "Acme AG, 3. Quartal 2024"
        return "" if _has_words(behind) else _alone(before)
    return _tidy(line)


def _tidy(text: str) -> str:
    """Return a company's name without the period, event, date and punctuation around it."""
    text = _RIC.sub("", _EDITOR.sub("", text.strip()))
    start = re.match(
        r"(?:(?:f?q[1-4]|[1-4]q|h[12]|[12]h|(?:first|second|third|fourth)[ -](?:quarter|half)"
        r"|full[ -]year"
        r"|fiscal|fy|year|of|and|&|9m|6m|preliminary"
        r"|'?\d\d(?:\d\d)?(?:[/-]\d\d(?:\d\d)?)?)[ ,'-]*)+(?=\S)", text, re.I
    )  # fmt: skip
    if start and re.search(r"\d", start[0]):
        text = text[start.end() :]
    before, period, behind = parted_by_period(text)
    text = before if _has_words(before) or not period else behind
    if match := _OF.fullmatch(text):
        text = match["company"]
    text = _EVENT.sub("", text).split(" | ")[0]
    text = re.sub(r"'s$", "", text.strip(_MARKS))
    text = re.sub(
        r"\s+(?:reports?|announces|on|for|fiscal|full year|- final"
        r"|(?:f?q[1-4]|[1-4]q|(?:first|second|third|fourth)[ -]quarter)(?: and| &)?"
        r"|(?:management )?(?:beats|misses|tops|posts|discusses|presents|hosts)\b.*)$",
        "", text, flags=re.I,
    )  # fmt: skip
    return text.strip(_MARKS + "'\"") if _has_words(text) else ""


def _has_words(text: str) -> bool:
    return re.search(r"[^\W\d_]{2}", text) is not None
