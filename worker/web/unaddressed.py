"""/unaddressed and /api/unaddressed, for operators: open alerts that nobody can see who could answer.

Handing them on is here too; a program does that by `ferrule alerts reassign`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection, Row, select

from alerts import answers
from alerts.answers import Invalid, NoSuchAlert
from alerts.people import POOL_SYSTEM, Address
from alerts.snapshot import time_text
from alerts.states import NotAllowed
from alerts.tables import ALERT, POOL, RECIPIENT
from alerts.unaddressed import reaches_nobody, unaddressed
from worker.channels import push_channels
from worker.database import db_now, writing
from worker.telling import has_died
from worker.web import trail
from worker.web.deps import Have
from worker.web.examples import UNADDRESSED, answered_with
from worker.web.frame import frame_of
from worker.web.operator_forms import OperatorForm, Why
from worker.web.owners import queued
from worker.web.pages import page
from worker.web.queue_marks import mark_of
from worker.web.readers import Operator, Reader
from worker.web.visible import Number

router = APIRouter(tags=["queues"])

GONE = "This alert has reached somebody meanwhile, or has ended."
MOST_PEOPLE = 500


@router.get("/api/unaddressed", responses=answered_with(UNADDRESSED))
def many(request: Request, reader: Operator, have: Have) -> dict[str, Any]:
    """The open alerts that reach nobody who could answer, the oldest first."""
    with writing(have.engine) as connection:
        rows = unaddressed(connection)
        _note(connection, request, reader, rows)
    return {"items": [unaddressed_json(row) for row in rows]}


@router.get("/unaddressed", include_in_schema=False)
def list_page(request: Request, reader: Operator, have: Have) -> Response:
    """The queue, the oldest first."""
    return _page(request, reader, have)


@router.post("/unaddressed/{alert}", include_in_schema=False)
def hand_on(
    request: Request,
    reader: OperatorForm,
    have: Have,
    alert: Number,
    to: Annotated[str, Form(max_length=800)] = "",
    because: Why = "",
) -> Response:
    """Give an alert of the queue to somebody of the directory, or to a pool."""
    system, _, ident = to.rpartition("|")
    if not (system and ident and because.strip()):
        return _page(request, reader, have, 422, "Please choose somebody, and say why.")
    push = push_channels(have.settings)
    try:
        with writing(have.engine) as connection:
            if not _waits(connection, alert):
                raise NoSuchAlert
            by, now = trail.actor(request, reader), db_now(connection)
            answers.reassign(
                connection,
                alert,
                by,
                to=Address(system, ident),
                reason=because,
                now=now,
                push=push,
                has_died=has_died,
            )
    except (NoSuchAlert, NotAllowed):
        return _page(request, reader, have, 409, GONE)
    except Invalid as wrong:
        return _page(request, reader, have, 422, f"Expected {wrong.expected}.")
    return RedirectResponse("/unaddressed", 303)


def unaddressed_json(row: Row[Any]) -> dict[str, Any]:
    """One alert of the queue: whose it would be, and since when; no headline and no patient."""
    return {
        "alert": row.id,
        "severity": row.severity,
        "rule": row.rule,
        "recipient": {"system": row.recipient_system, "id": row.recipient_ident},
        "raised_at": time_text(row.raised_at),
    }


def _note(connection: Connection, request: Request, reader: Reader, rows: Sequence[Row[Any]]) -> None:
    alerts, patients = [row.id for row in rows], [row.patient_id for row in rows]
    trail.note_list(connection, db_now(connection), trail.actor(request, reader), alerts, patients)


def _waits(connection: Connection, alert: int) -> bool:
    """Operators hand on what is in the queue, nothing else."""
    query = select(ALERT.c.id).where(ALERT.c.id == alert, reaches_nobody())
    return connection.execute(query).first() is not None


def _page(request: Request, reader: Reader, have: Have, status: int = 200, wrong: str = "") -> Response:
    with writing(have.engine) as connection:
        now, rows = db_now(connection), unaddressed(connection)
        found, people = queued(connection, rows, "raised_at", now), _everybody(connection)
        _note(connection, request, reader, rows)
        mark = mark_of(connection, "unaddressed", have)
    context = {"rows": found, "people": people, "wrong": wrong, "mark": mark}
    return page(request, "unaddressed.html", status, reader=frame_of(reader), **context)


def _everybody(connection: Connection) -> tuple[tuple[str, str], ...]:
    """(SYSTEM|ID, name): pools, then the active people of the directory."""
    people = select(RECIPIENT).where(RECIPIENT.c.active).order_by(RECIPIENT.c.name).limit(MOST_PEOPLE)
    pools = select(POOL).order_by(POOL.c.name)
    return (
        *((f"{POOL_SYSTEM}|{p.ident}", f"Pool: {p.name or p.ident}") for p in connection.execute(pools)),
        *((f"{r.system}|{r.ident}", r.name or r.ident) for r in connection.execute(people)),
    )
