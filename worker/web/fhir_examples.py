"""Examples of what FHIR clients send, for the OpenAPI document. No person in them exists."""

from __future__ import annotations

from typing import Any

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
