"""HL7 v2 times as the text an event carries: the digits put in ISO order, with an offset if one is known.

Whether the digits make a time is `worker.intake.times`: 20240230 becomes 2024-02-30, and is refused there.
"""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from worker.intake.event import UNREADABLE_TEXT
from worker.intake.times import read_instant

_TIME = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.([0-9]{1,6}))?)?)?)?)?)?"
    r"([+-][0-9]{4})?"
)


def offset_of(text: str) -> str:
    """The offset at the end of an HL7 time, as +hh:mm; "" when it carries none or is no time."""
    match = _TIME.fullmatch(text)
    return f"{match[8][:3]}:{match[8][3:]}" if match and match[8] else ""


def iso_time(text: str, default_offset: str = "") -> str | None:
    """An HL7 time in ISO form, no more precise than it was; None when empty.

    `default_offset` is that of MSH-7, for a time of day without one. What has not the form of a time becomes
    a text that no reader takes for one.
    """
    if not text:
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        return UNREADABLE_TEXT
    year, month, day, hour, minute, second, fraction, _ = match.groups()
    date = "-".join(part for part in (year, month, day) if part)
    if hour is None:
        return date
    clock = f"{hour}:{minute or '00'}:{second or '00'}" + (f".{fraction}" if fraction else "")
    return f"{date}T{clock}{offset_of(text) or default_offset}"


def later(one: str | None, other: str | None) -> str | None:
    """The later of two ISO times; the readable one when only one is."""
    if one is None or other is None:
        return one or other
    utc = ZoneInfo("UTC")
    first, second = read_instant(one, utc).at, read_instant(other, utc).at
    if first is None or second is None:
        return other if first is None else one
    return one if first >= second else other
