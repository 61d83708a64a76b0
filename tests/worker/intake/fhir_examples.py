"""Made-up FHIR resources for the tests: no person in them exists."""

from typing import Any

from worker.intake.json_text import NumberText, dumps

Json = dict[str, Any]
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
MRN = "urn:mrn:north"
ERIKA = "urn:uuid:6b5f3c3e-0d7b-4f0e-9a39-0c7a6e1f0a01"


def patient(**fields: Any) -> Json:
    """Erika, born 1980."""
    return {
        "resourceType": "Patient",
        "identifier": [{"system": MRN, "value": "123"}],
        "name": [{"family": "Muster", "given": ["Erika"]}],
        "birthDate": "1980-02-03",
        "gender": "female",
    } | fields


def quantity(value: str, unit: str = "ng/mL", **fields: Any) -> Json:
    """An amount; its number is written into the JSON as it stands."""
    return {"value": NumberText(value), "unit": unit, "system": UCUM, "code": unit} | fields


def observation(value: str = "9", **fields: Any) -> Json:
    """A ferritin of Erika's, known by its identifier."""
    given = {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:lab:north:result", "value": "R1"}],
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "2276-4", "display": "Ferritin"}]},
        "subject": {"identifier": {"system": MRN, "value": "123"}},
        "effectiveDateTime": "2026-03-01T07:30:00Z",
        "issued": "2026-03-01T08:10:00Z",
        "valueQuantity": quantity(value),
    } | fields
    return {name: one for name, one in given.items() if one is not None}


def bundle(*resources: Json, type: str = "collection", **fields: Any) -> Json:
    """A Bundle; each entry's address is that of the patient, or made up."""
    entries = []
    for number, resource in enumerate(resources):
        entry: Json = {"fullUrl": address(resource, number), "resource": resource}
        if type in ("transaction", "batch"):
            entry["request"] = {"method": "POST", "url": resource["resourceType"]}
        entries.append(entry)
    return {"resourceType": "Bundle", "type": type, "entry": entries} | fields


def address(resource: Json, number: int) -> str:
    """The fullUrl of an entry."""
    return ERIKA if resource["resourceType"] == "Patient" else f"urn:uuid:0000-{number}"


def message_header(**fields: Any) -> Json:
    """Who sends a message."""
    return {
        "resourceType": "MessageHeader",
        "eventCoding": {"system": "urn:events", "code": "results"},
        "source": {"endpoint": "urn:lab:north"},
    } | fields


def raw(value: Json) -> bytes:
    """The bytes of a resource."""
    return dumps(value).encode()
