"""Who a FHIR resource is about and from: Patient, Practitioner, Encounter, as parts of an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from worker.intake.code_systems import NPI, system_uri
from worker.intake.fhir_datatypes import HumanName, Identifier, Reference
from worker.intake.fhir_issues import FhirInvalid, Issue
from worker.intake.fhir_resources import Encounter, Patient, Practitioner, PractitionerRole, ServiceRequest
from worker.intake.fhir_scope import Part, Scope
from worker.intake.unreadable import Reason

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
# HL7 table 0203: kinds that name a patient, before those that name an account, a visit or a citizen.
_PATIENT_KINDS = ("MR", "PI", "PT", "")
_USES = ("official", "usual", "", "temp", "secondary", "old")
_CLASSES = {
    "IMP": "inpatient", "ACUTE": "inpatient", "NONAC": "inpatient", "OBSENC": "inpatient",
    "AMB": "outpatient", "HH": "outpatient", "VR": "outpatient", "EMER": "emergency", "PRENC": "preadmission",
}  # fmt: skip


def best_identifier(identifiers: Sequence[Identifier], kinds: tuple[str, ...] = ("",)) -> Identifier | None:
    """The identifier to go by: its kind, then its use, then its text, so that their order plays no part."""
    given = [one for one in identifiers if one.value]
    return min(given, key=lambda one: (_kind_rank(one, kinds), _use_rank(one), one.token), default=None)


def patient_part(patient: Patient, root: str = "Patient") -> dict[str, Any]:
    """A Patient as the patient of an event; raises `FhirInvalid` when nothing identifies it."""
    chosen = best_identifier(patient.identifier, _PATIENT_KINDS)
    if chosen is None and patient.id is None:
        raise FhirInvalid(
            Issue("required", f"{root}.identifier", "expected an identifier, got none", Reason.NO_PATIENT)
        )
    born = patient.birth_date
    return {
        "system": chosen.system if chosen else "urn:ferrule:fhir-id",
        "id": chosen.value if chosen else patient.id,
        "birth_date": born if born and len(born) == len("2000-01-01") else None,
        "sex": patient.gender,
        "name": _name(patient.name),
        "deceased_at": patient.deceased_date_time or _said_dead(patient),
        "restricted": _restricted(patient),
    }


def subject_part(scope: Scope, reference: Reference, holder: Part) -> dict[str, Any]:
    """The patient that a subject leads to, or names by identifier; raises `FhirInvalid` when it is nobody."""
    place = f"{holder.root}.subject"
    if reference.type not in (None, "Patient", "http://hl7.org/fhir/StructureDefinition/Patient"):
        raise FhirInvalid(
            Issue("not-supported", f"{place}.type", "expected a Patient, got another type", Reason.NO_PATIENT)
        )
    if patient := scope.find(Patient, reference, holder):
        return patient_part(patient, root=place)
    named = reference.identifier or searched("Patient", reference)
    if named is not None and named.value:
        return {"system": named.system, "id": named.value}
    raise FhirInvalid(_nobody(reference, place))


def orderer_part(
    scope: Scope, orders: Sequence[Reference], holder: Part
) -> tuple[dict[str, Any] | None, str | None]:
    """Who asked, and under which number: from the first ServiceRequest that `basedOn` leads to."""
    for reference in orders:
        order = scope.find(ServiceRequest, reference, holder)
        if order is not None:
            number = best_identifier(order.identifier)
            return person_part(scope, order.requester, holder), number.value if number else order.id
        if reference.identifier and reference.identifier.value:
            return None, reference.identifier.value
    return None, None


def person_part(scope: Scope, reference: Reference | None, holder: Part) -> dict[str, Any] | None:
    """The clinician a reference leads to or names; None when nothing identifies one."""
    if reference is None:
        return None
    role = scope.find(PractitionerRole, reference, holder)
    if role is not None:
        if found := person_part(scope, role.practitioner, holder):
            return found
        return _person(role.identifier, reference.display)
    clinician = scope.find(Practitioner, reference, holder)
    if clinician is not None:
        return _person(clinician.identifier, _name(clinician.name) or reference.display)
    named = reference.identifier or searched("Practitioner", reference)
    return _person([named] if named else [], reference.display)


def searched(type_name: str, reference: Reference) -> Identifier | None:
    """The identifier of a conditional reference (`Patient?identifier=system|value`)."""
    address, _, query = (reference.reference or "").partition("?")
    system, bar, value = unquote(query.removeprefix("identifier=")).rpartition("|")
    if address != type_name or not query.startswith("identifier=") or "&" in query or not (bar and value):
        return None
    return Identifier(system=system or None, value=value)


def encounter_part(scope: Scope, reference: Reference | None, holder: Part) -> dict[str, Any] | None:
    """Class, location and attending clinician of the Encounter a reference leads to."""
    encounter = scope.find(Encounter, reference, holder)
    if encounter is None:
        return None
    attending = [
        person_part(scope, one.individual, holder)
        for one in encounter.participant
        if any(coding.code == "ATND" for kind in one.type for coding in kind.coding)
    ]
    return {
        "class": _CLASSES.get((encounter.class_.code or "").upper()),
        "location": next((one.location.display for one in encounter.location if one.location.display), None),
        "attending": next((one for one in attending if one), None),
    }


def _person(identifiers: Sequence[Identifier], name: str | None) -> dict[str, Any] | None:
    national = [one for one in identifiers if system_uri(one.system) == NPI]
    chosen = best_identifier(national or identifiers)
    if chosen is None:
        return None
    return {"system": NPI if national else chosen.system, "id": chosen.value, "name": name}


def _kind_rank(identifier: Identifier, kinds: tuple[str, ...]) -> int:
    codings = identifier.type.coding if identifier.type else ()
    codes = [coding.code.upper() for coding in codings if coding.code] or [""]
    return min(kinds.index(code) if code in kinds else len(kinds) for code in codes)


def _use_rank(identifier: Identifier) -> int:
    return _USES.index(identifier.use or "")


def _name(names: Sequence[HumanName]) -> str | None:
    ranked = sorted(names, key=lambda one: _USES.index(one.use) if one.use in _USES else len(_USES))
    for one in ranked:
        parts = [*(given for given in one.given if given), *([one.family] if one.family else [])]
        if text := one.text or " ".join(parts):
            return text
    return None


def _said_dead(patient: Patient) -> str | None:
    """`deceasedBoolean: true` says no time: the newest it can have been is when the resource was written."""
    if not patient.deceased_boolean:
        return None
    return patient.meta.last_updated if patient.meta else None


def _restricted(patient: Patient) -> bool | None:
    """True where the resource is labeled restricted or very restricted; a lesser label says nothing."""
    labels = patient.meta.security if patient.meta else ()
    return any(one.system == CONFIDENTIALITY and one.code in ("R", "V") for one in labels) or None


def _nobody(reference: Reference, place: str) -> Issue:
    address = reference.reference or ""
    if not address:
        return Issue(
            "required",
            place,
            "expected a reference or an identifier of a Patient, got neither",
            Reason.NO_PATIENT,
        )
    if "://" in address:
        remedy = "leads to no Patient in this message, and nothing is fetched: send the Patient with it"
    elif address.startswith(("#", "urn:")):
        remedy = "leads to no Patient in this message: send the Patient with it"
    else:
        remedy = (
            "leads to no Patient of this message or of an earlier one: send the Patient first, or with it"
        )
    return Issue("not-found", f"{place}.reference", remedy, Reason.NO_PATIENT)
