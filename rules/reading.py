"""From what was received to a believed reading, or the reason why it is not believed. Nothing is guessed.

Numbers are decimal text; a value counts only with a listed unit that fits the code's property and within
the analyte's plausible range. Antibodies and presence tests are read by flag, word, or the limit sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from rules.analytes import (
    ARBITRARY,
    PRESENCE,
    Analyte,
    AnalyteKind,
    dimensions_of,
    refuses_capped,
    to_canonical,
)
from rules.facts import Coded, Comparator, Quantity, Unusable
from rules.library_files import read_library
from rules.units import Unit, unit_of


@dataclass(frozen=True, slots=True)
class Reading:
    """A believed reading; `range_low` and `range_high` are the laboratory's limits in the reported unit."""

    quantity: Quantity | None = None
    coded: Coded | None = None
    range_low: Decimal | None = None
    range_high: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why it is not believed. `detail` is for people and never holds the value."""

    reason: Unusable
    detail: str


MAX_DIGITS = 18  # products with the catalogue's factors then stay exact in Decimal's 28 digits
_SIGNS = {"≤": "<=", "≥": ">=", "": "=", "less than": "<", "greater than": ">"}
_NUMBER = re.compile(
    r"\s*(<=|>=|<|>|=|≤|≥|less than(?= )|greater than(?= )|)"
    r"\s*\^?\s*([+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))\s*",
    re.IGNORECASE,
)
_TIMES_LIMIT = "xULN"


def read(
    analyte: Analyte,
    *,
    value: str,
    comparator: str | None = None,
    unit: str | None = None,
    interpretation: str | None = None,
    code_property: str | None = None,
    range_low: str | None = None,
    range_high: str | None = None,
) -> Reading | Refusal:
    """Read one result.

    `value` is as received, `<150`, `≥ 5` and `>^100` included. `code_property` is what `analyte_by_loinc`
    gave, or None when there was no LOINC code (any dimension of the analyte then fits).
    """
    low, high = _limits(range_low, range_high)
    asked = _properties(analyte, code_property)
    if analyte.kind is AnalyteKind.QUANTITY and asked != {PRESENCE}:
        quantity = _quantity(analyte, value, comparator, unit, asked)
        if isinstance(quantity, Refusal):
            return quantity
        if refuses_capped(code_property or "") and quantity.comparator in (Comparator.GT, Comparator.GE):
            return Refusal(Unusable.NOT_NUMERIC, "above the measuring range of a high-sensitivity method")
        return Reading(quantity, None, low, high)
    return _by_answer(value, comparator, unit, interpretation, low, high)


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────


def number(value: str, comparator: str | None = None) -> tuple[Comparator, Decimal] | None:
    """The sign and the number of a value, None when it is not one plain decimal number."""
    match = _NUMBER.fullmatch(value)
    if match is None or sum(c.isdigit() for c in match[2]) > MAX_DIGITS:
        return None
    written = _SIGNS.get(match[1].lower(), match[1])
    given = _SIGNS.get(comparator or "", comparator or "")
    if "=" != written != given != "=":
        return None
    sign = given if written == "=" else written
    amount = Decimal(match[2])
    if sign not in list(Comparator) or (amount == 0 and amount.is_signed()):
        return None
    return Comparator(sign), amount


def _limits(low: str | None, high: str | None) -> tuple[Decimal | None, Decimal | None]:
    """The laboratory's limits; a pair that makes no sense is no limit."""
    bottom, top = _limit(low), _limit(high)
    if top is not None and (top <= 0 or (bottom is not None and bottom > top)):
        return None, None
    return bottom, top


def _limit(text: str | None) -> Decimal | None:
    read_as = number(text) if text else None
    return read_as[1] if read_as and read_as[0] is Comparator.EQ and read_as[1] >= 0 else None


# ── quantities ───────────────────────────────────────────────────────────────────────────────────────


def _properties(analyte: Analyte, code_property: str | None) -> frozenset[str]:
    if code_property is not None:
        return dimensions_of(code_property)
    return frozenset(analyte.crossings).union(*(dimensions_of(p) for p in analyte.loinc.values()))


def _quantity(
    analyte: Analyte, value: str, comparator: str | None, unit: str | None, asked: frozenset[str]
) -> Quantity | Refusal:
    amount = number(value, comparator)
    if amount is None:
        return _not_numeric(value)
    known = _unit(unit, asked)
    if isinstance(known, Refusal):
        return known
    quantity = Quantity(amount[1], amount[0], known.code, known.dimension, amount[1] * known.factor)
    return quantity if _plausible(analyte, quantity) else _implausible(analyte, known)


def _not_numeric(value: str) -> Refusal:
    return Refusal(Unusable.NOT_NUMERIC, "not one plain decimal number" if value.strip() else "no value")


def _implausible(analyte: Analyte, unit: Unit) -> Refusal:
    bounds = f"{analyte.hard_low} to {analyte.hard_high} {analyte.canonical_unit}"
    return Refusal(Unusable.IMPLAUSIBLE, f"outside {bounds} as reported in {unit.code}")


def _unit(unit: str | None, asked: frozenset[str]) -> Unit | Refusal:
    if unit is None or not unit.strip():
        return Refusal(Unusable.UNIT_MISSING, "no unit")
    known = unit_of(unit)
    if known is None:
        return Refusal(Unusable.UNIT_UNKNOWN, "the unit is not on the list")
    if known.dimension not in asked:
        wanted = " or ".join(sorted(asked))
        return Refusal(Unusable.UNIT_PROPERTY_MISMATCH, f"{known.code} is no unit of {wanted}")
    return known


def _plausible(analyte: Analyte, quantity: Quantity) -> bool:
    """Whether the printed bound lies in the hard range; no range or no factor to its unit: not negative."""
    value = to_canonical(analyte, quantity.base, quantity.dimension)
    if value is None or analyte.hard_low is None or analyte.hard_high is None:
        return quantity.base >= 0
    return analyte.hard_low <= value <= analyte.hard_high


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────


def _table(content: Mapping[str, list[str]]) -> dict[str, Coded]:
    return {word: Coded(answer) for answer, words in content.items() for word in words}


_ANSWERS = read_library("answers.yaml")
_WORDS = _table(_ANSWERS["words"])
_CLEAR = _table(_ANSWERS["flags"]["clear"])
_LOOSE = _table(_ANSWERS["flags"]["loose"])


def _by_answer(
    value: str,
    comparator: str | None,
    unit: str | None,
    interpretation: str | None,
    low: Decimal | None,
    high: Decimal | None,
) -> Reading | Refusal:
    """By clear flag, else word, else loose flag, else the value against the limit sent in the same unit."""
    flag = _plain(interpretation)
    flagged = _CLEAR.get(flag) or _WORDS.get(_plain(value)) or _LOOSE.get(flag)
    amount = number(value, comparator)
    if amount is None:
        return Reading(None, flagged) if flagged else _not_numeric(value)
    if unit is None or not unit.strip():
        return Reading(None, flagged) if flagged else Refusal(Unusable.UNIT_MISSING, "no unit")
    quantity = _in_any_unit(amount, unit)
    if high is None and "".join(unit.split()) == _TIMES_LIMIT:
        high = Decimal(1)
    return Reading(quantity, flagged or _against(quantity, high), low, high)


def _in_any_unit(amount: tuple[Comparator, Decimal], unit: str) -> Quantity:
    known = unit_of(unit) or Unit(" ".join(unit.split()), ARBITRARY, Decimal(1))
    return Quantity(amount[1], amount[0], known.code, known.dimension, amount[1] * known.factor)


def _against(quantity: Quantity, high: Decimal | None) -> Coded | None:
    """Positive wholly above the limit, negative wholly at or below it, None when the limit does not tell."""
    if high is None:
        return None
    above = quantity.value > high or (quantity.value == high and quantity.comparator is Comparator.GT)
    if quantity.comparator in (Comparator.EQ, Comparator.LT, Comparator.LE):
        return _at_most(quantity, above)
    return Coded.POSITIVE if above else None


def _at_most(quantity: Quantity, above: bool) -> Coded | None:
    if not above:
        return Coded.NEGATIVE
    return Coded.POSITIVE if quantity.comparator is Comparator.EQ else None


def _plain(text: str | None) -> str:
    return " ".join((text or "").lower().split())
