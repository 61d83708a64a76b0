"""GET /fhir/metadata: what the FHIR doors take, as a CapabilityStatement made from their routes."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from worker.intake.fhir_resources import DOORS
from worker.web import fhir
from worker.web.fhir_answers import FHIR_JSON, answer, readable_answer
from worker.web.fhir_examples import answered_with_fhir
from worker.web.readers import Anyone

router = APIRouter(tags=["fhir"])

PUBLISHED = "2026-11-22"
"""The day these abilities were last changed."""

BEGINS = {
    "resourceType": "CapabilityStatement",
    "status": "active",
    "kind": "instance",
    "fhirVersion": "4.0.1",
}
"""How the statement begins; the whole is deploy/schemas/fhir-capability-statement.json."""

ALERTS = ("Communication", "DetectedIssue")
"""What is given out: alerts, and who was told of them (`worker.web.fhir_alerts`)."""

_NOTES = {
    "create": "If-None-Exist by identifier. A repeat of identifier and code is a new version.",
    "update": "If-Match holds it to a version; without the id it is created.",
}
_SYSTEM_NOTE = (
    "POST /fhir takes a transaction (all or nothing), a batch (entry by entry, at most 500), a message, a "
    "collection and R4 Backport subscription notifications; at most 2,000 entries and 16 MiB. References are "
    "followed inside the message and to what the same sender sent before; nothing is fetched for them. A "
    "resource that shows by a type, an element or a profile that it is DSTU2, STU3 or R5 is refused by that "
    "name, and its whole Bundle with it; one that shows nothing means the same in R4 and is read as R4."
)


def capability_statement() -> dict[str, Any]:
    """The CapabilityStatement of FHIR R4."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": PUBLISHED,
        "kind": "instance",
        "software": {"name": "Ferrule", "version": version("ferrule")},
        "implementation": {"description": "Ferrule: results and records in, alerts out"},
        "fhirVersion": "4.0.1",
        "format": ["json", FHIR_JSON],
        "rest": [
            {
                "mode": "server",
                "documentation": _SYSTEM_NOTE,
                "security": {
                    "description": "Bearer token of `ferrule token create`: role intake to send, "
                    "clinician to read alerts"
                },
                "resource": [*(_resource(name) for name in sorted(DOORS)), *map(_alert_resource, ALERTS)],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }


def capability_text() -> str:
    """The statement as the file in deploy/schemas/ holds it."""
    return json.dumps(capability_statement(), indent=2, ensure_ascii=False) + "\n"


def _resource(name: str) -> dict[str, Any]:
    codes = [code for code in ("create", "update") if code in _interactions()]
    return {
        "type": name,
        "interaction": [{"code": code, "documentation": _NOTES[code]} for code in codes],
        "versioning": "versioned-update",
        "readHistory": False,
        "updateCreate": "update" in codes,
        "conditionalCreate": True,
        "referencePolicy": ["local", "logical", "enforced"],
    }


def _alert_resource(name: str) -> dict[str, Any]:
    return {
        "type": name,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "searchParam": [
            {"name": "patient", "type": "reference", "documentation": "The patient's identifier, SYSTEM|ID."}
        ],
    }


def _interactions() -> set[str]:
    """What the routes do with one resource."""
    names = {("POST", "/fhir/{type_name}"): "create", ("PUT", "/fhir/{type_name}/{identity}"): "update"}
    routes = [route for route in fhir.router.routes if isinstance(route, APIRoute)]
    done = {(method, route.path) for route in routes for method in route.methods or ()}
    return {code for key, code in names.items() if key in done}


@router.get("/fhir/metadata", response_class=Response, responses=answered_with_fhir(BEGINS))
def metadata(request: Request, _: Anyone) -> Response:
    """What these doors take."""
    readable_answer(request)
    return answer(capability_statement())
