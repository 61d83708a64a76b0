"""The clinician's pages: the list, what has arrived since, search, one alert, the forms that answer it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from sqlalchemy import Connection, Row

from alerts.people import pool
from alerts.states import NotAllowed
from alerts.steps import Conflict
from worker import clock
from worker.composition import Deps
from worker.database import reading, writing
from worker.web import trail, words
from worker.web.alert_page import AlertPage, alert_page
from worker.web.answering import give, invalid
from worker.web.bodies import KINDS, Answer
from worker.web.deps import Have, zone_of
from worker.web.frame import FRONT_DOOR, Frame, frame_of, home_of
from worker.web.listing import PAGE, Listing, arrived_since, listing
from worker.web.pages import page
from worker.web.readers import Clinician, FormSender, NotSignedIn, Reader, reader_of
from worker.web.scope import Scope, scope_of
from worker.web.search import search
from worker.web.tabs import Tab
from worker.web.visible import refuse, visible_alert

router = APIRouter(include_in_schema=False)

MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Sent:
    """The fields of an answer's form; what is empty was not sent."""

    etag: int | None
    fields: dict[str, Any]


def sent_of(
    have: Have,
    etag: Annotated[int | None, Form()] = None,
    reason: Annotated[str, Form()] = "",
    comment: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
    day: Annotated[str, Form()] = "",
    to: Annotated[str, Form()] = "",
    agreeing: Annotated[bool, Form()] = False,
    agreed: Annotated[list[str] | None, Form()] = None,
) -> Sent:
    """The form's fields; `to` is SYSTEM|ID, a `day` stands for its morning and goes before `until`.

    `agreeing` says that the form had boxes for what is followed up: a browser sends nothing of an empty one.
    """
    until = f"{day}T08:00:00{_offset(day, have)}" if day else until
    fields: dict[str, Any] = {"reason": reason, "comment": comment, "until": until}
    system, bar, ident = to.rpartition("|")
    if bar:
        fields["to"] = {"system": system, "id": ident}
    kept = {name: value for name, value in fields.items() if value}
    return Sent(etag, {**kept, "follow_ups": agreed or []} if agreeing else kept)


def _offset(day: str, have: Deps) -> str:
    """The zone's offset on the morning of that day; empty, which is no time then, for what is no day."""
    try:
        return datetime.fromisoformat(f"{day}T08:00").replace(tzinfo=zone_of(have.settings)).isoformat()[19:]
    except ValueError:
        return ""


@router.get("/")
def start(request: Request, have: Have) -> Response:
    """The front door leads to the first page of the reader's role."""
    try:
        return RedirectResponse(home_of(reader_of(request, have)), status_code=303)
    except NotSignedIn:
        return RedirectResponse(FRONT_DOOR, status_code=303)


@router.get("/inbox")
def inbox(
    request: Request,
    reader: Clinician,
    have: Have,
    tab: Tab = Tab.ANSWER,
    mine: bool = False,
    show: Annotated[int, Query(ge=1, le=MOST_ROWS)] = PAGE,
) -> Response:
    """The list of one tab."""
    scope, listed = _list(request, reader, have, tab, mine, show)
    frame = _frame(reader, scope, have)
    return page(request, "inbox.html", reader=frame, listing=listed, arrived=(), swapped=False)


@router.get("/inbox/rows")
def rows(
    request: Request, reader: Clinician, have: Have, tab: Tab = Tab.ANSWER, mine: bool = False
) -> Response:
    """The list alone: an empty list asks for it when something comes."""
    _, listed = _list(request, reader, have, tab, mine, PAGE)
    return page(request, "parts/rows.html", listing=listed)


@router.get("/inbox/arrivals")
def arrivals(
    request: Request,
    reader: Clinician,
    have: Have,
    tab: Tab = Tab.ANSWER,
    since: Annotated[int, Query(ge=0, le=2**62)] = 0,
    mine: bool = False,
) -> Response:
    """The line above the list, and the tabs with their counts of now."""
    now = clock.now()
    with reading(have.engine) as connection:
        scope = scope_of(connection, reader, now)
        listed = listing(connection, scope, tab, now, zone_of(have.settings), mine=mine, show=0)
        arrived = arrived_since(connection, scope, tab, since, now, zone_of(have.settings), mine=mine)
    _note_list(request, reader, have, [(row.id, row.patient_id) for row in arrived])
    return page(request, "arrivals.html", listing=replace(listed, mark=since), arrived=arrived, swapped=True)


@router.post("/inbox/search")
def find(
    request: Request, reader: FormSender, have: Have, words: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    """The reader's alerts in which these words occur."""
    now = clock.now()
    with reading(have.engine) as connection:
        scope = scope_of(connection, reader, now)
        found = search(connection, scope, words, now, zone_of(have.settings))
    _note_list(request, reader, have, [(row.id, row.patient_id) for row in found.rows])
    return page(request, "search.html", reader=_frame(reader, scope, have), found=found)


@router.get("/inbox/{alert}")
def one(request: Request, reader: Clinician, have: Have, alert: int, answered: bool = False) -> Response:
    """One alert."""
    return _page(request, reader, have, alert, just_answered=answered)


@router.post("/inbox/{alert}/{step}")
def answer(
    request: Request,
    reader: FormSender,
    have: Have,
    alert: int,
    step: str,
    sent: Annotated[Sent, Depends(sent_of)],
) -> Response:
    """Take an answer, then show the alert again; one that cannot be taken is said on the alert's page."""
    try:
        give(have, request, reader, alert, _answer(step, sent), sent.etag)
    except Refused as refused:
        lines = ("Nothing was changed", *refused.lines)
        return _page(request, reader, have, alert, status=422, wrong=lines, opened=step)
    except RequestValidationError as unfit:
        lines = ("Nothing was changed", *(_unfit(error) for error in unfit.errors()))
        return _page(request, reader, have, alert, status=422, wrong=lines, opened=step)
    except NotAllowed as late:
        lines = (
            "Nothing was changed",
            f"The alert is already {str(late.state).replace('-', ' ')}. Its history below says by whom.",
        )
        return _page(request, reader, have, alert, status=409, wrong=lines)
    except Conflict:
        lines = (
            "Nothing was changed",
            "The alert has changed since you opened it. Please look at it again, then answer.",
        )
        return _page(request, reader, have, alert, status=412, wrong=lines)
    return RedirectResponse(f"/inbox/{alert}?answered=1", status_code=303)


class Refused(Exception):
    """A form's fields do not make an answer; `lines` say why."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


def _answer(step: str, sent: Sent) -> Answer:
    kind = KINDS.get(step)
    if kind is None:
        raise invalid("step", f"expected one of {', '.join(KINDS)}")
    wanted = {name: value for name, value in sent.fields.items() if name in kind.model_fields}
    try:
        return kind.model_validate(wanted)
    except ValidationError as error:
        fields = dict.fromkeys(str(fault["loc"][0]) for fault in error.errors(include_input=False))
        raise Refused(tuple(f"Please fill in: {NAMES.get(name, name)}." for name in fields)) from None


def _unfit(error: Any) -> str:
    field = str(error["loc"][-1])
    return f"{NAMES.get(field, field)}: {error['msg']}.".capitalize()


NAMES = {"reason": "the reason", "until": "until when", "to": "to whom"}


def _list(
    request: Request, reader: Reader, have: Deps, tab: Tab, mine: bool, show: int
) -> tuple[Scope, Listing]:
    now = clock.now()
    with reading(have.engine) as connection:
        scope = scope_of(connection, reader, now)
        listed = listing(connection, scope, tab, now, zone_of(have.settings), mine=mine, show=show)
    _note_list(request, reader, have, [(row.id, row.patient_id) for row in listed.rows])
    return scope, listed


def _note_list(request: Request, reader: Reader, have: Deps, shown: list[tuple[int, int]]) -> None:
    if shown:
        with writing(have.engine) as connection:
            alerts, patients = [a for a, _ in shown], [p for _, p in shown]
            trail.note_list(connection, clock.now(), trail.actor(request, reader), alerts, patients)


def _page(
    request: Request,
    reader: Reader,
    have: Deps,
    alert: int,
    *,
    status: int = 200,
    wrong: tuple[str, ...] = (),
    opened: str = "",
    just_answered: bool = False,
) -> Response:
    now = clock.now()
    with reading(have.engine) as connection:
        scope = scope_of(connection, reader, now)
        row = visible_alert(connection, scope, alert)
        shown = _shown(connection, have, scope, row) if row is not None else None
    if row is None or shown is None:
        raise refuse(have, request, reader, "read", alert, now)
    with writing(have.engine) as connection:
        trail.note_alert(connection, now, trail.actor(request, reader), alert, row.patient_id)
    shown = replace(shown, wrong=wrong, opened=opened, just_answered=just_answered)
    return page(request, "alert.html", status, reader=_frame(reader, scope, have), page=shown)


def _shown(connection: Connection, have: Deps, scope: Scope, row: Row[Any]) -> AlertPage:
    fallback = pool(have.settings.fallback_pool)
    return alert_page(connection, have.ruleset, scope, row, fallback, clock.now(), zone_of(have.settings))


def _frame(reader: Reader, scope: Scope, have: Deps) -> Frame:
    now, zone = clock.now(), zone_of(have.settings)
    covering = ", ".join(f"{c.name} (until {words.clock_time(c.until, now, zone)})" for c in scope.covered)
    return frame_of(reader, covering)
