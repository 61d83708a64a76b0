"""The limit each value was held against, read from the explanation that is kept with the alert.

The evaluator writes the limit it used into the note of each leaf (`rules.evaluate`); here it is put into a
reader's words and, for the chart, into numbers. A note of another shape gives no limit, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from rules.units import unit_of
from worker.web import words
from worker.web.evidence import unit_text

WORDS = {"<": "below", "<=": "at or below", ">": "above", ">=": "at or above"}
UNCROSSED = {"<": "not below", "<=": "above", ">": "not above", ">=": "below"}
_NUMBER = r"(?P<value>\d+(?:\.\d+)?) (?P<unit>[^\s;|]+)"
_RULES_OWN = re.compile(rf"limit (?P<op><=|>=|<|>) {_NUMBER}")
_LABORATORYS = re.compile(rf"laboratory's limit (?P<op>[<>]) {_NUMBER}")
_FALLBACK = re.compile(rf"no laboratory limit sent; (?P<op><=|>=|<|>) {_NUMBER}")


@dataclass(frozen=True, slots=True)
class Held:
    """One limit: which way a value crosses it, the number in its unit, whose it is, and if it was crossed."""

    op: str
    value: Decimal
    unit: str
    laboratory: bool
    crossed: bool = True

    @property
    def text(self) -> str:
        """ "above 914 pg/mL (laboratory)"."""
        whose = " (laboratory)" if self.laboratory else ""
        return f"{(WORDS if self.crossed else UNCROSSED)[self.op]} {self.number}{whose}"

    def said_in(self, unit: str) -> Held:
        """The same limit in the unit of the value beside it, where that is an exact scaling."""
        of, to = unit_of(self.unit), unit_of(unit)
        if of is None or to is None or of.dimension != to.dimension or of.code == to.code:
            return self
        return replace(self, value=shortest(self.value * of.factor / to.factor), unit=unit)

    @property
    def number(self) -> str:
        """The number and its unit."""
        return f"{words.number(f'{self.value:f}')} {unit_text(self.unit)}"


def shortest(value: Decimal) -> Decimal:
    """The number without zeros at its end."""
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()


def about(value: Decimal) -> str:
    """A converted number as people write it: as it is when short, else to three digits with a sign for it."""
    short = shortest(value)
    if len(short.as_tuple().digits) <= 3 or short == short.to_integral_value():
        return f"{short:f}"
    return f"≈ {shortest(round(value, 2 - value.adjusted())):f}"


def limits_by_result(tree: Mapping[str, Any]) -> dict[str, Held]:
    """Result key → the first limit that it crossed, else the first that it was held against."""
    found: dict[str, Held] = {}
    leaves = [node for node in _leaves(tree) if node["truth"] != "unknown"]
    for node in sorted(leaves, key=lambda node: node["truth"] != "true"):
        held = _read(node)
        for evidence in node["evidence"] if held else ():
            if held and "analyte" in evidence:
                found.setdefault(evidence["key"], held)
    return found


def _leaves(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if not node["parts"]:
        yield node
    for part in node["parts"]:
        yield from _leaves(part)


def _read(node: Mapping[str, Any]) -> Held | None:
    note, crossed = node["note"], node["truth"] == "true"
    for pattern, laboratory in ((_LABORATORYS, True), (_RULES_OWN, False), (_FALLBACK, False)):
        if found := pattern.search(note):
            return Held(found["op"], Decimal(found["value"]), found["unit"], laboratory, crossed)
    return None
