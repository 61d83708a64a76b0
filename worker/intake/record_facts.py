"""One entry of a medication, condition, procedure or order list as a fact.

Which entries belong to a concept is `rules.concepts`; whether one counts at a moment is `rules.history`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from rules.facts import Record, RecordKind
from worker.intake.code_systems import system_uri
from worker.intake.event import RecordItem, ReportData
from worker.intake.times import NoTimeError, read_end, read_start


def record_items(data: ReportData) -> Iterable[tuple[RecordKind, RecordItem | None]]:
    """Every entry of the four lists with its kind, in the order sent; None where one was not readable."""
    lists = {
        RecordKind.MEDICATION: data.medications,
        RecordKind.CONDITION: data.conditions,
        RecordKind.PROCEDURE: data.procedures,
        RecordKind.ORDER: data.orders,
    }
    return ((kind, item) for kind, items in lists.items() for item in items)


def record_fact(
    kind: RecordKind,
    item: RecordItem | None,
    *,
    source: str,
    said_at: datetime,
    known_at: datetime,
    arrival: int,
    zone: ZoneInfo | None,
) -> Record | None:
    """The fact; None for an entry without code and name, or whose dates were given and cannot be read.

    Upserted by (source, id) when it has an id, else by system, code and start.
    """
    code, name = _plain(item.code if item else None), _plain(item.name if item else None)
    if item is None or not (code or name):
        return None
    try:
        start, end = read_start(item.start, zone), read_end(item.end, zone)
        start_last = read_end(item.start, zone)
    except NoTimeError:
        return None
    system, identity = system_uri(item.system), _plain(item.id)
    unnamed = f"{kind}|{system}|{code or name.lower()}|{start.isoformat() if start else ''}"
    return Record(
        key=f"{kind}|{source}|{identity}" if identity else unnamed,
        kind=kind,
        system=system,
        code=code,
        name=name,
        status=_plain(item.status).lower() or None,
        start=start,
        end=end,
        known_at=known_at,
        arrival=arrival,
        route=_plain(item.route).lower() or None,
        start_last=start_last if start_last != start else None,
        said_at=said_at,
    )


def _plain(text: str | None) -> str:
    return (text or "").strip()
