"""CDS Hooks 2.0: open alerts as cards when a chart is opened, and what the clinician said of them.

Off until FERRULE_CDS_CLIENTS lists somebody. Patient and clinician are known by the identifiers in the
prefetched Patient and Practitioner; what is shown is what that clinician's own inbox would show.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, Row, and_, or_, select

from alerts import audit
from alerts.answers import DismissReason
from alerts.people import Actor
from alerts.states import OPEN, NotAllowed
from alerts.steps import Conflict
from alerts.tables import ALERT, RECIPIENT
from rules.findings import Severity
from worker import clock
from worker.database import writing
from worker.patients import members_of, patient_ids
from worker.tables import CDS_CARD
from worker.web import trail
from worker.web.answering import give
from worker.web.bodies import Acknowledge, Answer, Dismiss
from worker.web.cds_callers import Caller, caller_of
from worker.web.cds_cards import REASONS_SYSTEM, card_of, suggestion_of
from worker.web.deps import Have
from worker.web.fhir_body import fhir_body
from worker.web.readers import Reader
from worker.web.scope import scope_of

Shape = TypeVar("Shape", bound=BaseModel)
router = APIRouter(prefix="/cds-services", tags=["cds-hooks"])

SERVICE = "ferrule-open-alerts"
CARD_SYSTEM = "urn:ferrule:cds-client"
MOST_CARDS = 50
KEPT = timedelta(days=30)
"""How long feedback about a card is taken."""
PREFETCH = {"patient": "Patient/{{context.patientId}}", "user": "{{context.userId}}"}


class _Shape(BaseModel):
    # The specification lets clients send more than we read.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Identifier(_Shape):
    """A FHIR Identifier."""

    system: str = Field("", max_length=400)
    value: str = Field("", max_length=400)


class Resource(_Shape):
    """A prefetched Patient or Practitioner."""

    resourceType: str  # noqa: N815  (FHIR's name)
    id: str = ""
    identifier: list[Identifier] = Field([], max_length=100)

    @property
    def address(self) -> str:
        """Type and id, as a reference says it."""
        return f"{self.resourceType}/{self.id}"

    @property
    def keys(self) -> set[tuple[str, str]]:
        """Its identifiers."""
        return {(one.system, one.value) for one in self.identifier if one.system and one.value}


class Context(_Shape):
    """Who has opened whose chart."""

    userId: str = Field(max_length=400)  # noqa: N815
    patientId: str = Field(max_length=400)  # noqa: N815


class Prefetch(_Shape):
    """What discovery asks for."""

    patient: Resource | None = None
    user: Resource | None = None


class Call(_Shape):
    """A call of the service."""

    hook: Literal["patient-view"]
    hookInstance: uuid.UUID  # noqa: N815
    context: Context
    prefetch: Prefetch = Prefetch()


class Coding(_Shape):
    """A coded reason."""

    code: str = ""
    system: str = ""


class Override(_Shape):
    """Why a card was overridden."""

    reason: Coding = Coding()
    userComment: str | None = Field(None, max_length=1000)  # noqa: N815


class Suggestion(_Shape):
    """A suggestion that was accepted."""

    id: uuid.UUID


class Said(_Shape):
    """What became of one card."""

    card: uuid.UUID
    outcome: Literal["accepted", "overridden"]
    acceptedSuggestions: list[Suggestion] = Field([], max_length=10)  # noqa: N815
    overrideReason: Override = Override()  # noqa: N815


class Feedback(_Shape):
    """What became of the cards of one or more calls."""

    feedback: list[Said] = Field(max_length=200)


Client = Annotated[Caller, Depends(caller_of)]
Body = Annotated[bytes, Depends(fhir_body)]
"""Read after the token was."""


@router.get("")
def discovery() -> dict[str, Any]:
    """What there is to call."""
    service = {
        "hook": "patient-view",
        "id": SERVICE,
        "title": "Open laboratory alerts",
        "description": "The open alerts of this patient that the clinician's inbox in Ferrule shows.",
        "prefetch": PREFETCH,
        "usageRequirements": "Identifiers of Patient and Practitioner must be those known to Ferrule.",
    }
    return {"services": [service]}


@router.post("/" + SERVICE)
def open_alerts(request: Request, client: Client, body: Body, have: Have) -> dict[str, Any]:
    """The cards of the patient's open alerts, the most severe first."""
    call = _read(Call, body)
    patient, user = call.prefetch.patient, call.prefetch.user
    if patient is None or user is None:
        raise HTTPException(412, "the prefetched patient and user are needed")
    asked = (f"Patient/{call.context.patientId}", call.context.userId)
    if (patient.address, user.address) != asked or user.resourceType != "Practitioner":
        raise HTTPException(412, "the prefetched resources are not those of the context")
    with writing(have.engine) as connection:
        now = clock.now()
        reader = _clinician(connection, user)
        rows = _alerts(connection, reader, patient, now) if reader else []
        by = (
            trail.actor(request, reader)
            if reader
            else Actor(CARD_SYSTEM, client.issuer, trail.origin(request))
        )
        _note(connection, by, client, rows, now, known=reader is not None)
        _forget_old(connection, now)
        source = have.settings.links_to
        cards = [(row, _issue(connection, row, reader, client, now)) for row in rows if reader]
    return {"cards": [card_of(row, card, f"{source}/inbox/{row.id}", source) for row, card in cards]}


@router.post("/" + SERVICE + "/feedback")
def feedback(request: Request, client: Client, body: Body, have: Have) -> dict[str, Any]:
    """Taken on, or dismissed for a coded reason: an answer of the one the card was shown to."""
    for said in _read(Feedback, body).feedback:
        with writing(have.engine) as connection:
            card = _claim(connection, said, client, clock.now())
            answer = _answer(said) if card is not None else None
            if card is not None:
                _note_feedback(connection, request, card, said)
        if card is not None and answer is not None:
            _give(have, request, card, answer)
    return {}


def _read(shape: type[Shape], body: bytes) -> Shape:
    try:
        return shape.model_validate_json(body)
    except ValidationError as wrong:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in wrong.errors(include_input=False)]
        raise RequestValidationError(faults) from None


def _clinician(connection: Connection, user: Resource) -> Reader | None:
    """The one active clinician of the directory with an identifier of the user's."""
    named = [and_(RECIPIENT.c.system == s, RECIPIENT.c.ident == i) for s, i in user.keys]
    query = select(RECIPIENT).where(or_(False, *named), RECIPIENT.c.active.is_(True))
    found = connection.execute(query).all()
    if len(found) != 1:
        return None
    return Reader("clinician", found[0].name, found[0].system, found[0].ident)


def _alerts(connection: Connection, reader: Reader, patient: Resource, now: datetime) -> list[Row[Any]]:
    """None where the identifiers are those of several patients: a card on a wrong chart is worse."""
    found = set(patient_ids(connection, patient.keys).values())
    if len(found) != 1:
        return []
    members = members_of(connection, list(found))[found.pop()]
    shown = and_(ALERT.c.patient_id.in_(members), ALERT.c.state.in_(OPEN))
    visible = scope_of(connection, reader, now).visible()
    rows = connection.execute(
        select(ALERT).where(shown, visible).order_by(ALERT.c.raised_at, ALERT.c.id)
    ).all()
    return sorted(rows, key=lambda row: Severity(row.severity).rank)[:MOST_CARDS]


def _issue(
    connection: Connection, row: Row[Any], reader: Reader | None, client: Caller, now: datetime
) -> uuid.UUID:
    assert reader is not None
    card = uuid.uuid4()
    shown = {"alert_id": row.id, "version": row.version, "system": reader.system, "ident": reader.ident}
    connection.execute(CDS_CARD.insert().values(card=str(card), issuer=client.issuer, issued_at=now, **shown))
    return card


def _forget_old(connection: Connection, now: datetime) -> None:
    connection.execute(CDS_CARD.delete().where(CDS_CARD.c.issued_at < now - KEPT))


def _claim(connection: Connection, said: Said, client: Caller, now: datetime) -> Row[Any] | None:
    """The card, once; None when it is another client's, unknown, or was spoken of before."""
    mine = CDS_CARD.update().where(
        CDS_CARD.c.card == str(said.card), CDS_CARD.c.issuer == client.issuer, CDS_CARD.c.said_at.is_(None)
    )
    return connection.execute(mine.values(said_at=now).returning(CDS_CARD)).first()


def _answer(said: Said) -> Answer | None:
    """An override without one of our reasons answers nothing: the alert stays open."""
    if said.outcome == "accepted":
        taken_on = suggestion_of(said.card) in {one.id for one in said.acceptedSuggestions}
        return Acknowledge() if taken_on else None
    reason = said.overrideReason.reason
    if reason.system != REASONS_SYSTEM or reason.code not in tuple(DismissReason):
        return None
    return Dismiss(reason=DismissReason(reason.code), comment=said.overrideReason.userComment)


def _give(have: Have, request: Request, card: Row[Any], answer: Answer) -> None:
    """As if given on the page, by the one who saw the card, of the alert as it was shown."""
    reader = Reader("clinician", "", card.system, card.ident)
    try:
        give(have, request, reader, card.alert_id, answer, card.version)
    except (Conflict, NotAllowed, HTTPException):
        return  # it has changed or is no longer theirs: it stays as it is, and is shown again


def _note(
    connection: Connection, by: Actor, client: Caller, rows: list[Row[Any]], now: datetime, *, known: bool
) -> None:
    data = {"alerts": [row.id for row in rows], "client": client.issuer, "door": SERVICE}
    outcome = trail.DONE if known else trail.DENIED
    patient = rows[0].patient_id if rows else None
    entry = audit.Entry("list", by, "alert", "", now, patient_id=patient, outcome=outcome, data=data)
    audit.record(connection, [entry])


def _note_feedback(connection: Connection, request: Request, card: Row[Any], said: Said) -> None:
    by = Actor(card.system, card.ident, trail.origin(request))
    data = {"outcome": said.outcome, "client": card.issuer, "door": SERVICE}
    entry = audit.Entry("feedback", by, "alert", str(card.alert_id), card.said_at, data=data)
    audit.record(connection, [entry])
