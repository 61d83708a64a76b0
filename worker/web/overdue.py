"""/overdue, for operators: what was expected to arrive and has not. Names of tests, no values."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from sqlalchemy import Row

from alerts.missed import missed
from alerts.people import Address
from worker.database import db_now, writing
from worker.web import trail, words
from worker.web.deps import Have, zone_of
from worker.web.evidence import concept_words
from worker.web.frame import frame_of
from worker.web.pages import page
from worker.web.queue_marks import mark_of
from worker.web.readers import Operator
from worker.web.timeline import names_of

router = APIRouter(include_in_schema=False)


@router.get("/overdue")
def list_page(request: Request, reader: Operator, have: Have) -> Response:
    """What is late, the longest first."""
    zone = zone_of(have.settings)
    with writing(have.engine) as connection:
        now = db_now(connection)
        rows = missed(connection, now.astimezone(zone).date())
        mark = mark_of(connection, "overdue", have)
        names = names_of(connection, {Address(row.recipient_system, row.recipient_ident) for row in rows})
        alerts, patients = [row.alert_id for row in rows], [row.patient_id for row in rows]
        trail.note_list(connection, now, trail.actor(request, reader), alerts, patients)
    found = [_shown(row, names, now, zone) for row in rows]
    return page(request, "overdue.html", reader=frame_of(reader), rows=found, mark=mark)


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
