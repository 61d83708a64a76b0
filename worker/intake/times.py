"""Times as senders write them, read into instants: by their offset, else in the zone given, else not at all.

A bare date of a record is a whole local day. Nothing here asks a clock or guesses a zone.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from rules.facts import Unusable
from worker.intake.marks import Mark

# Outside these years a date is a slip of the pen, and arithmetic on it may leave the calendar.
FIRST_YEAR, LAST_YEAR = 1850, 2200

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r"\s?([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
)
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")


@dataclass(frozen=True, slots=True)
class Instant:
    """A time as understood: `at` is None when it could not be, and `problem` then says why.

    `other` is the second moment that the text may mean, where the clocks went back or forward.
    """

    at: datetime | None
    problem: Unusable | None = None
    marks: tuple[Mark, ...] = ()
    other: datetime | None = None


@lru_cache(maxsize=1024)  # the results of one report mostly share their times
def read_instant(text: str | None, zone: ZoneInfo | None) -> Instant:
    """The instant `text` names, in UTC. A bare date is its first instant, and marked."""
    if text is None or not text.strip():
        return Instant(None, Unusable.NO_TIME)
    stripped = text.strip()
    clock = _clock_time(stripped)
    if clock is not None:
        return _in_zone(clock, zone)
    day = read_date(stripped)
    if day is None:
        return Instant(None, Unusable.NO_TIME, (Mark.TIME_INVALID,))
    midnight = _in_zone(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001  (placed in a zone next)
    return replace(midnight, marks=(*midnight.marks, Mark.TIME_OF_DAY_MISSING))


def read_date(text: str | None) -> date | None:
    """The day `text` names (YYYY-MM-DD, or the day of a full time as written); None when it names none."""
    match = _DATE.fullmatch(text.strip()) if text else None
    if match is None or match[3] is None:
        clock = _clock_time(text.strip()) if text else None
        return clock.date() if clock else None
    return _calendar_day(int(match[1]), int(match[2]), int(match[3]))


class NoTimeError(ValueError):
    """A record's start or end was given and names no time."""


def read_start(text: str | None, zone: ZoneInfo | None) -> datetime | None:
    """The first instant of the time, day, month or year `text` names; None when nothing was given."""
    return _read_edge(text, zone, last=False)


def read_end(text: str | None, zone: ZoneInfo | None) -> datetime | None:
    """The last instant of the time, day, month or year `text` names; None when nothing was given."""
    return _read_edge(text, zone, last=True)


def _read_edge(text: str | None, zone: ZoneInfo | None, *, last: bool) -> datetime | None:
    """A record's bare date is never refused: without a zone it is a day of UTC."""
    if text is None or not text.strip():
        return None
    stripped = text.strip()
    clock = _clock_time(stripped)
    if clock is not None:
        at = _in_zone(clock, zone or ZoneInfo("UTC")).at
    else:
        at = _edge_of_period(stripped, zone or ZoneInfo("UTC"), last=last)
    if at is None:
        raise NoTimeError
    return at


def _edge_of_period(text: str, zone: ZoneInfo, *, last: bool) -> datetime | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year = int(match[1])
    month = int(match[2]) if match[2] else (12 if last else 1)
    if not (FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12):
        return None
    day = int(match[3]) if match[3] else (calendar.monthrange(year, month)[1] if last else 1)
    named = _calendar_day(year, month, day)
    if named is None:
        return None
    edge = named + timedelta(days=1) if last else named
    midnight = _in_zone(datetime(edge.year, edge.month, edge.day), zone).at  # noqa: DTZ001  (placed in a zone)
    return midnight - timedelta(microseconds=1) if midnight and last else midnight


def _calendar_day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if FIRST_YEAR <= year <= LAST_YEAR else None
    except ValueError:
        return None


def _clock_time(text: str) -> datetime | None:
    """The date and time of day in `text`, aware if it carries an offset; None if it has no such form."""
    match = _TIME.fullmatch(text)
    if match is None or _calendar_day(int(match[1]), int(match[2]), int(match[3])) is None:
        return None
    microseconds = int((match[7] or "0").ljust(6, "0")[:6])
    try:
        return datetime(
            int(match[1]), int(match[2]), int(match[3]),
            int(match[4]), int(match[5]), int(match[6] or 0), microseconds,
            _offset(match[8]),
        )  # fmt: skip
    except ValueError:
        return None


def _offset(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 14 or minutes > 59:
        raise ValueError
    shift = timedelta(hours=hours, minutes=minutes)
    return timezone(-shift if text[0] == "-" else shift)


def _in_zone(clock: datetime, zone: ZoneInfo | None) -> Instant:
    """`clock` in UTC. In a repeated hour the earlier instant is taken, in a skipped hour the shifted one."""
    if clock.tzinfo is not None:
        return Instant(clock.astimezone(UTC))
    if zone is None:
        return Instant(None, Unusable.ZONE_UNKNOWN)
    first, second = (clock.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    at = first.astimezone(UTC)
    if first.utcoffset() == second.utcoffset():
        return Instant(at)
    skipped = at.astimezone(zone).replace(tzinfo=None) != clock
    mark = Mark.HOUR_SKIPPED if skipped else Mark.HOUR_REPEATED
    return Instant(at, None, (mark,), second.astimezone(UTC))
