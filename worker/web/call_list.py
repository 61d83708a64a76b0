"""/calls, for operators: whom to call about which alert, and the record of each call that was made.

The list shows no value. What is to be told is opened for one alert, which is kept as a look at that patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection, Row

from alerts import calls
from alerts.answers import Invalid, NoSuchAlert
from alerts.calls import Call
from alerts.states import NotAllowed
from worker import records
from worker.composition import Deps
from worker.database import db_now, writing
from worker.web import trail, words
from worker.web.deps import Have, zone_of
from worker.web.evidence import results_in
from worker.web.frame import frame_of
from worker.web.operator_forms import OperatorForm
from worker.web.owners import queued
from worker.web.pages import page
from worker.web.people import patient_words
from worker.web.queue_marks import mark_of
from worker.web.readers import Operator, Reader
from worker.web.timeline import steps_of, timeline
from worker.web.visible import Number

router = APIRouter(include_in_schema=False)

FIELDS = {
    "to": "who was reached",
    "told": "what was told, with its unit",
    "at": "when it was, not later than now",
}


@dataclass(frozen=True, slots=True)
class Said:
    """The fields of the form about one call."""

    to: str
    at: str
    told: str
    read_back: str
    comment: str


def said_of(
    to: Annotated[str, Form(max_length=400)] = "",
    at: Annotated[str, Form(max_length=40)] = "",
    told: Annotated[str, Form(max_length=4000)] = "",
    read_back: Annotated[str, Form(max_length=3)] = "",
    comment: Annotated[str, Form(max_length=4000)] = "",
) -> Said:
    """The form's fields as they came."""
    return Said(to, at, told, read_back, comment)


@router.get("/calls")
def list_page(request: Request, reader: Operator, have: Have, recorded: bool = False) -> Response:
    """Whom to call, the most severe first."""
    with writing(have.engine) as connection:
        now, rows = db_now(connection), calls.waiting(connection)
        found = queued(connection, rows, "call_list_since", now)
        made = {row.id: len(calls.made(connection, row.id)) for row in rows}
        mark = mark_of(connection, "calls", have)
        patients = [row.patient_id for row in rows]
        trail.note_list(connection, now, trail.actor(request, reader), list(made), patients)
    frame = frame_of(reader)
    context: dict[str, Any] = {"rows": found, "made": made, "recorded": recorded, "mark": mark}
    return page(request, "calls.html", reader=frame, **context)


@router.post("/calls/{alert}/open")
def open_one(request: Request, reader: OperatorForm, have: Have, alert: Number) -> Response:
    """What is to be told, and the form for the call."""
    return _page(request, reader, have, alert)


@router.post("/calls/{alert}")
def record(
    request: Request, reader: OperatorForm, have: Have, alert: Number, said: Annotated[Said, Depends(said_of)]
) -> Response:
    """Write a call down, once; one that is not complete is said, with what was filled in."""
    try:
        with writing(have.engine) as connection:
            now = db_now(connection)
            _listed(connection, alert)
            calls.record(connection, alert, trail.actor(request, reader), _call(said, now, have), now=now)
    except Invalid as wrong:
        lacks = f"Nothing was written down. Please fill in {FIELDS.get(wrong.field, wrong.expected)}."
        return _page(request, reader, have, alert, 422, lacks, said)
    except (NoSuchAlert, NotAllowed):
        raise HTTPException(404) from None
    return RedirectResponse("/calls?recorded=1", 303)


def _call(said: Said, now: datetime, have: Deps) -> Call:
    if said.read_back not in ("yes", "no"):
        raise Invalid("read_back", "whether they read it back")
    try:
        at = datetime.fromisoformat(said.at).replace(tzinfo=zone_of(have.settings)) if said.at else now
    except ValueError:
        raise Invalid("at", "a time") from None
    return Call(said.to, at, said.told, said.read_back == "yes", said.comment)


def _listed(connection: Connection, alert: int) -> Row[Any]:
    """The alert while somebody must be called about it; operators open no other."""
    found = next((row for row in calls.waiting(connection) if row.id == alert), None)
    if found is None:
        raise HTTPException(404)
    return found


def _page(
    request: Request,
    reader: Reader,
    have: Deps,
    alert: int,
    status: int = 200,
    wrong: str = "",
    said: Said | None = None,
) -> Response:
    with writing(have.engine) as connection:
        now, row = db_now(connection), _listed(connection, alert)
        trail.note_alert(connection, now, trail.actor(request, reader), alert, row.patient_id)
        shown = _shown(connection, row, now, have)
    context = {"shown": shown, "wrong": wrong, "said": said or Said("", "", "", "", "")}
    return page(request, "call.html", status, reader=frame_of(reader), **context)


def _shown(connection: Connection, row: Row[Any], now: datetime, have: Deps) -> dict[str, Any]:
    stored, zone = records.load(connection, [row.patient_id])[row.patient_id], zone_of(have.settings)
    (listed,) = queued(connection, [row], "call_list_since", now)
    made = [step for step in steps_of(connection, row.id) if step.step == "call"]
    return {
        "row": listed,
        "headline": row.headline,
        "patient": patient_words(stored, now),
        "values": [
            (one.name, one.text, words.clock_time(one.effective_at, now, zone))
            for one in results_in(row.evidence)
        ],
        "made": timeline(connection, made, zone),
        "now": now.astimezone(zone).strftime("%Y-%m-%dT%H:%M"),
    }
