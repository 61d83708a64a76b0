"""Who an HL7 v2 message is about and from: PID, PD1, ARV, PV1 and clinicians, as parts of an event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from worker.intake.code_systems import NPI
from worker.intake.hl7_split import Segment
from worker.intake.hl7_times import iso_time
from worker.intake.unreadable import Reason, Unreadable

_SEX = {"F": "female", "M": "male", "O": "other", "A": "other", "N": "other", "U": "unknown"}
_ENCOUNTER = {"I": "inpatient", "O": "outpatient", "E": "emergency", "P": "preadmission", "R": "outpatient"}
# HL7 table 0203: kinds that name a patient, before those that name an account, a visit or a citizen.
_PATIENT_KINDS = ("MR", "PI", "PT", "")

# HL7 table 0717, what closes a record or its medical part. NO, OO and OI close nothing that is shown here;
# DEM, LOC, PID-7 and PID-17 close demographic data alone.
_CLOSED = frozenset({"ALL", "DRG", "HIV", "PSY", "SMD", "STD"})


def patient_part(pid: Segment, offset: str) -> dict[str, Any]:
    """The patient of a PID; raises `Unreadable` when PID-3 names nobody."""
    family = [pid.subcomponents(xpn, 1)[0] for xpn in pid.repetitions(5)]
    return identifier_part(pid, 3) | {
        "identifiers": _other_identifiers(pid),
        "family": " ".join(name for name in family if name) or None,
        "deceased": {"Y": True, "N": False}.get(pid.text(30).upper()),
        "birth_date": _birth_date(pid.text(7)),
        "sex": _SEX.get(pid.text(8).upper()),
        "name": _person_name(pid, pid.first(5), family=1),
        "deceased_at": iso_time(pid.text(29), offset),
    }


def _other_identifiers(pid: Segment) -> list[dict[str, Any]]:
    """The further medical record numbers (kind MR) of PID-3: they name the same patient elsewhere."""
    numbers = [cx for cx in pid.repetitions(3) if pid.component(cx, 5).upper() == "MR"]
    return [
        {"system": _authority(pid, cx, 4, "urn:mrn"), "id": pid.component(cx, 1)}
        for cx in numbers
        if pid.component(cx, 1)
    ]


def identifier_part(segment: Segment, field: int) -> dict[str, Any]:
    """System and id of the patient identifier (CX) in a field; raises `Unreadable` when there is none."""
    given = [cx for cx in segment.repetitions(field) if segment.component(cx, 1)]
    if not given:
        remedy = "expected a patient identifier, got nothing"
        raise Unreadable(Reason.NO_PATIENT, segment.place(field), remedy)
    ranked = sorted(given, key=lambda cx: _kind_rank(segment.component(cx, 5).upper()))
    chosen = ranked[0]
    return {"system": _authority(segment, chosen, 4, "urn:mrn"), "id": segment.component(chosen, 1)}


def person_parts(segment: Segment, field: int) -> list[dict[str, Any]]:
    """The clinicians (XCN) in a field that come with an identifier."""
    people = []
    for xcn in segment.repetitions(field):
        if identity := segment.component(xcn, 1):
            name = _person_name(segment, xcn, family=2)
            people.append({"system": _clinician_system(segment, xcn), "id": identity, "name": name})
    return people


def encounter_part(pv1: Segment | None) -> dict[str, Any] | None:
    """Class, location and attending clinician of a PV1."""
    if pv1 is None:
        return None
    location = "-".join(part for part in (pv1.text(3, n) for n in (1, 2, 3)) if part)
    return {
        "class": _ENCOUNTER.get(pv1.text(2).upper()),
        "location": location or None,
        "attending": next(iter(person_parts(pv1, 7)), None),
    }


def restricted(pd1: Segment | None, restrictions: Iterable[Segment]) -> bool | None:
    """True where PD1-12 (table 0136) is Y or an ARV that is no deletion closes the record; else nothing is
    said: no sender takes the mark away.
    """
    protected = pd1 is not None and pd1.text(12).upper() == "Y"
    closed = any(arv.text(3).upper() in _CLOSED and arv.text(2).upper() != "D" for arv in restrictions)
    return True if protected or closed else None


def source_of(msh: Segment) -> str:
    """The name of a sending application: facility and application of MSH-4 and MSH-3."""
    return "urn:hl7v2:" + ":".join(quote(msh.text(field), safe="") for field in (4, 3))


def _kind_rank(kind: str) -> int:
    return _PATIENT_KINDS.index(kind) if kind in _PATIENT_KINDS else len(_PATIENT_KINDS)


def _birth_date(text: str) -> str | None:
    iso = iso_time(text)
    return iso[:10] if iso and len(iso) >= 10 else None


def _person_name(segment: Segment, repetition: str, *, family: int) -> str | None:
    surname = segment.subcomponents(repetition, family)[0]
    given = segment.component(repetition, family + 1)
    return " ".join(part for part in (given, surname) if part) or None


def _clinician_system(segment: Segment, xcn: str) -> str | None:
    if segment.component(xcn, 13).upper() == "NPI":
        return NPI
    return _authority(segment, xcn, 9, "urn:provider")


def _authority(segment: Segment, repetition: str, component: int, prefix: str) -> str | None:
    """The URI of an assigning authority (HD): its universal id, else its name under `prefix`; or None."""
    name, universal, *_ = *segment.subcomponents(repetition, component), "", ""
    if name.upper() == "NPI" or universal == "2.16.840.1.113883.4.6":
        return NPI
    if universal:
        return f"urn:oid:{universal}" if universal.replace(".", "").isdigit() else universal
    if not name:
        return None
    return name if ":" in name else f"{prefix}:{quote(name.lower(), safe='')}"
