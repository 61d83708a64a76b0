"""/privacy, for the privacy officer: who opened whom and why, and which patients are sensitive. No values."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from worker import clock
from worker.break_glass import NoSuchPatient, mark, openings, patient_of_ident, review
from worker.composition import Deps
from worker.database import db_now, writing
from worker.web import trail, words
from worker.web.deps import Have, zone_of
from worker.web.frame import frame_of
from worker.web.pages import page
from worker.web.readers import BadToken, PrivacyOfficer, Reader
from worker.web.step_up import KnownSurely
from worker.web.visible import LARGEST_ID

router = APIRouter(prefix="/privacy", include_in_schema=False)


def privacy_form_of(reader: PrivacyOfficer, csrf: Annotated[str, Form()] = "") -> Reader:
    """The privacy officer who sent a form with the token of their session; raises BadToken."""
    if reader.session is None or not secrets.compare_digest(csrf.encode(), reader.csrf.encode()):
        raise BadToken
    return reader


PrivacyForm = Annotated[Reader, Depends(privacy_form_of)]


@router.get("")
def listed(request: Request, reader: PrivacyOfficer, have: Have) -> Response:
    """The openings, those nobody has looked at first."""
    return _page(request, reader, have)


@router.post("/{opening}/reviewed")
def reviewed(request: Request, reader: PrivacyForm, have: Have, opening: int) -> Response:
    """Looked at, and nothing more to do about it here."""
    with writing(have.engine) as connection:
        by, now = trail.actor(request, reader), db_now(connection)
        done = 0 < opening <= LARGEST_ID and review(connection, opening, by, now)
    if not done:
        raise HTTPException(404)
    return RedirectResponse("/privacy", status_code=303)


@router.post("/sensitive", dependencies=[KnownSurely])
def sensitive(
    request: Request,
    reader: PrivacyForm,
    have: Have,
    patient: Annotated[str, Form(min_length=1, max_length=300)],
    flag: Annotated[bool, Form()],
) -> Response:
    """Mark a patient as sensitive, or take the mark away."""
    try:
        with writing(have.engine) as connection:
            whom = patient_of_ident(connection, patient)
            mark(connection, whom, trail.actor(request, reader), db_now(connection), sensitive=flag)
    except NoSuchPatient:
        return _page(
            request, reader, have, wrong="No such patient, or several: write SYSTEM|NUMBER.", status=404
        )
    return _page(request, reader, have, done="Sensitive." if flag else "No longer sensitive.")


def _page(
    request: Request, reader: Reader, have: Deps, *, wrong: str = "", done: str = "", status: int = 200
) -> Response:
    now, zone = clock.now(), zone_of(have.settings)
    with writing(have.engine) as connection:
        rows = openings(connection)
        by = trail.actor(request, reader)
        trail.note_openings(connection, now, by, [row.patient_id for row in rows])
    items = [
        {
            "row": row,
            "at": words.clock_time(row.started_at, now, zone),
            "until": words.clock_time(row.ends_at, now, zone),
        }
        for row in rows
    ]
    return page(request, "privacy.html", status, reader=frame_of(reader), items=items, wrong=wrong, done=done)
