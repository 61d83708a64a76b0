"""GET /fhir/DetectedIssue and /fhir/Communication: a clinician's alerts, and who was told of them, as R4.

The same rules as in the inbox: what somebody may not see there is not here either, and each look is in the
audit trail. What the resources say is `alerts.channels.fhir_resources`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from alerts.channels.fhir_resources import communication, detected_issue
from alerts.channels.record_entry import Entry
from alerts.outbox import Outcome
from alerts.people import RECORD_SYSTEM, Address
from alerts.states import Step
from alerts.tables import ALERT, DELIVERY, NOTICE
from worker import clock
from worker.composition import Deps
from worker.database import reading, writing
from worker.record_entries import read_entries
from worker.tables import PATIENT
from worker.web import trail
from worker.web.deps import Have
from worker.web.fhir_answers import answer, readable_answer, refusal
from worker.web.fhir_examples import ISSUE, TOLD, answered_with_fhir, found
from worker.web.readers import Clinician, Reader
from worker.web.scope import scope_of
from worker.web.visible import refuse

router = APIRouter(tags=["fhir"])

MOST = 200
"""More of one patient's are not listed."""
NUMBER = re.compile(r"[0-9]{1,18}")
STATUS = {Outcome.SENT: "completed", Outcome.FAILED: "stopped", Outcome.OVERTAKEN: "not-done"}
"""Of a delivery; one that is not yet made is in preparation."""

Resource = dict[str, Any]
OfPatient = Annotated[
    str,
    Query(
        alias="patient",
        max_length=900,
        description="The patient's identifier: SYSTEM|ID.",
        examples=["urn:mrn:north|123"],
    ),
]


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody looks: who, and with what the app works."""

    request: Request
    reader: Reader
    deps: Deps

    @property
    def links(self) -> str:
        """What identifiers begin with."""
        return self.deps.settings.links_to


def look_of(request: Request, reader: Clinician, have: Have) -> Look:
    """The clinician who looks; raises NotSignedIn, WrongRole or `FhirRefusal` 406."""
    readable_answer(request)
    return Look(request, reader, have)


Looking = Annotated[Look, Depends(look_of)]


@router.get("/fhir/DetectedIssue", response_class=Response, responses=answered_with_fhir(found(ISSUE)))
def issues_of(look: Looking, patient: OfPatient = "") -> Response:
    """The alerts of one patient that the reader may see, the newest first."""
    seen, entries = _search(look, select(ALERT.c.id.label("alert_id")), _whose(patient), ALERT.c.id)
    return _bundle(look, [_issue(entries[row.alert_id], look.links) for row in seen])


@router.get("/fhir/DetectedIssue/{identity}", response_class=Response, responses=answered_with_fhir(ISSUE))
def issue(look: Looking, identity: str) -> Response:
    """One alert, by its number."""
    _, entry = _one(look, select(ALERT.c.id.label("alert_id")), ALERT.c.id, identity)
    return answer(_issue(entry, look.links))


@router.get("/fhir/Communication", response_class=Response, responses=answered_with_fhir(found(TOLD)))
def communications_of(look: Looking, patient: OfPatient = "") -> Response:
    """Who was told of one patient's alerts that the reader may see, the newest first."""
    seen, entries = _search(look, _TOLD, _whose(patient), NOTICE.c.id)
    return _bundle(look, [_communication(row, entries[row.alert_id], look.links) for row in seen])


@router.get("/fhir/Communication/{identity}", response_class=Response, responses=answered_with_fhir(TOLD))
def one_communication(look: Looking, identity: str) -> Response:
    """One telling of one alert to one recipient, by its number."""
    row, entry = _one(look, _TOLD, NOTICE.c.id, identity)
    return answer(_communication(row, entry, look.links))


_TOLD = (
    select(NOTICE, DELIVERY.c.delivery_key, DELIVERY.c.recipient_system, DELIVERY.c.recipient_ident)
    .add_columns(DELIVERY.c.channel, DELIVERY.c.state, DELIVERY.c.sent_at)
    .join(DELIVERY, DELIVERY.c.id == NOTICE.c.delivery_id)
    .join(ALERT, ALERT.c.id == NOTICE.c.alert_id)
    .where(DELIVERY.c.recipient_system != RECORD_SYSTEM)
)


def _search(
    look: Look, query: Select[Any], whose: ColumnElement[bool], newest: ColumnElement[Any]
) -> tuple[Sequence[Row[Any]], Mapping[int, Entry]]:
    now = clock.now()
    with reading(look.deps.engine) as connection:
        visible = scope_of(connection, look.reader, now).visible()
        rows = connection.execute(query.where(visible, whose).order_by(newest.desc()).limit(MOST)).all()
        ids = sorted({row.alert_id for row in rows})
        entries, patients = read_entries(connection, ids), _patients_of(connection, ids)
    with writing(look.deps.engine) as connection:
        trail.note_list(connection, now, trail.actor(look.request, look.reader), ids, patients)
    return rows, entries


def _one(
    look: Look, query: Select[Any], numbers: ColumnElement[Any], identity: str
) -> tuple[Row[Any], Entry]:
    now, number = clock.now(), int(identity) if NUMBER.fullmatch(identity) else 0
    with reading(look.deps.engine) as connection:
        mine = scope_of(connection, look.reader, now).may_open()
        row = connection.execute(query.where(numbers == number, mine)).first() if number else None
        if row is not None:
            entries = read_entries(connection, [row.alert_id])
            (patient,) = _patients_of(connection, [row.alert_id])
    if row is None:
        raise refuse(look.deps, look.request, look.reader, "read", number, now)
    with writing(look.deps.engine) as connection:
        by = trail.actor(look.request, look.reader)
        trail.note_alert(connection, now, by, row.alert_id, patient)
    return row, entries[row.alert_id]


def _whose(patient: str) -> ColumnElement[bool]:
    """Also what belongs to whom this patient was merged into."""
    system, bar, ident = patient.rpartition("|")
    if not bar or not system or not ident:
        raise refusal(400, "patient: expected the identifier of a patient, SYSTEM|ID")
    own = func.coalesce(PATIENT.c.survivor_id, PATIENT.c.id)
    return ALERT.c.patient_id.in_(select(own).where(PATIENT.c.system == system, PATIENT.c.ident == ident))


def _patients_of(connection: Connection, alert_ids: Sequence[int]) -> list[int]:
    query = select(ALERT.c.patient_id).where(ALERT.c.id.in_(alert_ids)).distinct()
    return list(connection.execute(query).scalars())


def _issue(entry: Entry, links: str) -> Resource:
    return {"id": str(entry.alert_id), **detected_issue(entry, links)}


def _communication(row: Row[Any], entry: Entry, links: str) -> Resource:
    told = communication(
        replace(entry, recipients=(Address(row.recipient_system, row.recipient_ident),)),
        links,
        key=f"{row.delivery_key}.{row.alert_id}",
        step=Step(row.step),
        headline=row.headline,
        sent=row.sent_at,
    )
    status = STATUS.get(row.state, "preparation")
    return {"id": str(row.id), **told, "status": status, "medium": [{"text": row.channel}]}


def _bundle(look: Look, resources: Sequence[Resource]) -> Response:
    base = str(look.request.url_for("receive_bundle")).rstrip("/")
    entries = [
        {"fullUrl": f"{base}/{one['resourceType']}/{one['id']}", "resource": one, "search": {"mode": "match"}}
        for one in resources
    ]
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return answer(bundle | {"entry": entries} if entries else bundle)
