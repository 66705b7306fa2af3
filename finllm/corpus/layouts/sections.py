"""Recognise lines that nobody speaks: section headings, lists, rules, page marks, tails."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

_DECORATION = " \t=*_#~\u2022\u25cf\u00b7|<>[]-\u2013\u2014"
RULE = re.compile(r"[\s=*_~.\u00b7\u2022\u2500-\u257f+-]{3,}")
_PREPARED = re.compile(
    r"(?:management'?s? |corporate |company )?(?:prepared remarks|presentation|opening remarks"
    r"|discussion section|prepared statements?)(?: section| session)?"
    r"|(?:full |edited |the )?(?:conference call |earnings call |call )?transcript",
    re.I,
)
_QUESTIONS = re.compile(
    r"(?:the )?(?:questions?(?: and | & |-and-|/)answers?|q ?(?:&|and) ?a)"
    r"(?:[ -](?:session|section|portion|period))?",
    re.I,
)
_LIST = re.compile(
    r"(?P<executive>(?:company|corporate|management|executive) participants?|executives"
    r"|company representatives|company speakers|participating executives)"
    r"|(?P<analyst>(?:conference call|other|analyst|external) partici?pi?ants?|analysts)"
    r"|(?P<mixed>(?:call )?participants|list of participants|call participants list|speakers)",
    re.I,
)
_CONTENTS = re.compile(r"(?:table of )?contents", re.I)
_PAGE_MARK = re.compile(
    r"(?:page )?\d{1,4}(?: of \d{1,4})?|page \d{1,4}.{0,40}"
    r"|[-\u2013\u2014] ?\d{1,4} ?[-\u2013\u2014]"
    r"|(?:\u00a9|\(c\) ?(?=\d)|copyright ).{0,200}"
    r"|.{0,60}(?:1-877-factset|callstreet\.com|spglobal\.com/marketintelligence).{0,60}"
    r"|(?:corrected|edited|bloomberg|final) transcript",
    re.I,
)
_FIRM_END = re.compile(r"\b(?:inc|corp|co|ltd|s\.a|n\.v)\.$", re.I)
MAX_RUNNING = 120  # characters of a line that is printed on every page
_ADVERTISEMENT = re.compile(
    r"\d+ stocks we like better than .*|when our analyst team has a stock tip.*"
    r"|(?:they|we) just revealed what they believe are .*|see the \d+ stocks.*"
    r"|\*?stock advisor returns as of .*"
    r"|follow .{2,60} \((?-i:[A-Z]+: ?[A-Z.]+)\)",
    re.I,
)
_TAIL = re.compile(
    r"duration: \d.{0,40}|more [\w.:& -]{1,40} (?:analysis|news)|read more current .{0,80}"
    r"|all earnings call transcripts|this article is a transcript of .*"
    r"|this article represents the opinion .*|(?:copyright|transcript) policy\b.*"
    r"|(?:\u00a9|\(c\) ?(?=\d)|copyright (?:\u00a9|\(c\)|20|19)).*"
    r"|(?:legal )?disclaimers?|definitions|disclosure(?:s|:.*)?|related (?:articles|links).*"
    r"|the information (?:contained (?:here|in event transcripts)|herein is based on sources).*"
    r"|(?:thomson reuters|refinitiv|lseg|factset|bloomberg"
    r"|s&p global)\b.{0,60} reserves? the right.*"
    r"|these materials have been prepared solely .*|transcript (?:by|provided by"
    r"|powered by) .{0,60}"
    r"|\[?end of (?:call|transcript|q&a|conference call|event)\]?\.?|\[end\]"
    r"|if you have any additional questions about our online transcripts.*"
    r"|\d+ stocks we like better than .*|when our analyst team has a stock tip.*"
    r"|where to invest \$.*|transcribed by .{0,60}|this article was generated .*"
    r"|\(?(?:note: )?(?:1\. )?this (?:document|transcript) has been edited .*|recommended for you"
    r"|this transcript is to be used for informational .*"
    r"|the motley fool (?:has|recommends|owns) .*|.{0,80} has no position in any of the stocks.*"
    r"|this transcript may not be 100 ?(?:percent|%) accurate.*|find this article"
    r"|about the author|should you (?:buy|invest) .{0,80}\?",
    re.I,
)


def plain(line: str) -> str:
    """Return a line without surrounding bullets, rules and other decoration.

    >>> plain("=== Questions and Answers: ==="), plain("**Operator**")
    ('Questions and Answers', 'Operator')
    """
    return line.strip(_DECORATION).rstrip(":").strip(_DECORATION)


def is_rule(line: str) -> bool:
    """Return whether a line is a drawn rule: "-----", "=====", "....."."""
    return bool(RULE.fullmatch(line))


def section_of(line: str) -> str:
    """Return the section that a heading opens, "prepared" or "qa"; "" if it opens none."""
    text = plain(line) if len(line) < 120 else ""
    if _QUESTIONS.fullmatch(text):
        return "qa"
    return "prepared" if _PREPARED.fullmatch(text) else ""


def list_role(line: str) -> str:
    """Return whose list a heading opens, "executive", "analyst" or "mixed"; "" if it opens none."""
    match = _LIST.fullmatch(plain(line)) if len(line) < 120 else None
    return match.lastgroup or "" if match else ""


def is_contents(line: str) -> bool:
    """Return whether a heading opens a table of contents."""
    return len(line) < 60 and bool(_CONTENTS.fullmatch(plain(line)))


def is_page_mark(line: str) -> bool:
    """Return whether a line is a page number or a publisher's running foot."""
    return len(line) < 260 and bool(_PAGE_MARK.fullmatch(line.strip()))


def is_advertisement(line: str) -> bool:
    """Return whether a line belongs to an advertisement that a page puts between speeches."""
    return len(line) < 600 and bool(_ADVERTISEMENT.fullmatch(line.strip()))


def running(lines: Sequence[str], *, is_speaker: Callable[[str], bool]) -> set[int]:
    """Return the lines of running heads and feet: page marks that recur, and what recurs by them.

    Digits do not count, since they number the pages. A line beside the marks is part of them if at
    least half of its occurrences are, unless it announces a speaker or ends a sentence.

    >>> page = ["We grew", "Page 2", "Acme Corp (ACM)", "by 5%.", "We", "Page 3", "Acme Corp (ACM)"]
    >>> sorted(running(page, is_speaker=str.isdigit))
    [1, 2, 5, 6]
    """
    masked = [re.sub(r"\d+", "#", line.casefold()) for line in lines]
    total = Counter(masked)
    found = {i for i, line in enumerate(lines) if total[masked[i]] > 1 and is_page_mark(line)}
    edge = found
    while edge:
        beside = {j for i in edge for j in (i - 1, i + 1) if 0 <= j < len(lines)} - found
        near = Counter(masked[i] for i in beside)
        edge = {
            i
            for i in beside
            if near[masked[i]] > 1
            and 2 * near[masked[i]] >= total[masked[i]]
            and _is_running(lines[i])
            and not is_speaker(lines[i])
        }
        found |= edge
    return found


def _is_running(line: str) -> bool:
    """Return whether a line could be printed on every page: it is no sentence and no heading."""
    is_sentence = line[-1] in ".?!" and not _FIRM_END.search(line)
    return len(line) <= MAX_RUNNING and not (is_sentence or is_rule(line) or is_mark(line))


def opens_tail(line: str) -> bool:
    """Return whether a publisher's additions after a call can begin with this line."""
    return bool(_TAIL.fullmatch(line.strip("-*_# \t\u2022|")))


def is_mark(line: str) -> bool:
    """Return whether a line opens a section, a list, a table of contents or the tail."""
    return len(line) < 2000 and bool(
        section_of(line) or list_role(line) or is_contents(line) or opens_tail(line)
    )
