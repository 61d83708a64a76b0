"""/overdue, for operators: what was expected to arrive and has not. Names of tests, no values."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, Row, select

from alerts.follow_up import Expectation
from alerts.people import Address
from alerts.states import OPEN
from alerts.tables import ALERT, FOLLOW_UP
from worker.database import db_now, writing
from worker.web import trail, words
from worker.web.deps import Have, zone_of
from worker.web.evidence import concept_words
from worker.web.frame import frame_of
from worker.web.pages import page
from worker.web.readers import Operator
from worker.web.timeline import names_of

router = APIRouter(include_in_schema=False)

MOST_ROWS = 500


@router.get("/overdue")
def list_page(request: Request, reader: Operator, have: Have) -> Response:
    """What is late, the latest first."""
    zone = zone_of(have.settings)
    with writing(have.engine) as connection:
        now = db_now(connection)
        rows = _late(connection, now.astimezone(zone))
        names = names_of(connection, {Address(row.recipient_system, row.recipient_ident) for row in rows})
        alerts, patients = [row.alert_id for row in rows], [row.patient_id for row in rows]
        trail.note_list(connection, now, trail.actor(request, reader), alerts, patients)
    found = [_shown(row, names, now, zone) for row in rows]
    return page(request, "overdue.html", reader=frame_of(reader), rows=found)


def _late(connection: Connection, now: datetime) -> list[Row[Any]]:
    query = (
        select(FOLLOW_UP, ALERT.c.rule, ALERT.c.severity, ALERT.c.recipient_system, ALERT.c.recipient_ident)
        .join(ALERT, ALERT.c.id == FOLLOW_UP.c.alert_id)
        .where(FOLLOW_UP.c.state == Expectation.EXPECTED, FOLLOW_UP.c.due < now.date())
        .where(ALERT.c.state.in_(sorted(OPEN)))
    )
    return list(connection.execute(query.order_by(FOLLOW_UP.c.due, FOLLOW_UP.c.id).limit(MOST_ROWS)))


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
