"""What stands above a call: the company, its ticker, the period and the date."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from finllm.corpus.call_period import call_date, stated_period
from finllm.corpus.layouts import sections

MAX_LINES = 60  # from the top; below them nothing is a page's head
MAX_LINE = 250  # characters
_EXCHANGE = r"[A-Za-z][A-Za-z. -]{1,20}?"
_IN_BRACKETS = re.compile(
    rf"(?P<company>[^()\n]*?)[ ,]*[(\[](?:(?P<exchange>{_EXCHANGE}) ?: ?)?"
    r"(?P<ticker>[A-Z0-9][A-Z0-9.-]{0,9})(?:[,;/ ][^()\[\]]{0,40})?[)\]]"
)
_BESIDE = re.compile(
    r"(?P<company>\S.{1,80}?)[ ,-]+(?P<exchange>NYSE|Nasdaq\w*|NASDAQ\w*|AMEX|LSE|TSX\w*|ASX"
    r"|XTRA|ENX\w*"
    r"|SEHK|TSE|NSEI|BSE|SWX|OM|BOVESPA|BMV|[A-Z]{3,6}) ?: ?(?P<ticker>[A-Z0-9][A-Z0-9.-]{0,9})\b"
)
_RIC = re.compile(r"(?P<ticker>[A-Z0-9]{1,8})\.[A-Z]{1,3} - ")
_NOT_TICKERS = frozenset(
    "ET EST EDT PT PST PDT CT CST CDT GMT BST CET UTC AM PM CEO CFO COO CTO IR VP EVP SVP US USA UK"
    " USD EUR GAAP EPS FY Q1 Q2 Q3 Q4 H1 H2 PDF HTML AI".split()
)
_EVENT = re.compile(
    r"\b(?:(?:earnings|results|conference|analyst|investor|interim|preliminary)[ ,]+)*"
    r"(?:earnings|results|conference call|call|presentation|transcripts?)\b.*",
    re.I,
)
_PERIOD = re.compile(
    r"(?:\b(?:f?q[1-4]|[1-4]q|[hH][12]|[12]h|(?:first|second|third"
    r"|fourth) (?:fiscal )?(?:quarter|half)|full"
    r"[ -]year|9m|6m|fy|fiscal)\b.*|\bf?[qh]?[1-4]?[qh]?[ -]?(?:19|20)\d\d\b.*"
    r"|\b(?:f?q[1-4]|[1-4]q|[12]h|h[12])(?:fy)?'?\d\d\b.*)",
    re.I,
)
_LABEL = re.compile(
    r"(?P<label>company(?: name)?|issuer|(?:company )?ticker(?: symbol)?|symbol|date|event date"
    r"|call date|period"
    r"|quarter|fiscal period) ?[:=] ?(?P<value>\S.*)",
    re.I,
)
_EDITOR = re.compile(
    r"^(?:edited transcript of |transcript of |transcript: ?|edited transcript:? ?"
    r"|corrected transcript:? ?"
    r"|event transcript:? ?|the )+", re.I,
)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What a head says; empty if it does not."""

    company: str = ""
    ticker: str = ""
    period: str = ""  # "2023Q3"
    date: str = ""  # "2023-10-25"


def facts(lines: Sequence[str]) -> Facts:
    """The first company, ticker, period and date that the lines above a call name.

    >>> facts(["Acme Corp (NYSE: ACM)", "Q3 2023 Earnings Call", "Oct 25, 2023, 8:30 a.m. ET"])
    Facts(company='Acme Corp', ticker='ACM', period='2023Q3', date='2023-10-25')
    """
    company = named = title = ticker = period = date = ""
    listed = False  # the ticker stands with its exchange, as in a page's first line
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
        period = period or stated_period(line)
        date = date or call_date(line)
    return Facts(company or named or title or ticker, ticker, period, date)


def _readable(lines: Sequence[str]) -> list[str]:
    """The lines of a head that are not a list of people, a rule or a heading of the call."""
    kept, in_list = [], False
    for line in lines[:MAX_LINES]:
        if sections.section_of(line) or sections.is_contents(line):
            in_list = sections.is_contents(line)
        elif sections.list_role(line):
            in_list = True
        elif not in_list and len(line) <= MAX_LINE and not sections.is_rule(line):
            kept.append(line.strip("*_# "))
    return kept


def _labelled(line: str) -> tuple[str, str]:
    match = _LABEL.fullmatch(line)
    return (match["label"].lower(), match["value"]) if match else ("", "")


def _traded(line: str) -> tuple[str, str, bool]:
    """Company and ticker of "Acme Corp (NYSE: ACM)"; whether the exchange is named as well."""
    for pattern in (_IN_BRACKETS, _BESIDE):
        for match in pattern.finditer(line):
            ticker = match["ticker"].strip(".-")
            if ticker in _NOT_TICKERS or not re.search(r"[A-Z]", ticker) and not match["exchange"]:
                continue
            return _tidy(match["company"]), ticker, bool(match["exchange"])
    if match := _RIC.match(line):
        return _titled(line[match.end() :]), match["ticker"], True
    return "", "", False


def _titled(line: str) -> str:
    """The company in "Q3 2023 Acme Corp Earnings Call" and "Acme Corp - Q3 2023 Results"."""
    if not stated_period(line) or not _EVENT.search(line) or line[-1] in ".?!":
        return ""
    return _tidy(line)


def _tidy(text: str) -> str:
    """A company's name without period, event, date and marks around it."""
    text = _RIC.sub("", _EDITOR.sub("", text.strip()))
    start = re.match(
        r"(?:(?:f?q[1-4]|[1-4]q|h[12]|[12]h|(?:first|second|third|fourth)[ -](?:quarter|half)"
        r"|full[ -]year"
        r"|fiscal|fy|year|of|and|&|9m|6m"
        r"|'?\d\d(?:\d\d)?(?:[/-]\d\d(?:\d\d)?)?)[ ,'-]*)+(?=\S)", text, re.I
    )  # fmt: skip
    if start and re.search(r"\d", start[0]):
        text = text[start.end() :]
    text = _EVENT.sub("", _PERIOD.sub("", text))
    text = re.sub(r"'s$", "", text.strip(" .,:;|-\u2013\u2014"))
    text = re.sub(r"\s+(?:reports?|announces|on|for|fiscal|full year)$", "", text, flags=re.I)
    return text.strip(" .,:;|-\u2013\u2014'\"") if re.search(r"[^\W\d_]{2}", text) else ""
