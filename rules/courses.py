"""Records in time: from when to when a medication was taken, a condition was on file, an order was open.

The sentences behind it are clinical.md 4.0.1, "Medications", "Conditions", "Procedures and orders".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rules.facts import Record, RecordKind

NOT_A_FACT = frozenset(
    {"entered-in-error", "not-taken", "not-done", "draft", "cancelled", "refuted", "declined", "revoked"}
)
RESOLVED = frozenset({"resolved", "inactive", "remission"})
ENDED = frozenset({"completed", "stopped", "ended", "discontinued", "not-active", "inactive"})
OPEN_ORDER = frozenset({"active", "on-hold"})
COURSE_GAP = timedelta(days=30)  # records of one product at most this far apart are one course (R16)


@dataclass(frozen=True, slots=True)
class Taken:
    """First and last moment a record holds, as seen at one moment; None: not said."""

    first: datetime | None
    last: datetime | None


def said_order(record: Record) -> tuple[datetime, int]:
    """Versions of one record: what was said last wins, then what arrived last; never what we judged last."""
    return record.said_at or record.known_at, record.arrival


def current_records(records: Iterable[Record], known_by: datetime) -> list[Record]:
    """The newest version of each record known by then, less those taken back or never a fact."""
    newest: dict[str, Record] = {}
    for record in sorted(records, key=said_order):
        if record.known_at <= known_by:
            newest[record.key] = record
    return [r for r in newest.values() if r.status not in NOT_A_FACT]


def taken(record: Record, at: datetime) -> Taken | None:
    """When the record held, as of `at`; None when it had not begun.

    Medication: active with no end is still taken; with an end, from start to end whatever the status;
    completed or stopped without an end is one administration at its start. Everything else happens at its
    start.
    """
    if record.start is not None and record.start > at:
        return None
    if record.kind is not RecordKind.MEDICATION:
        return Taken(record.start, _not_after(record.start_last or record.start, at))
    if record.end is not None:
        return Taken(record.start, _not_after(record.end, at))
    if record.status in ENDED:
        return Taken(record.start, _not_after(record.start_last or record.start, at))
    return Taken(record.start, at)


def course_start(records: Iterable[Record], at: datetime) -> datetime | None:
    """The start of the course current or newest at `at`, records joined over gaps of at most 30 d."""
    spans = [(t.first, t.last) for r in records if (t := taken(r, at)) and t.first and t.last]
    if not spans:
        return None
    known = sorted(
        ((first, last) for first, last in spans if first and last), key=lambda s: s[1], reverse=True
    )
    start = known[0][0]
    for first, last in known[1:]:
        if start - last <= COURSE_GAP:
            start = min(start, first)
    return start


def _not_after(moment: datetime | None, at: datetime) -> datetime | None:
    return None if moment is None else min(moment, at)
