"""Company, ticker and period from the lines above a call, in the spellings that people use."""

import pytest

from finllm.corpus.call_period import call_date, normalise_period
from finllm.corpus.layouts.head import facts


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("Q324", "2024Q3"), ("24Q3", "2024Q3"), ("F3Q24", "2024Q3"), ("Q3 F2024", "2024Q3"),
        ("F2024 Q3", "2024Q3"), ("Q3 FYE June 2024", "2024Q3"), ("Q3 (Sep 2024)", "2024Q3"),
        ("quarter_3_2024", "2024Q3"), ("Fiscal Year: 2024, Quarter: 3", "2024Q3"),
        ("Half Year 2024 results", "2024Q2"), ("interim results 2024", "2024Q2"),
        ("Full-year results 2023/24", "2024Q4"), ("M9 2024", "2024Q3"), ("S1 2024", "2024Q2"),
        ("S3 2024", None), ("Sep-24", "2024Q3"), ("June 2024", "2024Q2"),
        ("September 2024 quarter", "2024Q3"), ("quarter to September 2024", "2024Q3"),
        ("quarter ended 30th September 2024", "2024Q3"), ("30.06.2024", "2024Q2"),
        ("30/06/2024", "2024Q2"), ("Q3 99", "1999Q3"), ("Q1 - Jan 28, 2025", "2025Q1"),
        ("3. Quartal 2024", "2024Q3"), ("drittes Quartal 2024", "2024Q3"),
        ("1. Halbjahr 2024", "2024Q2"), ("9 Monate 2024", "2024Q3"),
        ("Gesch\u00e4ftsjahr 2023/24", "2024Q4"), ("T3 2024", "2024Q3"),
        ("3e trimestre 2024", "2024Q3"), ("troisi\u00e8me trimestre 2024", "2024Q3"),
        ("1er semestre 2024", "2024Q2"), ("9 mois 2024", "2024Q3"),
        ("tercer trimestre de 2024", "2024Q3"), ("3\u00ba trimestre de 2024", "2024Q3"),
        ("30 octobre 2024", "2024Q4"), ("1 2 3 4 " * 20_000, None),
    ],
)  # fmt: skip
def test_periods_are_read_in_these_spellings_and_languages(text, period):
    assert normalise_period(text) == period


def test_dates_are_read_in_other_languages_and_where_one_reading_is_possible():
    assert call_date("30. Oktober 2024, 10:00 Uhr") == "2024-10-30"
    assert call_date("30 de octubre de 2024") == "2024-10-30"
    assert call_date("7/6/2024") == ""


@pytest.mark.parametrize(
    ("head", "company", "ticker", "period"),
    [
        ("Acme SE Nine Months 2024 Results", "Acme SE", "", "2024Q3"),
        ("Acme Ltd September quarter 2024 results call", "Acme Ltd", "", "2024Q3"),
        ("Acme Corp FY2024 Q3 Earnings Call", "Acme Corp", "", "2024Q3"),
        ("Acme Corp Fourth Quarter and Fiscal Year 2024 Results Call", "Acme Corp", "", "2024Q4"),
        ("Q3 2024 Earnings Call Transcript: Acme Corp", "Acme Corp", "", "2024Q3"),
        ("Earnings call transcript: Acme Corp beats in Q3 2024", "Acme Corp", "", "2024Q3"),
        ("FD (FAIR DISCLOSURE) WIRE|Q1 Fiscal 2025 Earnings Call of Acme Corp - Final",
         "Acme Corp", "", "2025Q1"),
        ("Acme Ltd|Third quarter of fiscal 2024 earnings conference call", "Acme Ltd", "",
         "2024Q3"),
        ("Acme AG|Telefonkonferenz zum 3. Quartal 2024", "Acme AG", "", "2024Q3"),
        ("Acme SA|R\u00e9sultats du T3 2024", "Acme SA", "", "2024Q3"),
        ("Acme AG, 3. Quartal 2024", "Acme AG", "", "2024Q3"),
        ("Acme Corp|Ticker: ACM|Period: 2024-06-30|Date: 2024-08-01", "Acme Corp", "ACM",
         "2024Q2"),
        ("Company: Acme Corp|Fiscal year: 2024|Fiscal quarter: 3", "Acme Corp", "", "2024Q3"),
        ("Full transcript - Acme Corp (ACM) Q2 2024:", "Acme Corp", "ACM", "2024Q2"),
        ("Acme Corp (ACM LN) HY24 results", "Acme Corp", "ACM", "2024Q2"),
        ("Bloomberg Transcript|Q3 2024 Earnings Call", "", "", "2024Q3"),
        ("Edited version|Results of the third quarter 2024", "", "", "2024Q3"),
    ],
)  # fmt: skip
def test_heads_name_company_ticker_and_period(head, company, ticker, period):
    found = facts(head.split("|"))
    assert (found.company, found.ticker, found.period) == (company, ticker, period)


@pytest.mark.parametrize(
    ("head", "company", "ticker", "period", "date"),
    [
        ("Acme Corp (ACM) Q2 2024 Earnings Call|For the period ending June 30, 2024.|Jul 31, 2024",
         "Acme Corp", "ACM", "2024Q2", "2024-07-31"),
        ("Published on November 6, 2024|Acme Corp (ACM) Q3 2024 Call November 5, 2024",
         "Acme Corp", "ACM", "2024Q3", "2024-11-05"),
        ("By Acme Transcribers - Jul 31, 2024|Acme Corp|Q2 2024 Earnings Call|Jul 30, 2024",
         "Acme Corp", "", "2024Q2", "2024-07-30"),
        ("Acme Co., Ltd.|Financial Results Briefing for the Second Quarter of the Fiscal Year "
         "Ending March 31, 2025|8th November 2024", "Acme Co., Ltd", "", "2025Q2", "2024-11-08"),
        ("[Company Name] Acme Co., Ltd.|[Fiscal Period] FY2025 Q1|[Date] August 2, 2024",
         "Acme Co., Ltd", "", "2025Q1", "2024-08-02"),
        ("Acme Corp|Quarter: Q3|Year: 2024", "Acme Corp", "", "2024Q3", ""),
        ("Acme Corp, Q3 2024 Earnings Call|LSE:ACM", "Acme Corp", "ACM", "2024Q3", ""),
        ("Acme Corporation (ACM:NYSE) Q3 2024", "Acme Corporation", "ACM", "2024Q3", ""),
        ("Acme Corporation ($ACM) Q3 2024 Earnings Call", "Acme Corporation", "ACM", "2024Q3", ""),
        ("Acme, Inc. NYSE American:ACM-A FQ2 2024 Earnings Call", "Acme, Inc", "ACM-A", "2024Q2",
         ""),
        ("Acme Shipping ASA OB:ACM|FH1 2024 Earnings Call Transcripts", "Acme Shipping ASA", "ACM",
         "2024Q2", ""),
        ("Preliminary Q4 2023 Acme AG Earnings Call", "Acme AG", "", "2023Q4", ""),
        ("Acme Management Discusses Q4 2013 Results - Earnings Call", "Acme", "", "2013Q4", ""),
        ("# Q4 FY2024 Earnings Call \u2013 Acme Logistics (ACM)", "Acme Logistics", "ACM", "2024Q4",
         ""),
        ("Q2 2024 Acme Labs Earnings Call - Final", "Acme Labs", "", "2024Q2", ""),
        ("Acme Ltd. | Q1 FY25 Earnings Call", "Acme Ltd", "", "2025Q1", ""),
        ("Transcript|Results for the first half of 2024|Br\u00fcckner & S\u00f6hne SE, Bielefeld",
         "Br\u00fcckner & S\u00f6hne SE", "", "2024Q2", ""),
        ("\"Acme Limited|Q2 FY '25 Earnings Conference Call\"", "Acme Limited", "", "2025Q2", ""),
    ],
)  # fmt: skip
def test_heads_of_other_pages(head, company, ticker, period, date):
    found = facts(head.split("|") if " | " not in head else [head])
    assert (found.company, found.ticker, found.period, found.date) == (
        company, ticker, period, date,
    )  # fmt: skip
