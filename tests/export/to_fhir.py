"""One patient's usable facts as a FHIR R4 bundle: what a site holds that meets the export's preconditions.

Nothing computed by us is given: transferrin saturation and Mentzer index are left to the CQL.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rules.analytes import CATALOGUE
from rules.facts import Coded, Comparator, PregnancyStatement, Record, RecordKind, Result
from rules.history import View

Json = dict[str, Any]
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
_INTERPRETATIONS = {Coded.POSITIVE: "POS", Coded.NEGATIVE: "NEG", Coded.EQUIVOCAL: "IND"}
_VERIFICATIONS = {"refuted", "entered-in-error"}
_TYPES = {
    RecordKind.MEDICATION: "MedicationStatement",
    RecordKind.CONDITION: "Condition",
    RecordKind.PROCEDURE: "Procedure",
    RecordKind.ORDER: "ServiceRequest",
}


def bundle(view: View) -> Json:
    """The patient with every usable result, record and statement on pregnancy known at the view's moment."""
    resources = [
        _patient(view),
        *(_observation(r) for r in _results(view)),
        *(_record(r) for kind in RecordKind for r in view.records[kind]),
        *(_statement(n, s) for n, s in enumerate(view.history.pregnancy) if s.known_at <= view.as_of),
    ]
    entries = [{"fullUrl": f"urn:made-up:{r['resourceType']}/{r['id']}", "resource": r} for r in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def instant(moment: datetime) -> str:
    """A FHIR dateTime in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _patient(view: View) -> Json:
    patient = view.history.patient
    found = {"resourceType": "Patient", "id": "made-up", "gender": patient.sex.value}
    return found if patient.birth_date is None else {**found, "birthDate": patient.birth_date.isoformat()}


def _results(view: View) -> list[Result]:
    found = {
        r.key: r
        for analyte in CATALOGUE
        for r in (*view.results(analyte, preliminary=True), *view.pending(analyte))
    }
    return [r for key, r in found.items() if not key.startswith("derived:")]


def _observation(result: Result) -> Json:
    assert result.analyte is not None
    assert result.effective_at is not None
    code = next(iter(CATALOGUE[result.analyte].loinc), f"made-up-{result.analyte}")
    found: Json = {
        "resourceType": "Observation",
        "id": result.key,
        "status": result.status.value,
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "effectiveDateTime": instant(result.effective_at),
        "note": [{"text": note} for note in result.notes],
    }
    if result.coded is not None:
        found["interpretation"] = [{"coding": [{"code": _INTERPRETATIONS[result.coded]}]}]
    if result.quantity is not None:
        quantity = result.quantity
        found["valueQuantity"] = _quantity(quantity.value, quantity.unit)
        if quantity.comparator is not Comparator.EQ:
            found["valueQuantity"]["comparator"] = quantity.comparator.value
        limits = {"low": result.range_low, "high": result.range_high}
        sent = {side: _quantity(value, quantity.unit) for side, value in limits.items() if value is not None}
        found |= {"referenceRange": [sent]} if sent else {}
    return found


def _quantity(value: Decimal, unit: str) -> Json:
    return {"value": float(value), "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


def _record(record: Record) -> Json:
    coding = [{"system": record.system, "code": record.code}] if record.code else []
    concept = {"coding": coding, "text": record.name}
    start = _start(record)
    found: Json = {"resourceType": _TYPES[record.kind], "id": record.key}
    match record.kind:
        case RecordKind.MEDICATION:
            end = {} if record.end is None else {"end": instant(record.end)}
            found |= {
                "status": record.status,
                "medicationCodeableConcept": concept,
                "effectivePeriod": {"start": start, **end},
                "dosage": [{"route": {"text": record.route}}] if record.route else [],
            }
        case RecordKind.CONDITION:
            said = "verificationStatus" if record.status in _VERIFICATIONS else "clinicalStatus"
            found |= {"code": concept, "onsetDateTime": start, said: {"coding": [{"code": record.status}]}}
        case RecordKind.PROCEDURE:
            found |= {"status": record.status, "code": concept, "performedDateTime": start}
        case RecordKind.ORDER:
            found |= {"status": record.status, "code": concept, "authoredOn": start}
    return found


def _start(record: Record) -> str | None:
    """A bare date where only the day is known (here days are those of UTC)."""
    if record.start is None:
        return None
    return instant(record.start) if record.start_last is None else record.start.date().isoformat()


def _statement(number: int, said: PregnancyStatement) -> Json:
    code = "77386006" if said.pregnant else "60001007"
    found: Json = {
        "resourceType": "Observation",
        "id": f"pregnancy-{number}",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "82810-3"}]},
        "effectiveDateTime": instant(said.effective_at),
        "valueCodeableConcept": {"coding": [{"system": SNOMED, "code": code}]},
    }
    if said.weeks is not None:
        weeks = {"coding": [{"system": LOINC, "code": "49051-6"}]}
        found["component"] = [{"code": weeks, "valueQuantity": _quantity(Decimal(said.weeks), "wk")}]
    return found
