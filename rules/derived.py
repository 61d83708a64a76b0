"""Results computed from others of the same specimen time: transferrin saturation and the Mentzer index.

Give it the usable current versions only; what is unusable must not be computed with. A reported saturation of
the same time wins over a computed one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import product
from typing import NamedTuple

from rules.analytes import CATALOGUE, to_canonical
from rules.facts import Comparator, Quantity, Result, Status


class _Number(NamedTuple):
    """A number that the formulas take, with the result it was printed in."""

    result: Result
    analyte: str
    quantity: Quantity


_Found = Mapping[str, Sequence[_Number]]
_Formula = Callable[[Decimal, Decimal], Decimal]
_PRINTED = Decimal("0.01")
# Transferrin of 79.6 kDa binds two irons: 100 / (2 x 12.56).
_PER_TRANSFERRIN = Decimal("3.98")
_FLIPPED = {
    Comparator.EQ: Comparator.EQ,
    Comparator.LT: Comparator.GT,
    Comparator.LE: Comparator.GE,
    Comparator.GE: Comparator.LE,
    Comparator.GT: Comparator.LT,
}


def derived(results: Sequence[Result]) -> tuple[Result, ...]:
    """The saturations and Mentzer indices that the results allow, oldest first."""
    by_time: dict[datetime, dict[str, list[_Number]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        at, name, quantity = result.effective_at, result.analyte, result.quantity
        if name in _USED and at is not None and quantity is not None:
            by_time[at][name].append(_Number(result, name, quantity))
    return tuple(new for at in sorted(by_time) for new in _of_one_time(by_time[at]))


_USED = frozenset({"tsat", "iron", "tibc", "uibc", "transferrin", "mcv", "rbc"})


def _of_one_time(found: _Found) -> Iterator[Result]:
    if not found.get("tsat"):
        yield from _saturations(found)
    yield from _each("mentzer_index", found.get("mcv", ()), found.get("rbc", ()), lambda mcv, rbc: mcv / rbc)


def _saturations(found: _Found) -> Iterator[Result]:
    """By the first binding capacity that is there: TIBC, else UIBC, else transferrin."""
    for name, formula in _CAPACITIES.items():
        if found.get(name):
            yield from _each("tsat", found.get("iron", ()), found[name], formula)
            return


_CAPACITIES: Mapping[str, _Formula] = {
    "tibc": lambda iron, tibc: 100 * iron / tibc,
    "uibc": lambda iron, uibc: 100 * iron / (iron + uibc),
    "transferrin": lambda iron, transferrin: _PER_TRANSFERRIN * iron / transferrin,
}


def _each(
    name: str, tops: Sequence[_Number], bottoms: Sequence[_Number], formula: _Formula
) -> Iterator[Result]:
    for top, bottom in product(tops, bottoms):
        quantity = _quantity(name, top, bottom, formula)
        if quantity is not None:
            yield _result(name, top.result, bottom.result, quantity)


def _quantity(name: str, top: _Number, bottom: _Number, formula: _Formula) -> Quantity | None:
    """The formula's value, all of them rising with `top` and falling with `bottom`; None when it has none."""
    comparator, (numerator, denominator) = _sign(top, bottom), _on_one_scale(top, bottom)
    if comparator is None or numerator is None or denominator is None or denominator <= 0:
        return None
    value, analyte = formula(numerator, denominator), CATALOGUE[name]
    if analyte.hard_high is not None and value > analyte.hard_high:
        return None
    in_percent = analyte.canonical_unit == "%"
    return Quantity(
        value, comparator, analyte.canonical_unit, "fraction", value.scaleb(-2) if in_percent else value
    )


def _sign(top: _Number, bottom: _Number) -> Comparator | None:
    """The sign of the quotient; None when both are censored."""
    above, below = top.quantity.comparator, _FLIPPED[bottom.quantity.comparator]
    if above is Comparator.EQ:
        return below
    return above if below is Comparator.EQ else None


def _on_one_scale(top: _Number, bottom: _Number) -> tuple[Decimal | None, Decimal | None]:
    """Both as reported when iron and its capacity share a dimension (no factor needed), else canonical."""
    if top.quantity.dimension == bottom.quantity.dimension and _alike(top, bottom):
        return top.quantity.base, bottom.quantity.base
    return _canonical(top), _canonical(bottom)


def _alike(top: _Number, bottom: _Number) -> bool:
    return top.analyte == "iron" and bottom.analyte in ("tibc", "uibc")


def _canonical(number: _Number) -> Decimal | None:
    return to_canonical(CATALOGUE[number.analyte], number.quantity.base, number.quantity.dimension)


def _result(name: str, top: Result, bottom: Result, quantity: Quantity) -> Result:
    issued = [r.issued_at for r in (top, bottom) if r.issued_at is not None]
    return Result(
        key=f"derived:{name}:{top.key}+{bottom.key}",
        id=f"{top.id}+{bottom.id}",
        source=top.source,
        analyte=name,
        status=Status.FINAL,
        effective_at=top.effective_at,
        issued_at=max(issued, default=None),
        known_at=max(top.known_at, bottom.known_at),
        arrival=max(top.arrival, bottom.arrival),
        quantity=quantity,
        reported_value=f"{quantity.value.quantize(_PRINTED):f}",
        reported_unit=quantity.unit,
    )
