"""By when an alert of each severity wants an answer (clinical.md 4.0, "Severity to delivery"). Pure.

A reading aid on the pages until escalation keeps deadlines as rows: nothing is sent or closed by them.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from rules.findings import Severity

CRITICAL_MINUTES = 60
MODERATE_DAYS = 7
DAY_ENDS = time(17, 0)
SATURDAY = 5


def answer_by(severity: Severity, raised_at: datetime, zone: ZoneInfo) -> datetime | None:
    """Critical: within the hour. High: the end of the next working day. Moderate: a week. Low: never."""
    if severity is Severity.CRITICAL:
        return raised_at + timedelta(minutes=CRITICAL_MINUTES)
    if severity is Severity.HIGH:
        return _end_of_next_working_day(raised_at, zone)
    if severity is Severity.MODERATE:
        return raised_at + timedelta(days=MODERATE_DAYS)
    return None


def _end_of_next_working_day(moment: datetime, zone: ZoneInfo) -> datetime:
    day = moment.astimezone(zone).date() + timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return datetime.combine(day, DAY_ENDS, zone)
