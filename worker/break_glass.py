"""Break-glass: a clinician opens a patient who is not theirs, saying why, for an hour. Sensitive patients.

What an opened patient lets somebody see is `worker.web.scope`. Nobody is told here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, or_, select

from alerts import audit
from alerts.answers import cleaned
from alerts.people import Actor, Address
from alerts.tables import ALERT
from worker.tables import BREAK_GLASS, PATIENT

LASTS = timedelta(minutes=60)
MOST_LISTED = 200
SOURCE_SYSTEM = "urn:ferrule:source"
"""The system of an actor that is a sender, by the name its messages carry."""


class Reason(StrEnum):
    """Why somebody opens a patient who is not theirs."""

    EMERGENCY = "emergency"
    IN_MY_CARE = "in-my-care"
    COVER_NOT_ENTERED = "cover-not-entered"
    ASKED = "asked-by-a-colleague"
    OTHER = "other"


class NoSuchPatient(Exception):
    """Nobody, or more than one, is meant."""


def patient_of_alert(connection: Connection, alert: int) -> int:
    """Whom an alert is about. Raises NoSuchPatient."""
    found = connection.execute(select(ALERT.c.patient_id).where(ALERT.c.id == alert)).scalar()
    if found is None:
        raise NoSuchPatient
    return int(found)


def patient_of_ident(connection: Connection, text: str) -> int:
    """Whom an identifier, or SYSTEM|ID, means; if merged, whom it lives on in. Raises NoSuchPatient."""
    system, bar, ident = text.strip().rpartition("|")
    query = select(func.coalesce(PATIENT.c.survivor_id, PATIENT.c.id)).where(PATIENT.c.ident == ident)
    found = connection.execute(query.where(PATIENT.c.system == system) if bar else query).scalars().all()
    if len(set(found)) != 1:
        raise NoSuchPatient
    return int(found[0])


def open_patient(
    connection: Connection, patient: int, by: Actor, name: str, reason: Reason, comment: str, now: datetime
) -> int:
    """Open the patient's alerts to `by` until an hour from now; the row's id."""
    values = {
        "patient_id": patient,
        "system": by.system,
        "ident": by.id,
        "name": name,
        "reason": reason.value,
        "comment": cleaned("comment", comment) or "",
        "started_at": now,
        "ends_at": now + LASTS,
    }
    opened = int(
        connection.execute(BREAK_GLASS.insert().values(**values).returning(BREAK_GLASS.c.id)).scalar_one()
    )
    data = {"reason": reason.value, "break_glass": opened}
    entry = audit.Entry("break-glass", by, "patient", str(patient), now, patient_id=patient, data=data)
    audit.record(connection, [entry])
    return opened


def opened_by(connection: Connection, who: Address, now: datetime) -> Sequence[Row[Any]]:
    """What somebody has opened and may still see."""
    query = select(BREAK_GLASS).where(
        BREAK_GLASS.c.system == who.system,
        BREAK_GLASS.c.ident == who.id,
        BREAK_GLASS.c.started_at <= now,
        BREAK_GLASS.c.ends_at > now,
    )
    return connection.execute(query.order_by(BREAK_GLASS.c.ends_at.desc())).all()


def openings(connection: Connection) -> Sequence[Row[Any]]:
    """All openings, those that nobody has looked at first, then the newest."""
    query = select(
        BREAK_GLASS, PATIENT.c.system.label("patient_system"), PATIENT.c.ident.label("patient_ident")
    ).join(PATIENT, PATIENT.c.id == BREAK_GLASS.c.patient_id)
    order = (BREAK_GLASS.c.reviewed_at.isnot(None), BREAK_GLASS.c.id.desc())
    return connection.execute(query.order_by(*order).limit(MOST_LISTED)).all()


def review(connection: Connection, opening: int, by: Actor, now: datetime) -> bool:
    """Somebody has looked at an opening; False: there is none that nobody has looked at."""
    change = (
        BREAK_GLASS.update()
        .where(BREAK_GLASS.c.id == opening, BREAK_GLASS.c.reviewed_at.is_(None))
        .values(reviewed_at=now, reviewed_by=by.id)
        .returning(BREAK_GLASS.c.patient_id)
    )
    patient = connection.execute(change).scalar()
    if patient is None:
        return False
    entry = audit.Entry("break-glass.review", by, "break-glass", str(opening), now, patient_id=patient)
    audit.record(connection, [entry])
    return True


def mark_as_sent(connection: Connection, patient: int, source: str, message: int, now: datetime) -> None:
    """Mark a patient whose sender protects them. Nothing sent takes the mark away; a person does (`mark`)."""
    row = PATIENT.c.id == patient, PATIENT.c.sensitive.is_(False)
    change = PATIENT.update().where(*row).values(sensitive=True).returning(PATIENT.c.id)
    if connection.execute(change).scalar() is None:
        return
    data = {"sensitive": True, "message": message}
    by = Actor(SOURCE_SYSTEM, source)
    entry = audit.Entry("patient.sensitive", by, "patient", str(patient), now, patient_id=patient, data=data)
    audit.record(connection, [entry])


def mark(connection: Connection, patient: int, by: Actor, now: datetime, *, sensitive: bool) -> None:
    """Say that a patient is sensitive, or is not: then none of the identifiers merged into them is either."""
    change = PATIENT.update().values(sensitive=sensitive)
    connection.execute(change.where(PATIENT.c.id == patient))
    if not sensitive:
        connection.execute(change.where(PATIENT.c.survivor_id == patient))
    data = {"sensitive": sensitive}
    entry = audit.Entry("patient.sensitive", by, "patient", str(patient), now, patient_id=patient, data=data)
    audit.record(connection, [entry])


def about_a_sensitive_patient() -> ColumnElement[bool]:
    """The condition on `alert`: its patient, or an identifier merged into theirs, is marked sensitive."""
    theirs = or_(PATIENT.c.id == ALERT.c.patient_id, PATIENT.c.survivor_id == ALERT.c.patient_id)
    return exists().where(PATIENT.c.sensitive.is_(True), theirs)
