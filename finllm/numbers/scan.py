"""Fast search for everything in a text that may be a number.

Regular expressions skip from digit to digit and from number word to number word, so that Python
code runs only there.
"""

from __future__ import annotations

from finllm.numbers.atom import Atom
from finllm.numbers.digits import digit_atom, numbers_in
from finllm.numbers.spelled import WORDS, word_atom


def scan(text: str) -> list[Atom]:
    """Return the atoms of a lower-case text, in order of their start and without overlap.

    The text must begin and end with a line break, so that every number has neighbours.
    """
    found = (match for pattern in WORDS for match in pattern.finditer(text))
    words = [atom for match in found if (atom := word_atom(text, match)) is not None]
    words.sort(key=lambda atom: atom.start)
    atoms: list[Atom] = []
    nth, reach = 0, -1
    for match in numbers_in(text):
        start = match.start()
        while nth < len(words) and words[nth].start <= start:
            if words[nth].start >= reach:
                atoms.append(words[nth])
                reach = words[nth].end
            nth += 1
        if start < reach:
            continue
        atom = digit_atom(text, match, reach)
        if atom is not None:
            while nth < len(words) and words[nth].start < atom.end:
                nth += 1
            atoms.append(atom)
            reach = atom.end
    for word in words[nth:]:
        if word.start >= reach:
            atoms.append(word)
            reach = word.end
    return atoms
