"""Medications on record as bars over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from rules.courses import current_records, taken
from rules.facts import Record, RecordKind
from worker.web import words

MOST_BARS = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """A treatment on record."""

    label: str
    start: datetime
    end: datetime
    words: str


def treatments(records: Sequence[Record], now: datetime, zone: ZoneInfo) -> tuple[Bar, ...]:
    """The newest medications known at `now`, the oldest start first."""
    medications = [r for r in current_records(records, now) if r.kind is RecordKind.MEDICATION]
    bars = [bar for r in medications if (bar := _bar(r, now, zone)) is not None]
    return tuple(sorted(bars, key=lambda bar: (bar.start, bar.label))[-MOST_BARS:])


def _bar(record: Record, now: datetime, zone: ZoneInfo) -> Bar | None:
    span = taken(record, now)
    if span is None or span.first is None:
        return None
    end = span.last or span.first
    first, last = words.full_day(span.first, zone), words.full_day(end, zone)
    said = f"from {first}, still taken" if end == now else first if first == last else f"{first} to {last}"
    route = f" ({record.route})" if record.route else ""
    return Bar(f"{record.name or record.code}{route}", span.first, end, said)
