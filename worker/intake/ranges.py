"""The laboratory's own limits, from two fields or from one text such as "13 - 150", "<5" or "up to 20 ng/mL".

A range that cannot be read, or that names another unit than its result, is no range: limits are not guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from worker.intake.event import RangeItem

_NUMBER = r"[+-]?[0-9]{1,12}(?:\.[0-9]{1,12})?"
_UNIT = r"(?:\s+(?P<unit>[^\s\d].*))?"
_BOTH = re.compile(rf"(?P<low>{_NUMBER})\s*(?:-|–|to|\.\.)\s*(?P<high>{_NUMBER}){_UNIT}")
_UPPER = re.compile(rf"(?:<=?|≤|up to|to)\s*(?P<high>{_NUMBER}){_UNIT}", re.IGNORECASE)
_LOWER = re.compile(rf"(?:>=?|≥|from)\s*(?P<low>{_NUMBER}){_UNIT}", re.IGNORECASE)
_OPEN = re.compile(rf"(?P<low>{_NUMBER})\s*-{_UNIT}|-\s*(?P<high>{_NUMBER})")
_LOW_LIMIT = re.compile(rf"(?:>=?|≥)?\s*({_NUMBER})")
_HIGH_LIMIT = re.compile(rf"(?:<=?|≤)?\s*({_NUMBER})")


@dataclass(frozen=True, slots=True)
class Limits:
    """Lower and upper limit as text, either may be None; `readable` is False when what came was not."""

    low: str | None
    high: str | None
    readable: bool = True


def limits_of(item: RangeItem | None, unit: str | None) -> Limits:
    """The limits sent with a result whose unit is `unit`."""
    if item is None:
        return Limits(None, None)
    if item.low is None and item.high is None:
        return limits_in_text(item.text, unit)
    low, high = _number(_LOW_LIMIT, item.low), _number(_HIGH_LIMIT, item.high)
    lost = (item.low is not None and low is None) or (item.high is not None and high is None)
    return Limits(low, high, readable=not lost)


@lru_cache(maxsize=1024)  # a laboratory has few of them
def limits_in_text(text: str | None, unit: str | None) -> Limits:
    """The limits in a text like OBX-7."""
    plain = " ".join((text or "").strip().strip("()[]").split())
    if not plain:
        return Limits(None, None)
    for pattern in (_BOTH, _UPPER, _LOWER, _OPEN):
        match = pattern.fullmatch(plain)
        if match is not None:
            found = match.groupdict()
            if not _same_unit(found.get("unit"), unit):
                break
            return Limits(found.get("low"), found.get("high"))
    return Limits(None, None, readable=False)


def _number(pattern: re.Pattern[str], text: str | None) -> str | None:
    match = pattern.fullmatch(text.strip()) if text else None
    return match[1] if match else None


def _same_unit(named: str | None, unit: str | None) -> bool:
    return named is None or named.strip().lower() == (unit or "").strip().lower()
