"""FHIR's medication, condition, procedure and order resources as entries of an event's lists."""

from __future__ import annotations

from typing import Any

from worker.intake.code_systems import ATC, CPT, ICD10CM, ICD10PCS, RXNORM, SNOMED
from worker.intake.fhir_datatypes import CodeableConcept, Period
from worker.intake.fhir_identity import identity_of
from worker.intake.fhir_observation import code_key, concept_text, preferred
from worker.intake.fhir_resources import (
    Condition,
    Dosage,
    GivenDosage,
    Medicated,
    Medication,
    MedicationAdministration,
    MedicationRequest,
    MedicationStatement,
    Procedure,
    Resource,
    ServiceRequest,
)
from worker.intake.fhir_scope import Part, Scope

_REMOVED = "entered-in-error"
_NOT_SO = frozenset({"refuted", _REMOVED})
_PROPOSED = frozenset({"proposal", "plan", "option"})  # nobody has asked for it yet
_ROUTES = {
    "26643006": "oral", "PO": "oral", "78421000": "intramuscular", "IM": "intramuscular",
    "47625008": "intravenous", "IV": "intravenous", "34206005": "subcutaneous", "SC": "subcutaneous",
    "SQ": "subcutaneous", "385218009": "injection",
}  # fmt: skip
_WORDS = ("oral", "intramuscular", "intravenous", "subcutaneous", "injection")

LISTS: dict[type[Resource], str] = {
    MedicationStatement: "medications",
    MedicationRequest: "medications",
    MedicationAdministration: "medications",
    Condition: "conditions",
    Procedure: "procedures",
    ServiceRequest: "orders",
}
RECORDS = tuple(LISTS)


def record_part(resource: Resource, scope: Scope, part: Part, fallback: str) -> dict[str, Any] | None:
    """The entry a resource makes; None when it says nothing of what is or was so."""
    if isinstance(resource, Medicated):
        return _medication(resource, scope, part, fallback)
    if isinstance(resource, Condition):
        return _condition(resource, fallback)
    if isinstance(resource, Procedure):
        return _procedure(resource, fallback)
    return _order(resource, fallback) if isinstance(resource, ServiceRequest) else None


def _medication(resource: Medicated, scope: Scope, part: Part, fallback: str) -> dict[str, Any]:
    code = resource.medication_codeable_concept
    reference = resource.medication_reference
    if code is None and (medicine := scope.find(Medication, reference, part)):
        code = medicine.code
    if code is None and reference is not None and reference.display:
        code = CodeableConcept(text=reference.display)
    about = _named(resource, code, fallback, ATC, RXNORM)
    if isinstance(resource, MedicationStatement):
        about |= _statement(resource)
    elif isinstance(resource, MedicationRequest):
        about |= _request(resource)
    elif isinstance(resource, MedicationAdministration):
        about |= _given(resource)
    return about


def _statement(statement: MedicationStatement) -> dict[str, Any]:
    status = "draft" if statement.status == "intended" else statement.status
    return {
        "status": status,
        **_between(statement.effective_date_time, statement.effective_period),
        "route": _route(*statement.dosage),
    }


def _request(request: MedicationRequest) -> dict[str, Any]:
    status: str = request.status
    if status != _REMOVED and (request.do_not_perform or status == "cancelled"):
        status = "not-taken"
    elif status != _REMOVED and request.intent in _PROPOSED:
        status = "draft"
    period = request.dispense_request.validity_period if request.dispense_request else None
    times = _between(request.authored_on, None)
    return {
        "status": status,
        "start": times["start"] or (period.start if period else None),
        # The period says until when it may be filled, not until when it is taken: an active one has no end.
        "end": None,
        "route": _route(*request.dosage_instruction),
    }


def _given(given: MedicationAdministration) -> dict[str, Any]:
    words = {"not-done": "not-taken", "in-progress": "active"}
    return {
        "status": words.get(given.status, given.status),
        **_between(given.effective_date_time, given.effective_period),
        "route": _route(given.dosage) if given.dosage else None,
    }


def _condition(condition: Condition, fallback: str) -> dict[str, Any]:
    said = _code_of(condition.verification_status)
    clinical = _code_of(condition.clinical_status)
    ended = _between(condition.abatement_date_time, condition.abatement_period)
    abated = (
        ended["start"] or condition.abatement_age or condition.abatement_string or condition.abatement_range
    )
    onset = _between(condition.onset_date_time, condition.onset_period)["start"]
    return _named(condition, condition.code, fallback, ICD10CM, SNOMED) | {
        "status": said if said in _NOT_SO else clinical or ("resolved" if abated else "active"),
        "start": onset or condition.recorded_date,
        "end": ended["end"] or ended["start"],
    }


def _procedure(procedure: Procedure, fallback: str) -> dict[str, Any]:
    status = "draft" if procedure.status == "preparation" else procedure.status
    return _named(procedure, procedure.code, fallback, ICD10PCS, CPT, SNOMED) | {
        "status": status,
        **_between(procedure.performed_date_time, procedure.performed_period),
    }


def _order(order: ServiceRequest, fallback: str) -> dict[str, Any] | None:
    if order.code is None:
        return None
    status: str = order.status
    if status != _REMOVED and (order.do_not_perform or status == "revoked"):
        status = "not-done"
    elif status != _REMOVED and order.intent in _PROPOSED:
        status = "draft"
    planned = _between(order.occurrence_date_time, order.occurrence_period)
    return _named(order, order.code, fallback, SNOMED, CPT) | {
        "status": status,
        "start": order.authored_on or planned["start"],
    }


def _named(resource: Resource, code: CodeableConcept | None, fallback: str, *systems: str) -> dict[str, Any]:
    coding = preferred(code, *systems)
    return {
        "id": identity_of(resource, fallback, code_key(code)),
        "code": coding.code if coding else None,
        "system": coding.system if coding else None,
        "name": (coding.display if coding else None) or concept_text(code),
    }


def _between(moment: str | None, period: Period | None) -> dict[str, str | None]:
    """A moment is a start: whether it is still so is said by the status."""
    return {"start": moment or (period.start if period else None), "end": period.end if period else None}


def _route(*dosages: Dosage | GivenDosage) -> str | None:
    for dosage in dosages:
        for coding in dosage.route.coding if dosage.route else ():
            if known := _ROUTES.get((coding.code or "").upper()):
                return known
        plain = (concept_text(dosage.route) or "").lower()
        if plain:
            return next((word for word in _WORDS if word in plain), plain)
    return None


def _code_of(concept: CodeableConcept | None) -> str | None:
    codes = (coding.code for coding in concept.coding) if concept else ()
    return next((code.lower() for code in codes if code), None)
