"""/break-glass, for clinicians: open a patient who is not yours, saying why; what is open, and what waits so.

Each opening is told to the privacy officer by mail, without the patient, and stands in their list.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection, select

from alerts.channels.channel import Passing, Refused
from alerts.states import OPEN
from alerts.tables import ALERT
from worker import clock
from worker.break_glass import (
    NoSuchPatient,
    Reason,
    open_patient,
    opened_by,
    patient_of_alert,
    patient_of_ident,
)
from worker.channels import email_channel
from worker.composition import Deps
from worker.database import db_now, reading, writing
from worker.settings import Settings
from worker.web import trail, words
from worker.web.deps import Have, zone_of
from worker.web.frame import frame_of
from worker.web.pages import page
from worker.web.readers import Clinician, FormSender, Reader
from worker.web.scope import Scope, scope_of
from worker.web.security_events import Kind, note, note_not_told
from worker.web.step_up import KnownSurely
from worker.web.visible import LARGEST_ID

router = APIRouter(prefix="/break-glass", include_in_schema=False)

REASONS = {
    Reason.EMERGENCY: "Emergency",
    Reason.IN_MY_CARE: "The patient is in my care",
    Reason.COVER_NOT_ENTERED: "I cover for somebody and it is not entered",
    Reason.ASKED: "A colleague asked me",
    Reason.OTHER: "Another reason",
}
NOBODY = "There is no such alert or patient, or more than one has this number: then write SYSTEM|NUMBER."
SAY_MORE = "Say in a few words why; it is kept and read."
FEWEST_LETTERS = 5
MOST_LISTED = 200

AlertNumber = Annotated[int | None, Query(ge=1, le=LARGEST_ID)]


@router.get("")
def ask(request: Request, reader: Clinician, have: Have, alert: AlertNumber = None) -> Response:
    """The form, what is open, and what waits behind it."""
    return _page(request, reader, have, alert=str(alert or ""))


@router.post("", dependencies=[KnownSurely])
def break_glass(
    request: Request,
    reader: FormSender,
    have: Have,
    later: BackgroundTasks,
    reason: Annotated[Reason, Form()],
    comment: Annotated[str, Form(max_length=500)] = "",
    alert: Annotated[str, Form(pattern=r"^\s*\d{0,18}\s*$")] = "",
    patient: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Open the patient for an hour, then show what may be read."""
    if len(comment.strip()) < FEWEST_LETTERS:
        return _page(request, reader, have, wrong=SAY_MORE, alert=alert, status=422)
    by = trail.actor(request, reader)
    with writing(have.engine) as connection:
        now = db_now(connection)
        whom = _whom(connection, alert, patient)
        if whom is None:
            trail.note_glass_refused(connection, now, by)
        else:
            opening = open_patient(connection, whom, by, reader.name, reason, comment.strip(), now)
    if whom is None:
        return _page(request, reader, have, wrong=NOBODY, alert=alert, status=404)
    note(Kind.BREAK_GLASS, reason.value)
    later.add_task(tell_privacy, have.settings, opening)
    return RedirectResponse("/break-glass", status_code=303)


def tell_privacy(settings: Settings, opening: int) -> None:
    """One mail that names neither patient nor clinician: their list does."""
    channel = email_channel(settings)
    if channel is None or settings.privacy_email is None:
        return
    subject = f"Ferrule: a patient was opened by break-glass (number {opening})"
    text = (
        f"Who, whom and why:\n\n    {settings.links_to}/privacy\n\nThe access ends by itself after an hour.\n"
    )
    try:
        channel.send_note(settings.privacy_email, subject, text)
    except (Passing, Refused) as problem:
        note_not_told(problem.reason)


def _whom(connection: Connection, alert: str, patient: str) -> int | None:
    try:
        if alert.strip():
            return patient_of_alert(connection, int(alert))
        return patient_of_ident(connection, patient)
    except NoSuchPatient:
        return None


def _page(
    request: Request, reader: Reader, have: Deps, *, wrong: str = "", alert: str = "", status: int = 200
) -> Response:
    now = clock.now()
    with reading(have.engine) as connection:
        scope = scope_of(connection, reader, now)
        opened = opened_by(connection, scope.own, now)
        shown = _alerts(connection, scope)
        behind = _behind(connection, scope, now)
    if shown:
        with writing(have.engine) as connection:
            by = trail.actor(request, reader)
            trail.note_list(connection, now, by, [r.id for r in shown], [r.patient_id for r in shown])
    until = words.clock_time(opened[0].ends_at, now, zone_of(have.settings)) if opened else ""
    return page(
        request,
        "break-glass.html",
        status,
        reader=frame_of(reader),
        wrong=wrong,
        alert=alert.strip(),
        reasons=REASONS,
        until=until,
        shown=shown,
        behind=behind,
    )


def _alerts(connection: Connection, scope: Scope) -> list[Any]:
    """The alerts of the patients that are open, the newest first."""
    query = select(ALERT).where(ALERT.c.patient_id.in_(scope.opened)).order_by(ALERT.c.id.desc())
    return list(connection.execute(query.limit(MOST_LISTED)))


def _behind(connection: Connection, scope: Scope, now: datetime) -> list[dict[str, Any]]:
    """Open alerts of the reader's pools about sensitive patients: how severe and how old, nothing else."""
    query = select(ALERT.c.id, ALERT.c.severity, ALERT.c.raised_at).where(
        scope.behind_glass(), ALERT.c.state.in_(OPEN)
    )
    rows = connection.execute(query.order_by(ALERT.c.raised_at).limit(MOST_LISTED))
    return [{"id": r.id, "severity": r.severity, "wait": words.wait(r.raised_at, now)} for r in rows]
