"""Draw number-like words from the given calls for labelling by hand, without the extractor.

    python -m benchmarks.draw_mentions --seed 11 --per-form 8 > drawn.txt

Hard forms, and forms that are not quantities, have equal weight, however rare they are in calls.
Each form is a regular expression below, whose first group (or whole match) is the mention. A call
gives at most one mention of a form, and a line that `tests/hard_mentions.csv` already points to
gives none. The output is the pointer of each mention (as in that file) and the words around it,
with the mention in brackets. Add the labels `kind,value,low,high,unit,set` and append the rows to
the file.
"""

# ruff: noqa: E501  (one line a form)
from __future__ import annotations

import argparse
import csv
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from benchmarks.numbers import ROOT, read_call

MENTIONS = ROOT / "tests/hard_mentions.csv"
_MANY = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
    "|sixty|seventy|eighty|ninety"
)
_D = r"\d[\d,]*(?:\.\d+)?"
_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
QUANTITIES = {
    "range of money": rf"[$€£]{_D}(?: \w+)? (?:to|and|-) [$€£]?{_D}(?: (?:million|billion|cents))?",
    "range of percent": rf"{_D}%? ?(?:to|and|-|–) ?{_D} ?(?:%|percent)",
    "range in words": rf"(?i:(?:{_MANY})[ -](?:to|or)[ -](?:{_MANY}) \w+)",
    "range of counts": rf"(?<![$\d.]){_D} (?:to|or) {_D} (?!million|billion|percent|basis)[a-z]+",
    "currency behind": rf"{_D}(?: \w+)? (?:euros?|pounds?|yen|rupees?|pesos?|rand|RMB|SEK|NOK|won)\b",
    "currency before": rf"(?:EUR|GBP|CAD|RMB|INR|JPY|CHF|SEK|NOK|BRL|MXN|ZAR|NT\$|C\$|A\$|HK\$|R\$|Rs\.?"
    rf"|₹|€|£|¥) ?{_D}(?: (?:million|billion|crores?|lakhs?))?",
    "cents": rf"(?:{_D}|(?i:{_MANY}))[ -](?:and a half )?cents?\b",
    "number in words": rf"(?i:\b(?:{_MANY})(?:[ -](?:{_MANY}|hundred|thousand|million|billion|percent"
    r"|stores|customers|years|acquisitions|segments|new))+)",
    "fraction": r"(?i:\b(?:half|a third|a quarter|two[ -]thirds|three[ -]quarters|one[ -](?:third"
    r"|quarter|half|fifth))(?: of (?:our|the|a|its|all|that|this|total|\w+)(?: \w+)?)?)",
    "loss": rf"(?i:\bloss(?:es)?\b[^.;]{{0,45}}?)([$€£]{_D}(?: (?:million|billion))?)",
    "negative": rf"(?i:\b(?:negative|minus) )((?:about |approximately )?[$€£]?{_D}(?: ?(?:%|\w+))?)",
    "parentheses": rf"\([$€£]?{_D}\)?(?: (?:million|billion))?%?\)?",
    "decline": rf"(?i:\b(?:fell|declined|decreased|down|dropped|lower by) (?:by |about |approximately )?)"
    rf"([$€£]?{_D} ?(?:%|\w+)?)",
    "basis points": rf"(?:{_D}|(?i:{_MANY})) (?:basis points?|bps|BPs|percentage points?|points)",
    "multiple": rf"(?:{_D}|(?i:{_MANY}))(?:x\b| times\b| turns?\b|[ -]?fold\b)",
    "per": rf"[$€£]{_D}(?: (?:million|billion))? (?:per|a|an) (?:share|barrel|ton|day|pound|unit|square"
    r"|gallon|month|year|ounce|customer)",
    "compound": r"(?:[$]?\d+ (?:billion|million|dollars?) (?:and )?[$]?\d+|a dollar(?: and)? \d\d)"
    r"(?: (?:million|thousand|cents))?",
    "bare amount": rf"(?<![$€£\d.,]){_D} (?:million|billion|thousand)(?! (?:dollars|euros|pounds|shares))",
    "magnitude letter": rf"[$€£]?{_D} ?(?:MM?|[BK]|bn|mn|k|m)\b",
    "count": r"(?<![$€£\d.,-])\d{2,3}(?:,\d{3})* [a-z]+s\b",
    "digits and a hyphen": rf"(?<![$\w.,-]){_D}-(?:year|month|day|week|store|bed|acre|megawatt|basis)",
    "approximation": rf"(?i:\b(?:almost|nearly|over|north of|upwards of|in excess of|plus or minus) )"
    rf"([$€£]?{_D}(?: ?(?:%|\w+))?)",
    "quarter": r"(?i:\b(?:(?:first|second|third|fourth) (?:fiscal )?(?:quarter|half)|[QH][1-4]|[1-4][QH])"
    r"(?:(?: of)?(?: fiscal)? ?(?:20)?\d\d)?)",
    "fiscal year": r"(?i:\b(?:fiscal|FY|full[ -]year|calendar)(?: year)? ?['’]? ?(?:20)?\d\d)",
    "year": r"(?<![\d/$.,-])(?:19|20)\d\d(?![\d,%.]\d|/)",
    "any digits": rf"(?<![\w$€£.,/-]){_D}(?![\w/-])",
}  # fmt: skip
NO_QUANTITIES = {
    "index": r"\b(?:S&P|Russell|Fortune|NASDAQ|Nasdaq|FTSE|Nikkei|STOXX|CAC|Inc\.) (\d+)",
    "form": r"\b(?:Form )?(\d+-?[KQF])\b",
    "standard": r"\b(?:ASC|ASU|IFRS|IAS|ISO|SFAS|GAAP|FAS|NFPA)[ -]?(\d[\d.-]*)",
    "section": r"\b(?:Section|Chapter|Title|Rule|Schedule|Part|Article|Regulation|Proposition) (\d+\w*)",
    "plan": r"\b(40[13]\(?[kb]\)?|529|1031|340B|503B|10b5-1|501\(c\)|1099|45Q|45X)",
    "date": rf"\b(?:{_MONTH}) (\d{{1,2}}(?:st|nd|rd|th)?)\b(?! ?(?:%|percent|million|quarter))",
    "date the other way": rf"\b(\d{{1,2}}(?:st|nd|rd|th)?)(?: of)? (?:{_MONTH})\b",
    "digits of a date": r"(?<![\d$.])(\d{1,2}/\d{1,2}(?:/\d{2,4})?)(?![\d%])",
    "phone": r"(\(?\d{3}\)?[ -]+\d{3}[ -]\d{4})",
    "pass code": r"(?i:\b(?:pass ?code|conference ID|access code|ID|replay code|pin)[^.\d]{0,20})(\d{4,})",
    "time of day": r"\b(\d{1,2}(?::\d\d)?) ?(?:a\.m|p\.m|AM|PM|am|pm|o'clock)",
    "slide": r"(?i:\b(?:slides?|pages?|exhibit|figure|chart|table|note|footnote|appendix|item) )"
    rf"(?:number )?(\d+|(?i:{_MANY}))\b",
    "ordinal": r"(?i:\b(?:our|the|a|its|their) )((?i:first|second|third|fourth|fifth|sixth|tenth|\d+th|\d+rd))"
    r" (?!quarter|half|fiscal|and|of|qtr|Q)",
    "one": r"(?i:\b(one) (?:of|thing|other|more|last|quick|or|way|area|that|is|could|would)\b)",
    "numbered": r"(?i:\b(?:number|priority|question|point|No\.?|bucket|pillar|step|wave|horizon) )"
    r"((?i:one|two|three|four|\d+))\b",
    "phase": r"(?i:\b(?:Phase|Tier|Level|Stage|Class|Category|Type|Generation|Gen|Version|Zone|Series)[ -])"
    r"(\d+\w?|I{1,3}V?|(?i:one|two|three))\b",
    "letters and digits": r"\b([A-Z]{1,4}-?\d{1,4}[A-Za-z]{0,3})\b",
    "digits and letters": r"\b(\d{1,3}(?:G|D|Ah|FE|XL|er|nm|W|Gb|kV|P|H|L|V|MAX|NEO|neo))\b",
    "name and digits": rf"(?<=[a-z] )(?!Q|H|FY|Slide|Page|Phase|{_MONTH})(?:[A-Z][A-Za-z]+) (\d{{1,4}})\b"
    r"(?!,?\d|[.%]\d| ?(?:%|percent|million|billion))",
    "plane": r"\b(7[0-8]7|A3[0-9]{2}|737[ -](?:MAX|800)|A220)\b",
    "virus": r"(?i:\b(?:COVID|H1N1|SARS-CoV|CoV|COVID-)-?)(\d+)",
    "always": r"(?<!\d)(24 ?/ ?7|24 by 7|360(?:-| )degrees?|365|80[-/]20|50/50|9/11)(?!\d)",
    "version": r"\b(?!Q|FY)(?:[A-Z]\w+) (\d\.\d)\b(?! ?(?:%|percent|million|billion|times|x))",
    "vague digits": r"(?i:\b(?:mid|low|high|upper|lower|early|late)[ -](?:to[ -](?:mid|high)[ -])?)"
    r"((?i:single|double|triple|teens|twenties|thirties|forties|fifties|\d0s|\d0's))\b",
    "joined word": rf"(?i:\b((?:one|{_MANY}|single|double|first|second|third))-(?:pronged|fold|time|way|"
    r"party|off|on-one|step|sided|wheeler|class|tier|star|piece|dimensional|stop|hand|ever|line|rate))",
    "address": r"\b(\d{2,5}) (?:[A-Z]\w+ )?(?:Street|Avenue|Broadway|Boulevard|Road|Drive|Park)\b",
    "decade": r"\b((?:19|20)?\d0s|'\d0s)\b",
    "business": r"\b([BPDOC]2[BCPO]|Web ?3(?:\.0)?|Industry 4\.0|[A-Z]{2,5}\d{1,2})\b",
    "half of a month": rf"(?i:\b(first|second|back|early) (?:half|part|week) of (?:{_MONTH}|the month))",
    "pronoun": r"(?i:\b((?:the|these|those|all|both|last) (?:two|three|ones?)) (?:are|were|that|have|is)\b)",
}  # fmt: skip


def used_lines(path: Path) -> dict[tuple[str, str], list[int]]:
    """Return the lines (ECTSum) or token offsets (Earnings-21) that labels already point to."""
    used: dict[tuple[str, str], list[int]] = defaultdict(list)
    with path.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            place = row["line"] if row["source"] == "ectsum" else row["start"]
            used[row["source"], row["file"]].append(int(place))
    return used


def call_lines(data: Path, source: str, name: str) -> list[tuple[int, int, str]]:
    """Return (number, offset, text) of a call's lines, or of its sentences for Earnings-21."""
    path = data / source / name
    if source == "ectsum":
        lines = path.read_text(encoding="utf-8").split("\n")
        return [(nth, 0, line) for nth, line in enumerate(lines, start=1)]
    text, _, _ = read_call(path)
    found, at = [], 0
    for nth, part in enumerate(re.split(r"(?<=[.?!]) ", text), start=1):
        found.append((nth, at, part))
        at += len(part) + 1
    return found


def draw(
    data: Path, forms: dict[str, str], per_form: int, rng: np.random.Generator
) -> list[list[str]]:
    """Return rows of form, source, file, line, start, end and the words around the mention."""
    used = used_lines(MENTIONS)
    files = [("ectsum", str(p.relative_to(data / "ectsum"))) for p in data.glob("ectsum/*/ects/*")]
    files += [("earnings21", f"nlp/{p.name}") for p in data.glob("earnings21/nlp/*")] * 8
    files = [sorted(files)[nth] for nth in rng.permutation(len(files))]
    patterns = {name: re.compile(form) for name, form in forms.items()}
    counts: Counter[str] = Counter()
    seen: set[tuple[str, str, int]] = set()
    rows = []
    for source, name in files:
        open_forms = [form for form in forms if counts[form] < per_form]
        if not open_forms:
            break
        lines = call_lines(data, source, name)
        spans = read_call(data / source / name)[1] if source == "earnings21" else []
        for form in open_forms:
            hits = [(line, m) for line in lines for m in patterns[form].finditer(line[2])]
            if not hits:
                continue
            (nth, at, text), match = hits[rng.integers(len(hits))]
            first, last = match.span(1 if patterns[form].groups else 0)
            start, end, taken = first, last, nth in used[source, name]
            if source == "earnings21":  # pointers into it are tokens
                inside = [n for n, (a, b) in enumerate(spans) if a < at + last and b > at + first]
                start, end = inside[0], inside[-1] + 1
                taken = any(abs(place - start) < 40 for place in used[source, name])
            if taken or (source, name, nth) in seen:
                continue
            seen.add((source, name, nth))
            counts[form] += 1
            around = (
                f"{text[max(0, first - 80) : first]}[[{text[first:last]}]]{text[last : last + 50]}"
            )
            line = str(nth) if source == "ectsum" else ""
            rows.append([form, source, name, line, str(start), str(end), around])
    return rows


def main() -> None:
    """Print the drawn rows of all forms, and the count of each form as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--per-form", type=int, default=8, help="mentions of each form")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    rows = draw(args.data, QUANTITIES | NO_QUANTITIES, args.per_form, rng)
    rows.sort(key=lambda row: row[0])
    for row in rows:
        print("|".join(row))
    print(json.dumps(Counter(row[0] for row in rows)))


if __name__ == "__main__":
    main()
