"""Which results a bad specimen spoils: by its notes, and by a cell concentration that no cells can have.

A specimen is the results of one source with one specimen time. Spellings of notes are settled at intake; here
the words are those of the event format. What is not one of them spoils nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from rules.analytes import CATALOGUE, to_canonical
from rules.facts import Comparator, Result, Status

Specimen = tuple[object, ...]

SPOILS_ALL = ("contaminated", "diluted", "wrong-blood", "drip-arm")
CLOTTED = "clotted"
BLOOD_COUNT = frozenset(name for name, a in CATALOGUE.items() if CLOTTED in a.invalidating_notes)
MCHC_LIMIT_G_PER_L = Decimal(380)  # above it: agglutination or lipemia
_BY_MCHC = frozenset({"mcv", "mch", "rbc", "rdw", "rdw_sd"})  # never hemoglobin
_TAKEN_BACK = frozenset({Status.CANCELLED, Status.ENTERED_IN_ERROR})


def invalidated(results: Sequence[Result]) -> Mapping[str, str]:
    """The keys of the results not to be used, each with the reason in words. Give current versions.

    Only a note or an impossible cell concentration spoils anything: other specimens are not looked at.
    """
    suspect = {_specimen_of(r) for r in results if r.notes or _mchc_impossible(r)}
    spoiled: dict[str, str] = {}
    for specimen in _specimens(results, suspect) if suspect else ():
        spoiled |= _by_notes(specimen)
        spoiled |= _by_cell_concentration(specimen, spoiled)
    return spoiled


def _specimens(results: Sequence[Result], asked: Collection[Specimen]) -> list[list[Result]]:
    """The results of the specimens asked for."""
    groups: dict[Specimen, list[Result]] = defaultdict(list)
    for result in results:
        specimen = _specimen_of(result)
        if specimen in asked:
            groups[specimen].append(result)
    return list(groups.values())


def _specimen_of(result: Result) -> Specimen:
    """Source and specimen time; a result without a time is a specimen by itself."""
    at = result.effective_at
    return (result.source, at) if at is not None else (result.source, None, result.key)


def _by_notes(specimen: Sequence[Result]) -> dict[str, str]:
    spoiling = _spreading(specimen)
    reasons: dict[str, str] = {}
    for result in specimen:
        own = _own(result)
        if CLOTTED in spoiling and result.analyte in BLOOD_COUNT:
            own = own or CLOTTED
        note = next((n for n in SPOILS_ALL if n in spoiling), own)
        if note is not None:
            reasons[result.key] = f"specimen {note}"
    return reasons


def _spreading(specimen: Sequence[Result]) -> frozenset[str]:
    """Notes that go for the specimen whole, whichever result has them; `clotted` only from a blood count."""
    notes: set[str] = set()
    for result in specimen:
        if result.status is not Status.ENTERED_IN_ERROR:
            notes |= set(result.notes) & {*SPOILS_ALL, *((CLOTTED,) if result.analyte in BLOOD_COUNT else ())}
    return frozenset(notes)


def _own(result: Result) -> str | None:
    """The note on the result itself that spoils its analyte."""
    if result.analyte is None:
        return None
    bad = CATALOGUE[result.analyte].invalidating_notes
    return next((note for note in result.notes if note in bad), None)


def _by_cell_concentration(specimen: Sequence[Result], spoiled: Mapping[str, str]) -> dict[str, str]:
    if not any(_mchc_impossible(r) and r.key not in spoiled for r in specimen):
        return {}
    reason = f"MCHC above {MCHC_LIMIT_G_PER_L} g/L: cells clumped or plasma lipemic"
    return {r.key: reason for r in specimen if r.analyte in _BY_MCHC and r.key not in spoiled}


def _mchc_impossible(result: Result) -> bool:
    quantity = result.quantity
    if result.analyte != "mchc" or quantity is None or result.problem or result.status in _TAKEN_BACK:
        return False
    value = to_canonical(CATALOGUE["mchc"], quantity.base, quantity.dimension)
    if value is None or quantity.comparator in (Comparator.LT, Comparator.LE):
        return False
    return value > MCHC_LIMIT_G_PER_L or (
        value == MCHC_LIMIT_G_PER_L and quantity.comparator is Comparator.GT
    )
