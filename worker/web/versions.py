"""Which versions of a result are worth showing: the one that counts, and each that said something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rules.facts import Result, Status
from rules.history import version_order
from worker.web.evidence import value_text

GONE = frozenset({Status.CANCELLED, Status.ENTERED_IN_ERROR})


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a result: the one that counts, or one that no longer does, and why."""

    result: Result
    gone: bool
    note: str


def versions_by_analyte(results: Sequence[Result]) -> dict[str, list[Version]]:
    """Every version worth showing, by analyte, oldest specimen first."""
    by_key: dict[str, list[Result]] = {}
    for result in results:
        if result.analyte is not None and result.effective_at is not None:
            by_key.setdefault(result.key, []).append(result)
    found: dict[str, list[Version]] = {}
    for versions in by_key.values():
        for version in _told_apart(sorted(versions, key=version_order)):
            found.setdefault(version.result.analyte or "", []).append(version)
    for listed in found.values():
        listed.sort(key=lambda v: (v.result.effective_at or v.result.known_at, not v.gone, v.result.key))
    return found


def _told_apart(versions: Sequence[Result]) -> list[Version]:
    """The newest version, and each older one that said something else."""
    newest = versions[-1]
    taken_back = newest.status in GONE
    kept = (
        [Version(newest, taken_back, _note(newest))]
        if newest.quantity or newest.coded or newest.problem
        else []
    )
    instead = f"{newest.status.value}" if taken_back else f"corrected to {result_text(newest)}"
    older = {result_text(r): r for r in versions[:-1] if result_text(r) != result_text(newest) or taken_back}
    return [*(Version(r, True, instead) for r in older.values() if r.quantity or r.coded), *kept]


def _note(result: Result) -> str:
    if result.status in GONE:
        return result.status.value
    if result.problem is not None:
        return f"not used: {result.problem.value.replace('-', ' ')}"
    return ", ".join((*([result.status.value] if result.status is Status.CORRECTED else []), *result.notes))


def result_text(result: Result) -> str:
    """The value as the laboratory reported it, sign and unit included."""
    if result.quantity is not None:
        unit = result.reported_unit or result.quantity.unit
        return value_text(result.quantity.comparator, f"{result.quantity.value:f}", unit)
    return result.coded.value if result.coded else f"{result.reported_value} {result.reported_unit}".strip()
