"""The printable list of open alerts, for when the pages are down: who must hear of what, worst first.

It holds patients' names and values: the file is its owner's alone, and printing is in the audit trail.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import Connection, Row, select

from alerts import timers
from alerts.people import POOL_SYSTEM
from alerts.policy import deadline
from alerts.states import ASKING, OPEN
from alerts.tables import ALERT, POOL, RECIPIENT
from rules.findings import Severity
from worker.locales import plain, time_of_day, whole_date
from worker.tables import PATIENT
from worker.web.languages import languages_named
from worker.web.people import shown_name, unturned

OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Entry:
    """One open alert as it is printed."""

    alert: int
    severity: str
    state: str
    headline: str
    values: tuple[tuple[str, datetime], ...]
    patient: str
    born: date | None
    recipient: str
    phone: str
    raised_at: datetime
    answer_by: datetime | None
    call: bool

    @property
    def waits(self) -> bool:
        """Whether it still asks for an answer."""
        return self.state in ASKING


def open_alerts(connection: Connection, now: datetime) -> list[Entry]:
    """Every open alert, what waits for an answer first, then by severity and by deadline."""
    rows = connection.execute(select(ALERT).where(ALERT.c.state.in_(OPEN))).all()
    patients = {row.id: row for row in connection.execute(select(PATIENT).where(_ids(PATIENT, rows)))}
    people = {(r.system, r.ident): r for r in connection.execute(select(RECIPIENT))}
    pools = {r.ident: r.name for r in connection.execute(select(POOL))}
    entries = [_entry(connection, row, patients.get(row.patient_id), people, pools) for row in rows]
    return sorted(
        entries, key=lambda e: (not e.waits, Severity(e.severity).rank, e.answer_by or now, e.alert)
    )


def as_text(entries: Sequence[Entry], now: datetime, zone: ZoneInfo, locale: Locale | None = None) -> str:
    """Plain text, one block for each alert."""
    return plain(_rendered("downtime.txt", entries, now, zone, locale))


def as_page(entries: Sequence[Entry], now: datetime, zone: ZoneInfo, locale: Locale | None = None) -> str:
    """One HTML page that needs nothing else."""
    return languages_named(_rendered("downtime.html", entries, now, zone, locale), locale)


def write_private(path: Path, text: str) -> None:
    """A new file with these words, its owner's alone from the first byte; an old one is replaced."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _ids(table: Any, rows: Iterable[Row[Any]]) -> Any:
    return table.c.id.in_({row.patient_id for row in rows})


def _entry(
    connection: Connection,
    row: Row[Any],
    patient: Row[Any] | None,
    people: dict[tuple[str, str], Row[Any]],
    pools: dict[str, str],
) -> Entry:
    severity = Severity(row.severity)
    person = people.get((row.recipient_system, row.recipient_ident))
    name = person.name if person else ""
    if row.recipient_system == POOL_SYSTEM:
        name = pools.get(row.recipient_ident) or f"pool {row.recipient_ident}"
    who = "unknown patient"
    if patient is not None:
        who = f"{shown_name(patient.name or '')} {unturned(f'{patient.system}|{patient.ident}')}".strip()
    return Entry(
        alert=row.id,
        severity=row.severity,
        state=row.state,
        headline=row.headline,
        values=tuple(_value(e) for e in row.evidence if "analyte" in e),
        patient=who,
        born=patient.birth_date if patient else None,
        recipient=shown_name(name) or unturned(f"{row.recipient_system}|{row.recipient_ident}"),
        phone=(person.phone or "") if person else "",
        raised_at=row.raised_at,
        answer_by=deadline(timers.policy(connection, row.policy_id), severity, row.raised_at),
        call=row.call_list_since is not None,
    )


def _value(evidence: dict[str, Any]) -> tuple[str, datetime]:
    sign = "" if evidence["comparator"] == "=" else evidence["comparator"]
    taken = datetime.fromisoformat(evidence["effective_at"])
    return f"{evidence['analyte']} {sign}{evidence['value']} {evidence['unit']}", taken


def _day(day: date, locale: Locale | None) -> str:
    return whole_date(day, locale) if locale else day.isoformat()


def _moment(moment: datetime, locale: Locale | None) -> str:
    return f"{_day(moment.date(), locale)} {time_of_day(moment, locale)} {moment:%Z}"


def _rendered(
    name: str, entries: Sequence[Entry], now: datetime, zone: ZoneInfo, locale: Locale | None
) -> str:
    environment = Environment(
        loader=PackageLoader("worker.web"),
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["at"] = lambda moment: _moment(moment.astimezone(zone), locale)
    environment.filters["local_day"] = lambda moment: moment.astimezone(zone).date()
    environment.filters["on"] = lambda day: _day(day, locale)
    return environment.get_template(name).render(entries=entries, now=now)
