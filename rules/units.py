"""Units that are believed: an allow-list of spellings, each an exact multiple of its dimension's base unit.

A unit that is not listed in library/units.yaml is not a unit. Nothing here knows analytes: crossing from
one dimension to another (pmol/L to pg/mL) needs a molar mass and is `rules.analytes`' business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from rules.library_files import read_library


@dataclass(frozen=True, slots=True)
class Unit:
    """`code` is the UCUM spelling; one of it is exactly `factor` of the base unit of `dimension`."""

    code: str
    dimension: str
    factor: Decimal


_MICRO = re.compile("[\u00b5\u03bc]|mc(?=g|mol|L|l|IU|\\[|U|kat)")
_LITER = re.compile(r"(^|/)([dmunpf]?)l(?=/|$)")
_SPACE = re.compile(r"[ \u00a0\u202f]")


def unit_of(text: str) -> Unit | None:
    """The unit that `text` names, or None when it is not on the list."""
    return UNITS.get(_plain(text))


def _plain(text: str) -> str:
    """`text` without spaces, with u for micro and L for the liter (UCUM allows both l and L)."""
    return _LITER.sub(r"\1\2L", _MICRO.sub("u", _SPACE.sub("", text.strip())))


def _spellings(dimension: str, listed: list[dict[str, Any]]) -> Iterator[tuple[str, Unit]]:
    for entry in listed:
        unit = Unit(entry["code"], dimension, Decimal(entry["factor"]))
        for text in (unit.code, *entry.get("also", ())):
            yield _plain(text), unit


def _load() -> Iterator[tuple[str, Unit]]:
    seen: dict[str, Unit] = {}
    for dimension, content in read_library("units.yaml").items():
        for text, unit in _spellings(dimension, content["units"]):
            if seen.setdefault(text, unit) != unit:
                raise ValueError(f"units.yaml: {text!r} is both {seen[text].code} and {unit.code}")
            yield text, unit


UNITS: Mapping[str, Unit] = MappingProxyType(dict(_load()))
"""Every accepted spelling (spaces dropped, u for micro, L for the liter) and its unit."""

BASE_UNIT: Mapping[str, str] = MappingProxyType(
    {dimension: content["base"] for dimension, content in read_library("units.yaml").items()}
)
"""The base unit of each dimension: what a factor of 1 stands for."""
