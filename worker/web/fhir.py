"""POST /fhir, POST and PUT /fhir/{type}: FHIR R4 comes in, is stored, and the doorbell is rung.

Nothing is judged here, and nothing that was stored is given out: the answer is what was sent, under its
address, or an OperationOutcome. 422 names the element by FHIRPath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response

from worker import clock
from worker.composition import Deps
from worker.database import writing
from worker.fhir_door import (
    BadCondition,
    PreconditionFailed,
    Taken,
    Wish,
    search_of,
    source_of,
    take,
    version_in,
)
from worker.fhir_memory import Kept, remembered
from worker.fhir_subscriptions import note, told_by
from worker.intake.fhir import address_in, events_of, fallback_of, faults_of
from worker.intake.fhir_issues import FhirInvalid, Issue
from worker.intake.fhir_package import NOTIFICATION, SINGLE, Package, read_package
from worker.intake.fhir_resources import DOORS
from worker.intake.fhir_scope import Part
from worker.intake.fhir_types import R4_TYPES
from worker.intake.unreadable import Unreadable
from worker.web.deps import Have
from worker.web.fhir_answers import FhirRefusal, answer, outcome, readable_answer, refusal, refusal_of
from worker.web.fhir_batch import batch_answer, response_of
from worker.web.fhir_body import fhir_body
from worker.web.fhir_examples import (
    BUNDLE_BODY,
    RESOURCE_BODY,
    STORED_ALL,
    STORED_ONE,
    answered_with_fhir,
)
from worker.web.fhir_wishes import ID, wishes_of
from worker.web.readers import Intake

router = APIRouter(tags=["fhir"])

Body = Annotated[bytes, Depends(fhir_body)]
"""Read after the token was."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, and what the app works with."""

    deps: Deps
    source: str
    afterwards: BackgroundTasks

    def ring(self, taken: Taken) -> None:
        """Ring the doorbell, after the answer, for what is new."""
        if taken.receipt is not None and taken.receipt.judge:
            self.afterwards.add_task(self.deps.publish, [taken.receipt.message])


def sender_of(request: Request, reader: Intake, have: Have, afterwards: BackgroundTasks) -> Sender:
    """The sender behind an intake token; raises NotSignedIn, WrongRole or `FhirRefusal` 406."""
    readable_answer(request)
    return Sender(have, source_of(reader.name), afterwards)


From = Annotated[Sender, Depends(sender_of)]
STORED = answered_with_fhir(STORED_ONE, 200, 201)


@router.post(
    "/fhir",
    openapi_extra={"requestBody": BUNDLE_BODY},
    response_class=Response,
    responses=answered_with_fhir(STORED_ALL),
)
def receive_bundle(sender: From, body: Body) -> Response:
    """Store a Bundle: a transaction whole or not at all, a batch entry by entry, others whole."""
    package = _package(body)
    if package.kind == SINGLE:
        raise refusal(
            422,
            "expected a Bundle; send a single resource to /fhir/{type}",
            expression=package.parts[0].type if package.parts else "",
        )
    if package.kind == "batch":
        return batch_answer(package, lambda wish, raw: _take(sender, raw, [wish]), _known(sender))
    if package.kind not in ("transaction", "message", "collection", NOTIFICATION):
        raise refusal(422, "expected transaction, batch, message or collection", expression="Bundle.type")
    if package.kind != NOTIFICATION:
        _refuse_faulty(sender, package, body)
    wishes = _conditioned(lambda: wishes_of(package, fallback_of(body)))
    taken = _take(sender, body, wishes)
    if package.kind == "transaction":
        return _transaction_answer(taken)
    if package.notification is not None:
        with writing(sender.deps.engine) as connection:
            note(connection, sender.source, package.notification, told_by(package))
    return answer(outcome((), diagnostics="stored, and judged within seconds"), 200)


@router.post(
    "/fhir/{type_name}",
    openapi_extra={"requestBody": RESOURCE_BODY},
    response_class=Response,
    responses=STORED,
)
def receive_resource(request: Request, sender: From, type_name: str, body: Body) -> Response:
    """Store one resource: 201 when it is new, 200 when it was there."""
    package = _single(sender, type_name, body)
    part = package.parts[0]
    condition = request.headers.get("if-none-exist")
    unless = _conditioned(lambda: search_of(condition, part.root)) if condition else None
    taken = _take(sender, body, [Wish(part, address_in(part, fallback_of(body)), unless=unless)])
    return _resource_answer(request, part, taken.kept[0])


@router.put(
    "/fhir/{type_name}/{identity}",
    openapi_extra={"requestBody": RESOURCE_BODY},
    response_class=Response,
    responses=STORED,
)
def put_resource(request: Request, sender: From, type_name: str, identity: str, body: Body) -> Response:
    """Store one resource under an id of its sender's; If-Match holds it to a version."""
    if not ID.fullmatch(identity):
        raise refusal(400, "expected an id of 1 to 64 letters, digits, - and . in the address")
    package = _single(sender, type_name, body)
    part = package.parts[0]
    if part.json.get("id") != identity:
        raise refusal(
            400, "expected the id of the address, got another or none", expression=f"{part.type}.id"
        )
    tag = request.headers.get("if-match")
    version = _conditioned(lambda: version_in(tag, part.root)) if tag else None
    taken = _take(sender, body, [Wish(part, identity, if_match=version)])
    return _resource_answer(request, part, taken.kept[0])


def _package(body: bytes) -> Package:
    try:
        return read_package(body)
    except Unreadable as error:
        raise refusal_of(error) from None
    except FhirInvalid as fault:
        status = 413 if fault.issues[0].code == "too-costly" else 422
        raise FhirRefusal(status, *fault.issues) from None


def _single(sender: Sender, type_name: str, body: bytes) -> Package:
    """The one resource of a body, sound and of the address's type."""
    if type_name not in DOORS:
        known = "is not taken here" if type_name in R4_TYPES else "is no type of FHIR R4"
        raise refusal(404, f"this resource type {known}; GET /fhir/metadata lists those that are")
    package = _package(body)
    name = package.entries[0].fault is None and package.parts[0].type
    if package.kind != SINGLE or (name and name != type_name):
        raise refusal(
            400, "expected the resource type of the address, got another", expression="resourceType"
        )
    _refuse_faulty(sender, package, body)
    return package


def _refuse_faulty(sender: Sender, package: Package, body: bytes) -> None:
    """422 with every issue of every entry; nothing is stored."""
    known = _known(sender)
    faults = faults_of(package, known)
    if faults:
        raise FhirRefusal(422, *(issue for fault in faults.values() for issue in fault.issues))
    _, refused = events_of(package, sender.source, fallback_of(body), known, {})
    if refused:
        raise FhirRefusal(422, *(Issue("value", why.place, why.remedy) for why in refused))


def _known(sender: Sender) -> Any:
    return remembered(sender.deps.engine, sender.source)


def _take(sender: Sender, body: bytes, wishes: Sequence[Wish]) -> Taken:
    def stored() -> Taken:
        return take(sender.deps.engine, sender.source, body, wishes)

    taken: Taken = _conditioned(stored)
    sender.ring(taken)
    return taken


def _conditioned(step: Any) -> Any:
    """The step's result; its sender's conditions that fail or cannot be read as 412 and 400."""
    try:
        return step()
    except PreconditionFailed as failed:
        raise FhirRefusal(412, failed.issue) from None
    except BadCondition as bad:
        raise FhirRefusal(400, bad.issue) from None
    except FhirInvalid as fault:
        raise FhirRefusal(422, *fault.issues) from None


def _resource_answer(request: Request, part: Part, kept: Kept) -> Response:
    """The resource as it was sent, under its address; `Prefer: return=minimal` leaves it out."""
    status = 201 if kept.created else 200
    headers = {
        "Location": f"{_base(request)}/{kept.type}/{kept.id}/_history/{kept.version}",
        "ETag": f'W/"{kept.version}"',
        "Last-Modified": format_datetime(clock.now().astimezone(UTC), usegmt=True),
    }
    wish = request.headers.get("prefer", "").replace(" ", "")
    if "return=minimal" in wish:
        return Response(status_code=status, headers=headers)
    if "return=OperationOutcome" in wish:
        return answer(outcome((), diagnostics="stored, and judged within seconds"), status, headers)
    return answer(part.json | {"id": kept.id}, status, headers)


def _base(request: Request) -> str:
    return str(request.url_for("receive_bundle")).rstrip("/")


def _transaction_answer(taken: Taken) -> Response:
    entries = [{"response": response_of(kept)} for kept in taken.kept]
    return answer({"resourceType": "Bundle", "type": "transaction-response", "entry": entries})
