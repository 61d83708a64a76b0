"""A condition as functions, and the cells in which they leave what they have answered for one view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rules.evaluate import Evaluator, Vocabulary
from rules.findings import AbsentEvidence, Evidence
from rules.history import View
from rules.truth import Truth

Missing = frozenset[str]
"""Analytes any one of which, measured, could make an unknown condition true."""

NOTHING: Missing = frozenset()
TRUE, FALSE, UNKNOWN = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN


class Cells:
    """What has been answered for one view: one cell for each leaf, one for each definition.

    `on_record` are the names of the concepts that any of the patient's records means.
    """

    __slots__ = ("definitions", "leaves", "missing", "on_record", "reference", "view")

    def __init__(self, view: View, vocabulary: Vocabulary, size: int, on_record: frozenset[str]) -> None:
        self.view = view
        self.on_record = on_record
        self.leaves: list[Truth | None] = [None] * size
        self.definitions: dict[str, Truth] = {}
        self.missing: dict[str, Missing] = {}
        self.reference = Evaluator(view, vocabulary)


TruthOf = Callable[[Cells], Truth]
MissingOf = Callable[[Cells], Missing]
EvidenceOf = Callable[[Cells], tuple[Evidence, ...]]
AbsentOf = Callable[[Cells], tuple[AbsentEvidence, ...]]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A condition as functions: its truth; what is `missing`, asked only where it is unknown; the `evidence`
    it rests on, asked only where it is true; what it found `absent`, None where it never looks for a record.
    """

    truth: TruthOf
    missing: MissingOf
    evidence: EvidenceOf
    absent: AbsentOf | None = None
