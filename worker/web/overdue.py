"""/overdue and /api/overdue, for operators: what was expected to arrive and has not.

Names of tests, no values, no patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, Row

from alerts.missed import missed
from alerts.people import Actor, Address
from worker.database import db_now, writing
from worker.web import trail, words
from worker.web.deps import Have, zone_of
from worker.web.evidence import concept_words
from worker.web.examples import OVERDUE, answered_with
from worker.web.frame import frame_of
from worker.web.pages import page
from worker.web.queue_marks import mark_of
from worker.web.readers import Operator
from worker.web.timeline import names_of

router = APIRouter(tags=["queues"])


@router.get("/api/overdue", responses=answered_with(OVERDUE))
def many(request: Request, reader: Operator, have: Have) -> dict[str, Any]:
    """What open alerts expected by a day that is past, the longest overdue first; at most 500."""
    with writing(have.engine) as connection:
        now = db_now(connection)
        today = now.astimezone(zone_of(have.settings)).date()
        rows = overdue(connection, trail.actor(request, reader), now, today)
    return {"items": [overdue_json(row, today) for row in rows]}


@router.get("/overdue", include_in_schema=False)
def list_page(request: Request, reader: Operator, have: Have) -> Response:
    """What is late, the longest first."""
    zone = zone_of(have.settings)
    with writing(have.engine) as connection:
        now = db_now(connection)
        rows = overdue(connection, trail.actor(request, reader), now, now.astimezone(zone).date())
        mark = mark_of(connection, "overdue", have)
        names = names_of(connection, {Address(row.recipient_system, row.recipient_ident) for row in rows})
    found = [_shown(row, names, now, zone) for row in rows]
    return page(request, "overdue.html", reader=frame_of(reader), rows=found, mark=mark)


def overdue(connection: Connection, by: Actor, now: datetime, today: date) -> Sequence[Row[Any]]:
    """What is late; that it was shown is recorded."""
    rows = missed(connection, today)
    alerts, patients = [row.alert_id for row in rows], [row.patient_id for row in rows]
    trail.note_list(connection, now, by, alerts, patients)
    return rows


def overdue_json(row: Row[Any], today: date) -> dict[str, Any]:
    """One expectation that was not met."""
    return {
        "alert": row.alert_id,
        "severity": row.severity,
        "rule": row.rule,
        "expect": row.expect,
        "due": row.due.isoformat(),
        "days_late": (today - row.due).days,
        "recipient": {"system": row.recipient_system, "id": row.recipient_ident},
    }


def _shown(row: Row[Any], names: dict[Address, str], now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    owner = Address(row.recipient_system, row.recipient_ident)
    return {
        "alert": row.alert_id,
        "severity": row.severity,
        "rule": row.rule,
        "expect": concept_words(row.expect),
        "due": words.day(row.due, now, zone),
        "late": (now.astimezone(zone).date() - row.due).days,
        "owner": names.get(owner, owner.id),
    }
