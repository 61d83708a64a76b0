"""Entries of medication, problem, procedure and order lists that the demo's patients have."""

from __future__ import annotations

from datetime import date, datetime

from worker.demo.reports import Entry, stamp

ATC = "http://www.whocc.no/atc"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
SNOMED = "http://snomed.info/sct"


def medication(
    code: str,
    name: str,
    start: date | datetime,
    *,
    system: str = ATC,
    route: str = "oral",
    status: str = "active",
) -> Entry:
    """A drug taken from `start` on, or with status `completed` given once then."""
    entry = _entry(system, code, name, start)
    return entry | {"status": status, "end": None, "route": route}


def multivitamin(start: date) -> Entry:
    """A vitamin product with B12 in it, as a drug list codes it."""
    return medication("A11AA03", "Multivitamin with minerals", start)


def b12_tablets(start: date | datetime) -> Entry:
    """Cyanocobalamin by mouth."""
    return medication("B03BA01", "Cyanocobalamin 1000 mcg tablet", start)


def b12_injection(given: date | datetime) -> Entry:
    """One injection of hydroxocobalamin."""
    return medication("B03BA03", "Hydroxocobalamin 1 mg", given, route="intramuscular", status="completed")


def metformin(start: date) -> Entry:
    """Metformin by mouth."""
    return medication("A10BA02", "Metformin 850 mg", start)


def condition(code: str, name: str, start: date) -> Entry:
    """An active entry of the problem list."""
    return _entry(ICD10CM, code, name, start) | {"status": "active"}


def procedure(code: str, name: str, start: date) -> Entry:
    """Something done, coded in ICD-10-PCS."""
    return _entry(ICD10PCS, code, name, start)


def both_endoscopies(start: date) -> list[Entry]:
    """An upper and a lower endoscopy of the same day."""
    upper = procedure("0DJ08ZZ", "Inspection of upper intestinal tract", start)
    return [upper, procedure("0DJD8ZZ", "Inspection of lower intestinal tract", start)]


def gi_referral(start: date | datetime) -> Entry:
    """An open referral to gastroenterology."""
    return _entry(SNOMED, "308476000", "Referral to gastroenterologist", start) | {"status": "active"}


def _entry(system: str, code: str, name: str, start: date | datetime) -> Entry:
    when = stamp(start) if isinstance(start, datetime) else start.isoformat()
    return {"system": system, "code": code, "name": name, "start": when}
