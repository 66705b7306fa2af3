"""Business context coherence: whether the statements of an answer are right.

Each statement of the answer (``finllm.scoring.statements``) is compared with those of the
reference, the source and the answer itself. It is then supported, contradicted ("revenue fell
12 %" if the call says that it rose 12 %) or unverifiable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finllm.scoring.statements import (
    Statement,
    directions_conflict,
    periods_conflict,
    statements,
    values_agree,
)

VERDICTS = ("supported", "contradicted", "unverifiable")
UNVERIFIABLE_WORTH = 0.5  # halfway between supported and contradicted
_SCALES = (1e3, 1e6, 1e9)


@dataclass(frozen=True)
class Coherence:
    """Shares of the answer's statements by verdict, and their coverage of the reference."""

    n_statements: int
    supported: float
    contradicted: float
    unverifiable: float
    coverage: float | None  # of the reference's statements; None without a reference

    @property
    def consistency(self) -> float:
        """Share of supported statements plus half the share of unverifiable ones, in 0 to 1."""
        return self.supported + UNVERIFIABLE_WORTH * self.unverifiable

    @property
    def score(self) -> float:
        """Harmonic mean of consistency and coverage, or consistency without a reference.

        An answer without statements scores 0, unless the reference has none either.
        """
        if self.coverage is None:
            return self.consistency
        total = self.consistency + self.coverage
        return 2 * self.consistency * self.coverage / total if total else 0.0


def coherence(candidate: str, reference: str, source: str) -> Coherence:
    """Judge the statements of a candidate by the reference and the source.

    Statements are paired one to one with those of the reference that have the same value or,
    without a value, the same item. A paired statement is supported if nothing conflicts, and
    contradicted if direction or period do. The source decides on statements that the reference
    does not settle. A value that differs from the reference's for the same item, period and
    comparison is contradicted, unless the source states it.
    """
    said, wanted, known = statements(candidate), statements(reference), statements(source)
    if not candidate.strip():
        return Coherence(0, 0.0, 0.0, 0.0, 0.0)
    if not said:
        vacuous = float(bool(reference.strip()) and not wanted)
        return Coherence(0, vacuous, 0.0, 0.0, vacuous)
    pairs = _align(said, wanted)
    taken = set(pairs.values())
    left = [statement for j, statement in enumerate(wanted) if j not in taken]
    verdicts = []
    covered = 0.0
    for i, statement in enumerate(said):
        match = wanted[pairs[i]] if i in pairs else None
        covered += credit(statement, match) if match else 0.0
        verdicts.append(_verdict(statement, match, left, known, said))
    shares = [verdicts.count(name) / len(said) for name in VERDICTS]
    coverage = covered / len(wanted) if wanted else None if not reference.strip() else 1.0
    return Coherence(len(said), *shares, coverage)


def credit(said: Statement, wanted: Statement) -> float:
    """Return the agreement of two statements, from 0 if they conflict to 1 if they are equal.

    It is the share of fields with equal contents among the fields that either statement fills.
    """
    if not _same_subject(said, wanted) or _conflict(said, wanted) or _items_differ(said, wanted):
        return 0.0
    fields = [
        (said.item, wanted.item),
        (said.direction, wanted.direction),
        (said.period and said.period.text, wanted.period and wanted.period.text),
        (said.basis, wanted.basis),
        (said.comparison, wanted.comparison),
        (said.outlook, wanted.outlook),
        (said.negated, wanted.negated),
    ]
    filled = [a == b for a, b in fields if a or b]
    if said.value and wanted.value:
        same = said.value.text == wanted.value.text
        filled += [True, same]  # a value equal within rounding earns one of the two fields
    return sum(filled) / len(filled) if filled else 0.0


def _same_subject(a: Statement, b: Statement) -> bool:
    """Return whether two statements share a value or, if neither has one, a subject."""
    if a.value or b.value:
        return a.value is not None and b.value is not None and values_agree(a.value, b.value)
    if a.item or b.item:
        return a.item == b.item or not (a.item and b.item)
    return bool(a.direction and b.direction) or bool(a.period and b.period)


def _conflict(a: Statement, b: Statement) -> bool:
    """Return whether the directions or the periods of two statements exclude each other."""
    return directions_conflict(a.direction, b.direction) or periods_conflict(a.period, b.period)


def _items_differ(a: Statement, b: Statement) -> bool:
    return bool(a.item and b.item) and a.item != b.item


def _align(said: Sequence[Statement], wanted: Sequence[Statement]) -> dict[int, int]:
    """Pair statements on one subject one to one, those that agree most first."""
    options = []
    for i, a in enumerate(said):
        for j, b in enumerate(wanted):
            if _same_subject(a, b):
                worth = credit(a, b)
                options.append((-worth, _items_differ(a, b), abs(i - j), i, j))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, _, i, j in sorted(options):
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return pairs


def _verdict(
    statement: Statement,
    match: Statement | None,
    left: Sequence[Statement],
    known: Sequence[Statement],
    said: Sequence[Statement],
) -> str:
    """Return the verdict on a statement, one of VERDICTS.

    The reference decides first, then the answer itself, the source, and the statements of the
    reference that are ``left`` without a partner.
    """
    if match is not None and credit(statement, match) == 1:
        return "supported"
    if any(_opposed(statement, other) for other in said):
        return "contradicted"
    if match is not None:
        if _conflict(statement, match):
            return "contradicted"
        if not _items_differ(statement, match):
            return "supported"
    found = _in_source(statement, known)
    if found == "unverifiable":
        if match is not None or any(_revised(statement, other) for other in left):
            return "contradicted"
    return found


def _opposed(a: Statement, b: Statement) -> bool:
    """Return whether two statements give one item, period and value opposite directions."""
    if not a.item or a.item != b.item or not directions_conflict(a.direction, b.direction):
        return False
    if a.period is None or b.period is None or periods_conflict(a.period, b.period):
        return False
    return a.value is not None and b.value is not None and values_agree(a.value, b.value)


def _revised(a: Statement, b: Statement) -> bool:
    """Return whether two statements give one item and period different values of one kind."""
    if not (a.value and b.value and a.item and a.item == b.item and a.period and b.period):
        return False
    same_kind = a.value.text.split()[0] == b.value.text.split()[0]
    return same_kind and a.comparison == b.comparison and not periods_conflict(a.period, b.period)


def _in_source(statement: Statement, known: Sequence[Statement]) -> str:
    """Return the verdict of the source alone.

    A value is supported if the source has it without a different item, direction or period. It is
    contradicted if the source has it for the same item with the opposite direction or sign, in
    another period, or a power of a thousand larger or smaller. Without a value, the direction of
    the item decides.
    """
    if statement.value is None:
        return _claim_in_source(statement, known)
    same = [k for k in known if k.value is not None and values_agree(k.value, statement.value)]
    fits = [k for k in same if not _items_differ(statement, k)]
    if any(not _conflict(statement, k) for k in fits):
        return "supported"
    named = statement.item and any(k.item == statement.item for k in fits)
    if named or any(_misstated(statement, k) for k in known):
        return "contradicted"
    return "unverifiable"


def _claim_in_source(statement: Statement, known: Sequence[Statement]) -> str:
    """Return the verdict of the source on a statement without a value."""
    about = [
        k
        for k in known
        if (not statement.item or k.item == statement.item)
        and not periods_conflict(k.period, statement.period)
    ]
    if statement.period is not None:  # a period that the source never names settles nothing
        named = [k for k in about if k.period is not None]
        about = named or about if statement.item else named
    if not statement.direction:
        return "supported" if about else "unverifiable"
    ways = {k.direction for k in about}
    if statement.direction in ways:
        return "supported"
    opposed = statement.item and any(directions_conflict(statement.direction, w) for w in ways)
    return "contradicted" if opposed else "unverifiable"


def _misstated(a: Statement, b: Statement) -> bool:
    """Return whether two values of one item differ only in sign or by a power of a thousand."""
    if not (a.item and a.item == b.item and a.value and b.value):
        return False
    x, y = a.value.quantity, b.value.quantity
    if x is None or y is None or x.kind != y.kind or x.unit != y.unit or not x.value * y.value:
        return False
    if periods_conflict(a.period, b.period):
        return False
    ratio = x.value / y.value
    return any(
        abs(r - scale) <= 1e-6 * scale for r in (ratio, 1 / ratio) for scale in (*_SCALES, -1)
    )
