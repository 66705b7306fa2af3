"""Terminal output of an exchange: the answers in columns, with their figures marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

from finllm.commands.chat.session import Exchange, Reply
from finllm.commands.terminal import BOLD, GREEN, RED, YELLOW, painted
from finllm.report.marked import CONTRADICTED, INVENTED, SUPPORTED, Piece

GAP = 3  # columns between two answers
NARROW = 30  # smallest width of a column; with less room, answers are printed one below the other
COLOURS = {"": "", SUPPORTED: GREEN, CONTRADICTED: YELLOW, INVENTED: RED}
SIGNS = {"": "", SUPPORTED: "", CONTRADICTED: "[?]", INVENTED: "[!]"}  # without colours
SAYS = {
    SUPPORTED: "in the call",
    CONTRADICTED: "with another sign or magnitude",
    INVENTED: "not in the call",
}

Word = list[tuple[str, str]]  # pieces (text, mark) without white space between them


def page(exchange: Exchange, *, width: int, colour: bool) -> str:
    """Return the replies in columns of a terminal's width, each with a summary of its figures."""
    names = list(exchange.replies)
    each = (width - GAP * (len(names) - 1)) // len(names)
    stacked = each < NARROW
    blocks = [
        _block(name, reply, width if stacked else each, colour=colour)
        for name, reply in exchange.replies.items()
    ]
    if stacked:
        return "\n\n".join("\n".join(text for text, _ in block) for block in blocks)
    rows = []
    for cells in zip_longest(*blocks, fillvalue=("", 0)):
        row = "".join(text + " " * (each + GAP - n) for text, n in cells)
        rows.append(row.rstrip())
    return "\n".join(rows)


def legend(*, colour: bool) -> str:
    """Return the line that explains the marks."""
    marks = [
        painted(SAYS[mark], COLOURS[mark]) if colour else f"{SIGNS[mark]} {SAYS[mark]}"
        for mark in ((SUPPORTED, CONTRADICTED, INVENTED) if colour else (CONTRADICTED, INVENTED))
    ]
    return f"figures: {', '.join(marks)}"


def _block(name: str, reply: Reply, width: int, *, colour: bool) -> list[tuple[str, int]]:
    """Return the lines of one column, each with its width in characters."""
    lines = [(painted(name, BOLD if colour else ""), len(name))]
    for words in lines_of(reply.pieces, width, signs=not colour):
        text, n = "", 0
        for word in words:
            text, n = (text + " ", n + 1) if n else (text, n)
            for part, mark in word:
                text += painted(part, COLOURS[mark] if colour else "")
                n += len(part)
        lines.append((text, n))
    known = [f"{n} {SAYS[mark]}" for mark, n in reply.figures.items() if n]
    end = ", stopped by the length limit" if reply.hit_limit else ""
    speed = f"{reply.n_new_tokens} tokens in {reply.seconds:.1f} s{end}"
    foot = [f"figures: {', '.join(known) or 'none'}", speed]
    for words in (lines_of([Piece(text, "")], width, signs=False) for text in ("", *foot)):
        flat = [" ".join(part for word in line for part, _ in word) for line in words]
        lines += [(text, len(text)) for text in flat or [""]]
    return lines


def lines_of(pieces: Sequence[Piece], width: int, *, signs: bool) -> list[list[Word]]:
    """Wrap marked text into lines of at most ``width`` characters; return the words of each line.

    Line breaks of the text are kept; a word longer than the width gets a line of its own. With
    ``signs``, each figure that the call does not support is followed by its sign.
    """
    lines: list[list[Word]] = []
    for words in _paragraphs(pieces, signs=signs):
        lines.append([])
        n = 0
        for word in words:
            long = sum(len(part) for part, _ in word)
            if n and n + 1 + long > width:
                lines.append([])
                n = 0
            n += long + (1 if n else 0)
            lines[-1].append(word)
    return lines


def _paragraphs(pieces: Sequence[Piece], *, signs: bool) -> list[list[Word]]:
    """Return the words of each line of the text."""
    found: list[list[Word]] = [[]]
    joined = False  # whether the next piece belongs to the last word
    for piece in pieces:
        sign = SIGNS[piece.mark] if signs else ""
        for token in re.findall(r"\n|[^\S\n]+|\S+", piece.text + sign):
            if token == "\n":
                found.append([])
                joined = False
            elif token.isspace():
                joined = False
            elif joined:
                found[-1][-1].append((token, piece.mark))
            else:
                found[-1].append([(token, piece.mark)])
                joined = True
    return found
