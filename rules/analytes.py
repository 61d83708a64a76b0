"""The catalogue of analytes: names, LOINC codes, units, plausible ranges, factors between dimensions.

The data is library/analytes.yaml. Whether one result is believed is `rules.reading`; which results count is
`rules.history`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from rules.library_files import read_library
from rules.units import unit_of


class AnalyteKind(StrEnum):
    """How a result is read: as a number with a believed unit, or by its word, flag or own limit."""

    QUANTITY = "quantity"
    QUALITATIVE = "qualitative"
    ARBITRARY = "arbitrary"


@dataclass(frozen=True, slots=True)
class Crossing:
    """1 `unit` is `factor` of the analyte's canonical unit. `checked`: primary, secondary or no."""

    unit: str
    factor: Decimal
    checked: str
    source: str


@dataclass(frozen=True, slots=True)
class Analyte:
    """What can be measured.

    `loinc` names the property each code promises: a dimension, two joined by "|", "arbitrary" or "presence",
    with " uncapped" after it where a `>` result is not taken. `certainty` is N, C, P or M for each code (see
    the YAML). `crossings` turns a number in a base unit into the canonical unit, exactly, for each dimension.
    `hard_low` and `hard_high` bound what is plausible, in the canonical unit, both included.
    `default_window_days` None: any time.
    """

    name: str
    display: str
    kind: AnalyteKind
    canonical_unit: str
    hard_low: Decimal | None
    hard_high: Decimal | None
    loinc: Mapping[str, str]
    certainty: Mapping[str, str]
    crossings: Mapping[str, Decimal]
    factors: tuple[Crossing, ...]
    default_window_days: int | None
    invalidating_notes: frozenset[str]
    panels: frozenset[str]
    ordered_as: re.Pattern[str] | None
    computed: str
    unmapped: Mapping[str, str]


ARBITRARY = "arbitrary"
PRESENCE = "presence"
_UNCAPPED = " uncapped"


def dimensions_of(code_property: str) -> frozenset[str]:
    """The dimensions that a LOINC property allows: "mass|molar uncapped" allows mass and molar."""
    return frozenset(code_property.removesuffix(_UNCAPPED).split("|"))


def refuses_capped(code_property: str) -> bool:
    """Whether a `>` result of such a code is not taken (high-sensitivity CRP above its measuring range)."""
    return code_property.endswith(_UNCAPPED)


def analyte_by_loinc(code: str) -> tuple[Analyte, str] | None:
    """The analyte of a LOINC code and the property the code promises; None when the code is not mapped."""
    return _BY_LOINC.get(code)


def why_unmapped(code: str) -> str | None:
    """What a code that looks like one of ours really is, when the catalogue says so."""
    return _LOOKALIKES.get(code)


def loinc_check_digit_ok(code: str) -> bool:
    """Whether `code` is digits, a hyphen and the right mod-10 check digit."""
    if not re.fullmatch(r"[0-9]{1,7}-[0-9]", code):
        return False
    doubled = [int(d) * (2 if i % 2 == 0 else 1) for i, d in enumerate(reversed(code[:-2]))]
    return (sum(n // 10 + n % 10 for n in doubled) + int(code[-1])) % 10 == 0


def to_canonical(analyte: Analyte, base: Decimal, dimension: str) -> Decimal | None:
    """`base` (in the dimension's base unit) in the canonical unit; None when no factor is known."""
    factor = analyte.crossings.get(dimension)
    return None if factor is None else base * factor


def catalogue_rows() -> list[dict[str, str]]:
    """The catalogue as a table of texts, by name: what `ferrule rules analytes` prints."""
    return [_row(CATALOGUE[name]) for name in sorted(CATALOGUE)]


def _row(analyte: Analyte) -> dict[str, str]:
    plausible = f"{analyte.hard_low} to {analyte.hard_high}" if analyte.hard_low is not None else ""
    window = analyte.default_window_days
    return {
        "analyte": analyte.name,
        "display": analyte.display,
        "kind": analyte.kind.value,
        "unit": analyte.canonical_unit,
        "plausible": plausible,
        "window": "any time" if window is None else f"{window} d",
        "loinc": " ".join(f"{c}({analyte.certainty[c]},{p})" for c, p in analyte.loinc.items()),
        "factors": "; ".join(f"1 {c.unit} = {c.factor} ({c.checked}: {c.source})" for c in analyte.factors),
        "computed": analyte.computed,
    }


# ── reading the catalogue ────────────────────────────────────────────────────────────────────────────


def _analyte(name: str, entry: Mapping[str, Any]) -> Analyte:
    kind = AnalyteKind(entry.get("kind", "quantity"))
    codes = entry.get("codes", {})
    low, high = entry.get("plausible", (None, None))
    factors = tuple(_crossing(c) for c in entry.get("crossings", ()))
    ordered_as = entry.get("ordered_as")
    return Analyte(
        name=name,
        display=entry["display"],
        kind=kind,
        canonical_unit=entry.get("unit", ""),
        hard_low=None if low is None else Decimal(low),
        hard_high=None if high is None else Decimal(high),
        loinc=MappingProxyType({code: prop for prop, by_code in codes.items() for code in by_code}),
        certainty=MappingProxyType({c: mark for by_code in codes.values() for c, mark in by_code.items()}),
        crossings=MappingProxyType(dict(_crossings(name, entry.get("unit"), factors))),
        factors=factors,
        default_window_days=entry["window"],
        invalidating_notes=frozenset(entry.get("spoiled_by", ())),
        panels=frozenset(entry.get("panels", ())),
        ordered_as=re.compile(ordered_as, re.IGNORECASE) if ordered_as else None,
        computed=entry.get("computed", ""),
        unmapped=MappingProxyType(entry.get("not", {})),
    )


def _crossing(entry: Mapping[str, str]) -> Crossing:
    return Crossing(entry["from"], Decimal(entry["factor"]), entry["checked"], entry["source"])


def _crossings(name: str, unit: str | None, factors: tuple[Crossing, ...]) -> Iterator[tuple[str, Decimal]]:
    """From each dimension's base unit to the canonical unit; the factors of units are powers of ten."""
    if unit is None:
        return
    for text, factor in ((unit, Decimal(1)), *((c.unit, c.factor) for c in factors)):
        known = unit_of(text)
        if known is None:
            raise ValueError(f"analytes.yaml: {name}: unknown unit {text!r}")
        yield known.dimension, factor / known.factor


def _by_loinc() -> Iterator[tuple[str, tuple[Analyte, str]]]:
    seen: set[str] = set()
    for analyte in CATALOGUE.values():
        for code, code_property in analyte.loinc.items():
            if code in seen or not loinc_check_digit_ok(code):
                raise ValueError(f"analytes.yaml: {analyte.name}: {code} is mapped twice or mistyped")
            seen.add(code)
            yield code, (analyte, code_property)


CATALOGUE: Mapping[str, Analyte] = MappingProxyType(
    {name: _analyte(name, entry) for name, entry in read_library("analytes.yaml").items()}
)
"""Every analyte by its name."""

_BY_LOINC = dict(_by_loinc())
_LOOKALIKES = {code: what for analyte in CATALOGUE.values() for code, what in analyte.unmapped.items()}
