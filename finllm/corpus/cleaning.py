"""Clean text: Unicode, white space, HTML remnants; figures stay exactly as written."""

from __future__ import annotations

import dataclasses
import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

import ftfy

from finllm.corpus import boilerplate, disclaimers, turns
from finllm.corpus.call_period import normalise_period
from finllm.corpus.laid_out import laid_out
from finllm.corpus.notation import standardise_transcript
from finllm.languages.detection import detect_language
from finllm.records import Reject, Transcript, Turn, to_json
from finllm.settings.params import Clean

# Replacements for str.translate; the rest of Unicode goes through _compatible.
_SINGLE = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"),
    **dict.fromkeys("\u2014\u2015", " - "),
    **dict.fromkeys("\u2028\u2029\u0085\x0b\x0c\x1e\x1d\x1c", "\n"),
}
_DASH_IN_RANGE = re.compile(r"(?<=[\d%])\s?[\u2014\u2015]\s?(?=[\d$\u20ac\u00a3])")
_CONTROL = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_SCRIPT = re.compile(r"(?is)<(script|style)\b[^>]{0,500}>.*?</\1\s*>|<!--.*?-->")
_BREAK = re.compile(r"(?i)</?(?:p|br|div|li|tr|h[1-6]|ul|ol|table)\b[^<>]{0,500}>")
_TAG = re.compile(
    r"(?i)</?(?!a\s*(?:[-\u2013\u2014:]|>:))(?:a|abbr|article|b|body|blockquote|center|em|font|footer|head|header|html|i|img"
    r"|link|main|meta|nav|section|small|span|strong|sub|sup|tbody|td|th|thead|title|u)\b[^<>]{0,500}>"
)
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,31}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")
_MARK = re.compile(
    r"(?i)[<\[](?:inaudible|crosstalk|cross-talk|silence|laugh(?:s|ter|ing)?|unk"
    r"|foreign(?: language)?|indiscernible|music(?: playing)?|technical difficult(?:y|ies)"
    r"|audio gap)(?: [\d:.]+)?[>\]]"
)
_SPACES = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r" ?\n[ \n]*")
GIVEN = "given"  # the layout recorded for calls whose source gives the turns


@lru_cache(maxsize=4096)
def _compatible(character: str) -> str:
    """Return the character's plain form, unless that would change a figure.

    NFKC turns "10\u00b2" into "102", "1\u00bd" into "11/2" and "\u2460" into "1": superscripts,
    fractions and enclosed forms stay. Wide, ligature and presentation forms become plain.
    """
    tag = unicodedata.decomposition(character).partition(" ")[0]
    if tag in ("<super>", "<sub>", "<fraction>", "<circle>", "<square>"):
        return character
    plain = unicodedata.normalize("NFKC", character)
    spacing_accent = plain.startswith(" ") and len(plain) > 1
    return character if spacing_accent else plain


def clean_text_counted(text: str, *, repair_mojibake: bool) -> tuple[str, Counter[str]]:
    """Clean a text as ``clean_text`` does, and count each kind of repair and removal."""
    counts: Counter[str] = Counter()
    if not text.isascii():
        if repair_mojibake:
            repaired = ftfy.fix_encoding(text)
            counts["mojibake_repaired"] += repaired != text
            text = repaired
        text = unicodedata.normalize("NFC", text)
        text = _DASH_IN_RANGE.sub("-", text)
        text = text.translate(str.maketrans(_SINGLE))
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "&" in text:
        text, counts["html_entities"] = _ENTITY.subn(lambda m: html.unescape(m.group()), text)
        if counts["html_entities"] and not text.isascii():
            text = text.translate(str.maketrans(_SINGLE))
    if "<" in text or "[" in text:
        text, counts["transcription_marks"] = _MARK.subn("", text)
    if "<" in text:
        text, n_scripts = _SCRIPT.subn(" ", text)
        text, n_breaks = _BREAK.subn("\n", text)
        text, n_tags = _TAG.subn("", text)
        counts["html_tags"] = n_scripts + n_breaks + n_tags
    text, counts["control_characters"] = _CONTROL.subn("", text)
    if not text.isascii():
        counts["replacement_characters"] = text.count("\ufffd")
        text = _NOT_ASCII.sub(lambda m: _compatible(m.group()), text.replace("\ufffd", ""))
    text = _LINE_ENDS.sub("\n", _SPACES.sub(" ", text)).strip()
    return text, +counts


def clean_text(text: str) -> str:
    r"""Clean text: straight quotes and dashes, single spaces, no markup, no control characters.

    Line breaks stay, one at a time: in several sources a line is a sentence. Figures, percentages
    and times are kept as written, so "1\u00bd" and "m\u00b2" are not normalised.

    >>> clean_text("Sales\u00a0rose 5\u201310%,<br>to \u20ac1\u00bd&nbsp;bn \u2014 \u201cwow\u201d")
    'Sales rose 5-10%,\nto €1½ bn - "wow"'
    """
    return clean_text_counted(text, repair_mojibake=True)[0]


def clean_transcript(
    transcript: Transcript,
    *,
    repair_mojibake: bool,
    infer_turns: bool,
    removable: tuple[str, ...],
) -> tuple[Transcript | Reject, Counter[str]]:
    """Clean a transcript, or reject it if no text is left, and count the changes.

    Parameters
    ----------
    transcript
        As a reader made it; its text may be dirty in any way.
    repair_mojibake
        Undo text that was decoded with the wrong code page.
    infer_turns
        Assign roles and sections to turns that have none (``turns.assign``).
    removable
        Kinds of boilerplate to remove, from ``boilerplate.KINDS``; empty keeps every word.

    Returns
    -------
    record, counts
        ``counts`` has ``words_before``, ``words_after``, ``words_removed_<kind>`` and the repairs.
    """
    counts: Counter[str] = Counter()
    cleaned = []
    for turn in transcript.turns:
        text, repairs = clean_text_counted(turn.text, repair_mojibake=repair_mojibake)
        counts.update(repairs)
        if text:
            cleaned.append(Turn(clean_text(turn.speaker), turn.role, turn.section, text))
        else:
            counts["empty_turns"] += 1
    counts["words_before"] = sum(len(turn.text.split()) for turn in cleaned)
    head, layout, cleaned = laid_out(cleaned, counts, infer_turns=infer_turns)
    if infer_turns:
        cleaned = turns.assign(cleaned)
        cleaned = turns.settled(cleaned) if layout or transcript.layout else cleaned
    if removable:
        cleaned, removed = boilerplate.remove(cleaned, kinds=removable)
        counts.update(removed)
    counts["words_after"] = sum(len(turn.text.split()) for turn in cleaned)
    if not counts["words_after"]:
        detail = f"{counts['words_before']} words before boilerplate removal, none after"
        return Reject(transcript.id, transcript.source, 0, "empty_text", detail), counts
    summary = transcript.summary and clean_text(transcript.summary) or None
    period = normalise_period(transcript.period)
    company, ticker = clean_text(transcript.company), clean_text(transcript.ticker) or head.ticker
    counts.update(["unreadable_periods"] if period is None else [])
    counts.update(["companies_from_heads"] if head.company and not company else [])
    record = dataclasses.replace(
        transcript,
        company=company or head.company or ticker,
        period=period or head.period,
        sector=clean_text(transcript.sector),
        language=transcript.language or detect_language("\n".join(turn.text for turn in cleaned)),
        turns=tuple(cleaned),
        summary=summary,
        ticker=ticker,
        date=transcript.date or head.date,
        layout=layout or transcript.layout,
    )
    return record, counts


def company_of_head(raw: Transcript | Reject, record: Transcript) -> bool:
    """Return whether a call's company comes from the head of its text, not from its source."""
    return isinstance(raw, Transcript) and not raw.company and bool(record.ticker)


def own_company(transcript: Transcript, *, policy: str) -> Transcript | Reject:
    """Return the transcript with a company: its own, or its id under policy ``id``; else a reject.

    Splits keep the calls of a company together, but calls of unknown companies do not share one.
    Under the policy ``id`` each gets its own id as company; under ``reject`` it is rejected. Under
    ``id`` two calls of the same unknown company can land on both sides of a split; near-duplicates
    still stay together.
    """
    if transcript.company:
        return transcript
    if policy == "reject":
        return Reject(transcript.id, transcript.source, 0, "no_company", "the source names none")
    return dataclasses.replace(transcript, company=transcript.id)


@dataclass
class Cleaned:
    """A cleaned batch of records: the kept ones as JSON lines, the rejects, and the counts."""

    lines: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    kept_by_source: Counter[str] = field(default_factory=Counter)
    by_layout: Counter[str] = field(default_factory=Counter)
    kept_by_language: Counter[str] = field(default_factory=Counter)
    tickers: list[str] = field(default_factory=list)  # one per line; "" if the head gave no company
    disclaimers: list[disclaimers.Candidate] = field(default_factory=list)


def cleaner_maker(clean: Clean) -> Callable[[], Callable[[Sequence[Transcript | Reject]], Cleaned]]:
    """Return a factory that builds the ``cleaner`` for these parameters, once in each process."""
    return partial(
        cleaner,
        repair_mojibake=clean.repair_mojibake,
        infer_turns=clean.infer_turns,
        removable=clean.remove_boilerplate,
        standardise_notation=clean.standardise_notation,
        company_for_missing=clean.company_for_missing,
    )


def cleaner(
    *,
    repair_mojibake: bool,
    infer_turns: bool,
    removable: tuple[str, ...],
    standardise_notation: bool,
    company_for_missing: str,
) -> Callable[[Sequence[Transcript | Reject]], Cleaned]:
    """Build a function that cleans a batch of records; arguments are the parameters of ``clean``.

    If repeated disclaimers are to be removed, the function only collects candidates:
    ``disclaimers.eraser`` can remove them once all calls have been seen.
    """

    def clean_one(record: Transcript | Reject, found: Cleaned) -> Transcript | Reject:
        if not isinstance(record, Reject):
            record, repairs = clean_transcript(
                record,
                repair_mojibake=repair_mojibake,
                infer_turns=infer_turns,
                removable=removable,
            )
            found.counts.update(repairs)
        if not isinstance(record, Reject):
            found.counts["without_company"] += not record.company
            record = own_company(record, policy=company_for_missing)
        if standardise_notation and not isinstance(record, Reject):
            record, n_lines = standardise_transcript(record)
            found.counts["lines_standardised"] += n_lines
        return record

    def clean(batch: Sequence[Transcript | Reject]) -> Cleaned:
        found = Cleaned(counts=Counter(records_read=len(batch)))
        for raw in batch:
            record = clean_one(raw, found)
            if isinstance(record, Reject):
                found.rejects.append(record)
                continue
            found.lines.append(to_json(record))
            found.kept_by_source[record.source] += 1
            found.by_layout[record.layout or GIVEN] += 1
            found.tickers.append(record.ticker if company_of_head(raw, record) else "")
            found.kept_by_language[record.language] += 1
            if boilerplate.REPEATED in removable:
                found.disclaimers += disclaimers.candidates(record)
        return found

    return clean


def lost(record: Transcript | Reject) -> Cleaned:
    """Return the batch for a record that crashed its worker process each time: one reject."""
    if not isinstance(record, Reject):
        detail = "its worker process died each time it was cleaned"
        record = Reject(record.id, record.source, 0, "crashed", detail)
    return Cleaned(counts=Counter(records_read=1), rejects=[record])
