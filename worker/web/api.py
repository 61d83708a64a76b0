"""/api/alerts: what the pages show and do, for programs. The JSON of one alert is `worker.web.alert_json`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Request, Response
from sqlalchemy import ColumnElement, Select, and_, select

from alerts.states import State
from alerts.tables import ALERT
from rules.findings import Severity
from worker import clock
from worker.database import reading, writing
from worker.tables import PATIENT
from worker.web import trail
from worker.web.alert_json import alert_json, alerts_json
from worker.web.answering import give, invalid
from worker.web.bodies import Acknowledge, Answer, Dismiss, Reassign, Reopen, Resolve, Snooze
from worker.web.deps import Have
from worker.web.examples import ALERTS, AN_ALERT, answered_with
from worker.web.readers import Clinician, Reader
from worker.web.scope import scope_of
from worker.web.strict_json import StrictJson
from worker.web.visible import LARGEST_ID, refuse, visible_alert

router = APIRouter(prefix="/api/alerts", tags=["alerts"], route_class=StrictJson)

NO_COMMENT = Acknowledge()
ONE = answered_with(AN_ALERT)
IfMatch = Annotated[str | None, Header()]


@router.get("", responses=answered_with(ALERTS))
def many(
    request: Request,
    reader: Clinician,
    have: Have,
    state: State | None = None,
    severity: Severity | None = None,
    rule: Annotated[str | None, Query(max_length=200)] = None,
    patient: Annotated[str | None, Query(max_length=900, description="SYSTEM|ID")] = None,
    cursor: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """The reader's alerts, the newest first, a page at a time."""
    now = clock.now()
    wanted = _filters(state, severity, rule, patient)
    if cursor is not None:
        wanted.append(ALERT.c.id < cursor)
    with reading(have.engine) as connection:
        visible = scope_of(connection, reader, now).visible()
        query = select(ALERT).where(visible, *wanted).order_by(ALERT.c.id.desc()).limit(limit + 1)
        rows = connection.execute(query).all()
        items = alerts_json(connection, rows[:limit])
    with writing(have.engine) as connection:
        shown = rows[:limit]
        by = trail.actor(request, reader)
        trail.note_list(connection, now, by, [r.id for r in shown], [r.patient_id for r in shown])
    return {"items": items, "next": rows[limit - 1].id if len(rows) > limit else None}


@router.get("/{alert}", responses=ONE)
def one(request: Request, response: Response, reader: Clinician, have: Have, alert: int) -> dict[str, Any]:
    """One alert with its history."""
    return _shown(request, response, reader, have, alert)


@router.post("/{alert}/acknowledge", responses=ONE)
def acknowledge(
    request: Request, response: Response, reader: Clinician, have: Have, alert: int,
    body: Annotated[Acknowledge, Body()] = NO_COMMENT, if_match: IfMatch = None,
) -> dict[str, Any]:  # fmt: skip
    """Seen and taken on; what the rule expects is followed up."""
    return _answered(request, response, reader, have, alert, body, if_match)


@router.post("/{alert}/dismiss", responses=ONE)
def dismiss(
    request: Request,
    response: Response,
    reader: Clinician,
    have: Have,
    alert: int,
    body: Dismiss,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Not to be acted on, for a coded reason."""
    return _answered(request, response, reader, have, alert, body, if_match)


@router.post("/{alert}/snooze", responses=ONE)
def snooze(
    request: Request,
    response: Response,
    reader: Clinician,
    have: Have,
    alert: int,
    body: Snooze,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Not now, but at a set time."""
    return _answered(request, response, reader, have, alert, body, if_match)


@router.post("/{alert}/resolve", responses=ONE)
def resolve(
    request: Request,
    response: Response,
    reader: Clinician,
    have: Have,
    alert: int,
    body: Resolve,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Settled."""
    return _answered(request, response, reader, have, alert, body, if_match)


@router.post("/{alert}/reassign", responses=ONE)
def reassign(
    request: Request,
    response: Response,
    reader: Clinician,
    have: Have,
    alert: int,
    body: Reassign,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Passed on to somebody of the directory."""
    return _answered(request, response, reader, have, alert, body, if_match)


@router.post("/{alert}/reopen", responses=ONE)
def reopen(
    request: Request,
    response: Response,
    reader: Clinician,
    have: Have,
    alert: int,
    body: Reopen,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Not settled after all."""
    return _answered(request, response, reader, have, alert, body, if_match)


def _shown(request: Request, response: Response, reader: Reader, have: Have, alert: int) -> dict[str, Any]:
    now = clock.now()
    with reading(have.engine) as connection:
        row = visible_alert(connection, scope_of(connection, reader, now), alert)
        document = alert_json(connection, row) if row is not None else None
    if row is None or document is None:
        raise refuse(have, request, reader, "read", alert, now)
    with writing(have.engine) as connection:
        trail.note_alert(connection, now, trail.actor(request, reader), alert, row.patient_id)
    response.headers["ETag"] = document["etag"]
    return document


def _answered(
    request: Request,
    response: Response,
    reader: Reader,
    have: Have,
    alert: int,
    body: Answer,
    if_match: str | None,
) -> dict[str, Any]:
    give(have, request, reader, alert, body, _version(if_match))
    return _shown(request, response, reader, have, alert)


def _version(if_match: str | None) -> int | None:
    """The version of an `If-Match`; none, or `*`, matches any; one that is not ours matches nothing (0)."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = re.fullmatch(r'\s*(?:W/)?"?(\d{1,18})"?\s*', if_match)
    return int(found[1]) if found else 0


def _filters(
    state: State | None, severity: Severity | None, rule: str | None, patient: str | None
) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if state is not None:
        wanted.append(ALERT.c.state == state.value)
    if severity is not None:
        wanted.append(ALERT.c.severity == severity.value)
    if rule is not None:
        wanted.append(ALERT.c.rule == rule)
    if patient is not None:
        wanted.append(ALERT.c.patient_id.in_(_patient(patient)))
    return wanted


def _patient(text: str) -> Select[tuple[int]]:
    system, bar, ident = text.rpartition("|")
    if not bar:
        raise invalid("patient", "expected SYSTEM|ID")
    return select(PATIENT.c.id).where(and_(PATIENT.c.system == system, PATIENT.c.ident == ident))
