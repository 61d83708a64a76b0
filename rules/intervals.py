"""Comparing what was printed with a limit, when what was printed may be `<5`: values are intervals.

A comparison is true if all of the interval satisfies it, false if none does, else unknown (clinical.md 4.0.1,
"Numbers"). Decimal arithmetic, unrounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from rules.facts import Comparator
from rules.nodes import Op
from rules.truth import Truth

_INFINITY = Decimal("Infinity")


@dataclass(frozen=True, slots=True)
class Interval:
    """All the values a printed number may stand for; an end is part of it unless open."""

    low: Decimal
    high: Decimal
    low_open: bool = False
    high_open: bool = False

    @classmethod
    def of(cls, value: Decimal, comparator: Comparator) -> Interval:
        """The interval that `comparator value` names."""
        match comparator:
            case Comparator.EQ:
                return cls(value, value)
            case Comparator.LT:
                return cls(-_INFINITY, value, low_open=True, high_open=True)
            case Comparator.LE:
                return cls(-_INFINITY, value, low_open=True)
            case Comparator.GT:
                return cls(value, _INFINITY, low_open=True, high_open=True)
            case Comparator.GE:  # pragma: no branch
                return cls(value, _INFINITY, high_open=True)

    def minus(self, other: Interval) -> Interval:
        """Every difference of a value of this interval and one of the other."""
        return Interval(
            self.low - other.high if self.low.is_finite() and other.high.is_finite() else -_INFINITY,
            self.high - other.low if self.high.is_finite() and other.low.is_finite() else _INFINITY,
            self.low_open or other.high_open,
            self.high_open or other.low_open,
        )

    def compared(self, op: Op, limit: Decimal) -> Truth:
        """Whether every value (true), no value (false) or some value (unknown) stands so to the limit."""
        match op:
            case Op.LT:
                return self._below(limit, or_at=False)
            case Op.LE:
                return self._below(limit, or_at=True)
            case Op.GE:
                return _not(self._below(limit, or_at=False))
            case Op.GT:  # pragma: no branch
                return _not(self._below(limit, or_at=True))

    def _below(self, limit: Decimal, *, or_at: bool) -> Truth:
        if self.high < limit or (self.high == limit and (or_at or self.high_open)):
            return Truth.TRUE
        if self.low > limit or (self.low == limit and (not or_at or self.low_open)):
            return Truth.FALSE
        return Truth.UNKNOWN


def _not(truth: Truth) -> Truth:
    if truth is Truth.UNKNOWN:
        return truth
    return Truth.FALSE if truth is Truth.TRUE else Truth.TRUE
