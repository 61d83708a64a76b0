"""One result against one limit: in the dimension it was reported in, else converted, unrounded."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rules.analytes import CATALOGUE
from rules.facts import Comparator, Quantity, Result
from rules.intervals import Interval
from rules.nodes import Between, CensoredWithin, Compare, Limit, Op
from rules.truth import Truth, all_of
from rules.units import unit_of


def to_canonical(analyte: str, dimension: str, base: Decimal) -> Decimal | None:
    """`base` (in the base unit of `dimension`) in the analyte's canonical unit; None where no factor is
    known."""
    factor = CATALOGUE[analyte].crossings.get(dimension)
    return None if factor is None else base * factor


def canonical(result: Result) -> Decimal | None:
    """The printed number in the analyte's canonical unit, its comparator left aside; else None."""
    if result.quantity is None or result.analyte is None:
        return None
    return to_canonical(result.analyte, result.quantity.dimension, result.quantity.base)


def canonical_interval(result: Result) -> Interval | None:
    """The values the result may stand for, in the analyte's canonical unit."""
    value = canonical(result)
    return (
        None if value is None or result.quantity is None else Interval.of(value, result.quantity.comparator)
    )


def compared(result: Result, op: Op, limits: Sequence[Limit]) -> Truth:
    """The result against the limit printed for its dimension; unknown when nothing fits."""
    pair = _same_scale(result, limits)
    if pair is None or result.quantity is None:
        return Truth.UNKNOWN
    value, limit = pair
    return Interval.of(value, result.quantity.comparator).compared(op, limit)


def between(result: Result, test: Between) -> Truth:
    """Whether the result lies in the range printed for its dimension."""
    low = Op.GT if test.low_open else Op.GE
    high = Op.LT if test.high_open else Op.LE
    return all_of([compared(result, low, test.lows), compared(result, high, test.highs)])


def censored_within(result: Result, test: CensoredWithin) -> Truth:
    """Whether it was reported as `<x` with x in the range (an open low end excludes x at it)."""
    quantity = result.quantity
    if quantity is None:
        return Truth.UNKNOWN
    if quantity.comparator not in (Comparator.LT, Comparator.LE):
        return Truth.FALSE
    low, high = _same_scale(result, test.between.lows), _same_scale(result, test.between.highs)
    if low is None or high is None:
        return Truth.UNKNOWN
    above = low[0] > low[1] if test.between.low_open else low[0] >= low[1]
    return Truth.of(above and high[0] <= high[1])


def own_limit(result: Result, *, upper: bool) -> tuple[Limit, ...]:
    """The limit the laboratory sent with the result, in the unit of the result; empty when none was sent."""
    value = result.range_high if upper else result.range_low
    if value is None or result.quantity is None:
        return ()
    unit = unit_of(result.quantity.unit)
    if (
        unit is None
    ):  # an antibody in a unit of the laboratory's own: only its own limit can be compared with it
        return (Limit(value, result.quantity.unit, result.quantity.dimension, value),)
    return (Limit(value, unit.code, unit.dimension, value * unit.factor),)


def scaled(limit: Limit, times: Decimal) -> Limit:
    """The limit a number of times."""
    return Limit(limit.value * times, limit.unit, limit.dimension, limit.base * times)


def printed(limits: Sequence[Limit], quantity: Quantity | None) -> str:
    """The limit as a reader of this result should see it: in its own dimension where there is one."""
    own = [x for x in limits if quantity is not None and x.dimension == quantity.dimension]
    return " | ".join(f"{x.value:f} {x.unit}" for x in own or limits)


def compare(result: Result, test: Compare) -> Truth:
    """The result against a comparison."""
    return compared(result, test.op, test.limits)


def _same_scale(result: Result, limits: Sequence[Limit]) -> tuple[Decimal, Decimal] | None:
    """Value and limit on one scale: the dimension reported if a limit is printed for it, else canonical."""
    quantity = result.quantity
    if quantity is None or result.analyte is None:
        return None
    for limit in limits:
        if limit.dimension == quantity.dimension:
            return quantity.base, limit.base
    value = canonical(result)
    for limit in limits:
        other = to_canonical(result.analyte, limit.dimension, limit.base)
        if value is not None and other is not None:
            return value, other
    return None
