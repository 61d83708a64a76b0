"""Examples of what FHIR clients send and are answered, for the OpenAPI document. No person in them exists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from alerts.channels.fhir_resources import communication, detected_issue
from alerts.channels.record_entry import Entry
from alerts.people import Address
from alerts.states import State, Step
from rules.findings import Severity
from worker.web.examples import Responses, answered_with
from worker.web.fhir_answers import FHIR_JSON

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "identifier": [{"system": "urn:lab:north:result", "value": "R1"}],
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "2276-4", "display": "Ferritin"}]},
    "subject": {"identifier": {"system": "urn:mrn:north", "value": "123"}},
    "effectiveDateTime": "2026-03-01T07:30:00Z",
    "issued": "2026-03-01T08:10:00Z",
    "valueQuantity": {"value": 9, "unit": "ng/mL", "system": "http://unitsofmeasure.org", "code": "ng/mL"},
    "referenceRange": [{"low": {"value": 13}, "high": {"value": 150}}],
}

_PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "identifier": [{"system": "urn:mrn:north", "value": "123"}],
    "birthDate": "1980-02-03",
    "gender": "female",
}

_ADDRESS = "urn:uuid:6b5f3c3e-0d7b-4f0e-9a39-0c7a6e1f0a01"

TRANSACTION: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {
            "fullUrl": _ADDRESS,
            "resource": _PATIENT,
            "request": {"method": "POST", "url": "Patient"},
        },
        {
            "fullUrl": "urn:uuid:0d9f0c52-59f5-4bd4-8b0f-5f1d6c1c7c02",
            "resource": OBSERVATION | {"subject": {"reference": _ADDRESS}},
            "request": {"method": "POST", "url": "Observation"},
        },
    ],
}


def _body(title: str, example: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "required": ["resourceType"], "description": f"A FHIR R4 {title}."}
    return {"required": True, "content": {FHIR_JSON: {"schema": schema, "example": example}}}


BUNDLE_BODY = _body("Bundle", TRANSACTION)
RESOURCE_BODY = _body("resource", OBSERVATION)


def answered_with_fhir(example: dict[str, Any], *statuses: int) -> Responses:
    """What a FHIR route declares as `responses`; 200 where none is named."""
    shown: Responses = {}
    for status in statuses or (200,):
        shown |= answered_with(example, status, FHIR_JSON)
    return shown


def found(resource: dict[str, Any]) -> dict[str, Any]:
    """The answer to a search that found one resource."""
    url = f"https://ferrule.example/fhir/{resource['resourceType']}/{resource['id']}"
    entry = {"fullUrl": url, "resource": resource, "search": {"mode": "match"}}
    return {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [entry]}


STORED_ONE = OBSERVATION | {"id": "R1"}
STORED_ALL: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "transaction-response",
    "entry": [
        {"response": {"status": "201 Created", "location": f"{kind}/1/_history/1", "etag": 'W/"1"'}}
        for kind in ("Patient", "Observation")
    ],
}
_RAISED = datetime(2026, 3, 1, 8, 10, 2, tzinfo=UTC)
_LINKS = "https://ferrule.example"
_ENTRY = Entry(
    alert_id=12,
    patient=Address("urn:mrn:north", "123"),
    rule="iron-deficiency-not-otherwise-covered",
    severity=Severity.MODERATE,
    state=State.TOLD,
    headline="Iron deficiency",
    text="Ferritin 9 ng/mL, and no oral iron is on record.",
    evidence=({"analyte": "ferritin", "value": "9", "unit": "ng/mL", "result_id": "R1"},),
    actions=("Look for the iron loss; start oral iron",),
    recipients=(Address("urn:npi", "1000000001"),),
    raised_at=_RAISED,
    updated_at=_RAISED,
)
ISSUE: dict[str, Any] = {"id": "12", **detected_issue(_ENTRY, _LINKS)}
TOLD: dict[str, Any] = {
    "id": "8",
    **communication(_ENTRY, _LINKS, key="d8.12", step=Step.TELL, headline=_ENTRY.headline, sent=_RAISED),
    "medium": [{"text": "email"}],
}
