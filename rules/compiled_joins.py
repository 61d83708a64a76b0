"""All, any, none, at least: each stops at the first part that decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from rules.compiled import FALSE, NOTHING, TRUE, UNKNOWN, AbsentOf, Cells, Compiled, EvidenceOf, Missing
from rules.findings import AbsentEvidence, Evidence
from rules.truth import Truth, at_least


def all_of(parts: Sequence[Compiled]) -> Compiled:
    """Every part. Unknown is settled by what settles each part that is unknown."""
    truths = [p.truth for p in parts]

    def truth(cells: Cells) -> Truth:
        answer = TRUE
        for part in truths:
            one = part(cells)
            if one is FALSE:
                return FALSE
            if one is UNKNOWN:
                answer = UNKNOWN
        return answer

    def missing(cells: Cells) -> Missing:
        return frozenset.intersection(*_missing_of_unknown(parts, cells))

    return Compiled(truth, missing, _evidence_of_true(parts), _absent(parts))


def any_of(parts: Sequence[Compiled]) -> Compiled:
    """At least one part. Unknown is settled by what settles any part that is unknown."""
    truths = [p.truth for p in parts]

    def truth(cells: Cells) -> Truth:
        answer = FALSE
        for part in truths:
            one = part(cells)
            if one is TRUE:
                return TRUE
            if one is UNKNOWN:
                answer = UNKNOWN
        return answer

    def missing(cells: Cells) -> Missing:
        return frozenset().union(*_missing_of_unknown(parts, cells))

    return Compiled(truth, missing, _evidence_of_true(parts), _absent(parts))


def none_of(parts: Sequence[Compiled]) -> Compiled:
    """No part is true; never unknown. What was not on record is its evidence."""
    truths = [p.truth for p in parts]
    absent = _absent(parts)

    def truth(cells: Cells) -> Truth:
        for part in truths:
            if part(cells) is TRUE:
                return FALSE
        return TRUE

    def evidence(cells: Cells) -> tuple[Evidence, ...]:
        return _once(absent(cells)) if absent else ()

    return Compiled(truth, lambda _: NOTHING, evidence)


def at_least_of(n: int, parts: Sequence[Compiled]) -> Compiled:
    """At least `n` of the parts. Unknown is settled by what settles any `n` that are not false."""

    def truth(cells: Cells) -> Truth:
        return at_least(n, [p.truth(cells) for p in parts])

    def missing(cells: Cells) -> Missing:
        possible = [p for p in parts if p.truth(cells) is not FALSE]
        groups = (_missing_of_unknown(group, cells) for group in combinations(possible, n))
        return frozenset().union(*(frozenset.intersection(*group) for group in groups))

    return Compiled(truth, missing, _evidence_of_true(parts), _absent(parts))


def remembered(name: str, inner: Compiled) -> Compiled:
    """A definition, answered once for each view."""

    def truth(cells: Cells) -> Truth:
        known = cells.definitions.get(name)
        if known is None:
            known = cells.definitions[name] = inner.truth(cells)
        return known

    def missing(cells: Cells) -> Missing:
        if name not in cells.missing:
            cells.missing[name] = inner.missing(cells)
        return cells.missing[name]

    return Compiled(truth, missing, inner.evidence, inner.absent)


def _missing_of_unknown(parts: Iterable[Compiled], cells: Cells) -> list[Missing]:
    return [p.missing(cells) for p in parts if p.truth(cells) is UNKNOWN]


def _evidence_of_true(parts: Sequence[Compiled]) -> EvidenceOf:
    def evidence(cells: Cells) -> tuple[Evidence, ...]:
        return _once(e for p in parts if p.truth(cells) is TRUE for e in p.evidence(cells))

    return evidence


def _absent(parts: Sequence[Compiled]) -> AbsentOf | None:
    looking = [p.absent for p in parts if p.absent is not None]

    def absent(cells: Cells) -> tuple[AbsentEvidence, ...]:
        return tuple(a for look in looking for a in look(cells))

    return absent if looking else None


def _once(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return tuple(dict.fromkeys(evidence))
