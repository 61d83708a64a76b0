"""Whether a laboratory's flag and its value agree: what disagrees is noticed, and changes nothing.

Rules judge the value, and fire on it whatever the flag says; a critical flag on a value within its limits is
a matter for a person (`worker.unused`), never a reason to fire.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rules.facts import Comparator, Result
from worker.intake.marks import Mark

_HIGH = frozenset({"h", "hh", "hu", ">"})
_LOW = frozenset({"l", "ll", "lu", "<"})
_NORMAL = frozenset({"n"})
_CRITICAL = frozenset({"hh", "ll", "aa"})


def is_critical_flag(interpretation: str | None) -> bool:
    """Whether a laboratory flags a result as critical: HH, LL or AA."""
    return (interpretation or "").strip().lower() in _CRITICAL


def most_telling(flags: Sequence[str], answers: Collection[str]) -> str | None:
    """Of several flags of one result: one of `answers`, else a critical one, else the first."""
    answer = next((flag for flag in flags if flag.upper() in answers), None)
    return answer or next(filter(is_critical_flag, flags), flags[0] if flags else None)


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
