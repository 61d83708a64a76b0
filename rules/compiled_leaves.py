"""Leaves as functions: the truth of each, and what it rests on where it is true.

What was never measured and what no record means is answered at once. Leaves that are rare are the reference
evaluator's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from rules import nodes
from rules.compiled import FALSE, NOTHING, TRUE, UNKNOWN, AbsentOf, Cells, EvidenceOf, Missing, TruthOf
from rules.compiled_results import ORDER, Picked, passing, picked_by
from rules.evaluate import not_on_record, result_evidence, spaced
from rules.facts import RecordKind, Result
from rules.findings import AbsentEvidence, Evidence
from rules.selecting import records_of
from rules.truth import Truth, all_of, any_of

Definition = Callable[[str], TruthOf]
"""The truth of a definition, by its name."""


def missing_of(leaf: nodes.Leaf) -> Missing:
    """The analytes that, measured, could make an unknown leaf true."""
    match leaf:
        case nodes.Measured(selection=s) | nodes.Counted(selection=s) | nodes.Preceded(selection=s):
            return frozenset({s.analyte})
        case nodes.Unsettled(until=until):
            return frozenset(until)
        case _:
            return NOTHING


def absent_of(leaf: nodes.Leaf, truth: TruthOf) -> AbsentOf | None:
    """What a leaf about records did not find; None for the others."""
    if not isinstance(leaf, nodes.OnRecord):
        return None

    def absent(cells: Cells) -> tuple[AbsentEvidence, ...]:
        return () if truth(cells) is TRUE else (not_on_record(leaf, cells.view),)

    return absent


def leaf_functions(leaf: nodes.Leaf, definition: Definition) -> tuple[TruthOf, EvidenceOf]:
    """The truth of a leaf, which the caller remembers, and its evidence."""
    match leaf:
        case nodes.Measured():
            return _measured(leaf)
        case nodes.Counted():
            return _counted(leaf)
        case nodes.Difference():
            return _difference(leaf)
        case nodes.Known(present=True):
            picked = picked_by(leaf.selection)
            return lambda cells: TRUE if picked(cells) else FALSE, _evidence(picked)
        case _:
            return _truth(leaf, definition), lambda cells: cells.reference.answer(leaf).evidence


def _truth(leaf: nodes.Leaf, definition: Definition) -> TruthOf:
    """The truth of a leaf whose evidence is the reference evaluator's."""
    match leaf:
        case nodes.OnRecord():
            return _on_record(leaf)
        case nodes.Known(selection=selection):
            picked = picked_by(selection)
            return lambda cells: FALSE if picked(cells) else TRUE
        case nodes.Unsettled(definition=name):
            meant = definition(name)
            return lambda cells: UNKNOWN if meant(cells) is TRUE else FALSE
        case nodes.Ordered():
            return _ordered(leaf)
        case nodes.Age():
            return _age(leaf)
        case _:
            return lambda cells: cells.reference.answer(leaf).truth


# ── results ──────────────────────────────────────────────────────────────────────────────────────────


def _evidence(telling: Picked) -> EvidenceOf:
    def evidence(cells: Cells) -> tuple[Evidence, ...]:
        return tuple(one for r in telling(cells) if (one := result_evidence(r)) is not None)

    return evidence


def _measured(leaf: nodes.Measured) -> tuple[TruthOf, EvidenceOf]:
    """`all` asks every result of the selection, the others whether any passes."""
    picked, passes = picked_by(leaf.selection), passing(leaf.test)
    combine = all_of if leaf.selection.which is nodes.Which.ALL else any_of

    def truth(cells: Cells) -> Truth:
        found = picked(cells)
        if len(found) == 1:
            return passes(cells, found[0])
        return combine(passes(cells, result) for result in found) if found else UNKNOWN

    return truth, _evidence(lambda cells: [r for r in picked(cells) if passes(cells, r) is TRUE])


def _counted(leaf: nodes.Counted) -> tuple[TruthOf, EvidenceOf]:
    picked = picked_by(replace(leaf.selection, which=nodes.Which.ANY))
    passes = passing(leaf.test)

    def apart(results: Iterable[Result]) -> list[Result]:
        return spaced(list(results), leaf.n, leaf.spacing)

    def telling(cells: Cells) -> list[Result]:
        return apart(r for r in picked(cells) if passes(cells, r) is TRUE)

    def truth(cells: Cells) -> Truth:
        found = picked(cells)
        if found and telling(cells):
            return TRUE
        unsure = (r for r in found if passes(cells, r) is not FALSE)
        return UNKNOWN if not found or apart(unsure) else FALSE

    return truth, _evidence(telling)


def _difference(leaf: nodes.Difference) -> tuple[TruthOf, EvidenceOf]:
    minuends, subtrahends = picked_by(leaf.minuend), picked_by(leaf.subtrahend)

    def truth(cells: Cells) -> Truth:
        high, low = minuends(cells), subtrahends(cells)
        pairs = ((a, b) for a in high for b in low)
        return any_of(cells.reference.differ(a, b, leaf) for a, b in pairs) if high and low else UNKNOWN

    return truth, _evidence(lambda cells: [*minuends(cells)[:1], *subtrahends(cells)[:1]])


# ── records and the patient ──────────────────────────────────────────────────────────────────────────


def _on_record(leaf: nodes.OnRecord) -> TruthOf:
    def truth(cells: Cells) -> Truth:
        return TRUE if leaf.concept in cells.on_record and records_of(cells.view, leaf) else FALSE

    return truth


def _ordered(leaf: nodes.Ordered) -> TruthOf:
    def truth(cells: Cells) -> Truth:
        view = cells.view
        if not view.records[RecordKind.ORDER] and not view.pending(leaf.analyte):
            return FALSE
        return cells.reference.answer(leaf).truth

    return truth


def _age(leaf: nodes.Age) -> TruthOf:
    holds = ORDER[leaf.op]

    def truth(cells: Cells) -> Truth:
        age = cells.view.age
        return UNKNOWN if age is None else TRUE if holds(age, leaf.years) else FALSE

    return truth
