"""Whether a laboratory's flag and its value agree: what disagrees is noticed, and changes nothing.

Rules judge the value; an alert rests on the more severe of the two only where a rule reads the flag.
"""

from __future__ import annotations

from rules.facts import Comparator, Result
from worker.intake.marks import Mark

_HIGH = frozenset({"h", "hh", "hu", ">"})
_LOW = frozenset({"l", "ll", "lu", "<"})
_NORMAL = frozenset({"n"})


def flag_marks(result: Result, interpretation: str | None) -> tuple[Mark, ...]:
    """FLAG_DISAGREES where flag and value, against the laboratory's own limits, say different things."""
    flag = (interpretation or "").strip().lower()
    value = result.quantity
    if value is None or value.comparator is not Comparator.EQ or not flag:
        return ()
    above = result.range_high is not None and value.value > result.range_high
    below = result.range_low is not None and value.value < result.range_low
    said = _said(flag, known_high=result.range_high is not None, known_low=result.range_low is not None)
    return () if said is None or said == (above, below) else (Mark.FLAG_DISAGREES,)


def _said(flag: str, *, known_high: bool, known_low: bool) -> tuple[bool, bool] | None:
    """(above, below) by the flag; None where the limits sent cannot tell, or it says neither."""
    if flag in _HIGH:
        return (True, False) if known_high else None
    if flag in _LOW:
        return (False, True) if known_low else None
    return (False, False) if flag in _NORMAL and (known_high or known_low) else None
