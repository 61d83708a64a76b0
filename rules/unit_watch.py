"""Whether a run of values looks like those of another unit than the one they came in. Pure; excludes nothing.

Robust: the median of the logarithms, against the source's own earlier values, else against what laboratories
report in the middle (library/typical.yaml). It tells operations to ask; a cohort may truly be ill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import log10
from statistics import median
from types import MappingProxyType

from rules.analytes import CATALOGUE, to_canonical
from rules.library_files import read_library
from rules.units import unit_of

LEAST_VALUES = 30
LEAST_BEFORE = 100
"""So many earlier values make a source its own measure."""

NEAR = 0.12
"""How near to another unit's factor a shift must be, in powers of ten: 0.12 is a third more or less."""
SMALLEST_OF_OWN = 0.11
"""The smallest factor that is told from the source's own earlier values: 1.3, of pmol/L and pg/mL of B12."""
SMALLEST_OF_ALL = 0.3
"""The smallest factor that is told from what laboratories report: their patients differ by less than 2."""


@dataclass(frozen=True, slots=True)
class Typical:
    """The middle of what laboratories report, in the canonical unit, and the units it may be meant in."""

    median: Decimal
    units: tuple[str, ...]


TYPICAL: Mapping[str, Typical] = MappingProxyType(
    {
        analyte: Typical(Decimal(entry["median"]), tuple(entry["units"]))
        for analyte, entry in read_library("typical.yaml").items()
    }
)


def looks_like(analyte: str, unit: str, newest: Sequence[Decimal], before: Sequence[Decimal]) -> str | None:
    """The unit that the `newest` values, which came in `unit`, look like; None when they look like `unit`.

    Values are in the canonical unit, as believed; `before` are the source's earlier ones.
    """
    typical = TYPICAL.get(analyte)
    amounts = [log10(value) for value in newest if value > 0]
    if typical is None or len(amounts) < LEAST_VALUES:
        return None
    own = [log10(value) for value in before if value > 0]
    own = own if len(own) >= LEAST_BEFORE else []
    shift = median(amounts) - (median(own) if own else log10(typical.median))
    smallest = SMALLEST_OF_OWN if own else SMALLEST_OF_ALL
    factors = {other: _factor(analyte, unit, other) for other in typical.units if other != unit}
    near = {
        other: abs(shift - factor)
        for other, factor in factors.items()
        if factor is not None and abs(factor) >= smallest
    }
    other = min(near, key=lambda one: near[one], default=None)
    return other if other is not None and near[other] < min(NEAR, abs(shift) / 2) else None


def _factor(analyte: str, unit: str, other: str) -> float | None:
    """How far values meant in `other` and believed in `unit` lie off, in powers of ten."""
    sizes = [_size(analyte, one) for one in (unit, other)]
    return log10(sizes[0] / sizes[1]) if sizes[0] and sizes[1] else None


def _size(analyte: str, unit: str) -> Decimal | None:
    known = unit_of(unit)
    return to_canonical(CATALOGUE[analyte], known.factor, known.dimension) if known else None
