"""One statement of a laboratory, in each format that can say it under one name, and brought to a door.

A name is a promise within its format: HL7 names a result by order, code and sub-id, FHIR by its own id. An
event may use either name, so that every statement has several doors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from tests.worker.made_up import LOINC
from worker.accepting import Inbound, Receipt, accept
from worker.fhir_door import Wish, accept_files, take
from worker.intake.fhir import address_in, fallback_of
from worker.intake.fhir_package import read_package
from worker.intake.files import Piece
from worker.intake.json_text import NumberText
from worker.intake.json_text import dumps as json_as_written
from worker.mllp.policy import Policy
from worker.mllp.received import received
from worker.sources import no_sources
from worker.verbs.submit import inbound_of

UCUM = "http://unitsofmeasure.org"
MRN = "urn:mrn:north"
STAMP = "%Y%m%d%H%M%S+0000"
LETTERS = {"final": "F", "corrected": "C", "preliminary": "P", "entered-in-error": "W", "cancelled": "X"}


@dataclass(frozen=True)
class Statement:
    """What is said, once: a result or a medication, and when. `home` is the format whose name it has."""

    number: int
    home: str
    at: datetime
    result: Mapping[str, Any] | None = None
    medication: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class World:
    """A laboratory and a patient that nobody else in the test has."""

    number: int

    @property
    def source(self) -> str:
        """The name of the sender, by which every door knows it."""
        return f"urn:hl7v2:w{self.number}:LIS"

    @property
    def patient(self) -> Mapping[str, Any]:
        """The one patient."""
        return {"system": MRN, "id": f"W{self.number}", "birth_date": "1980-02-03", "sex": "female"}


Sent = Callable[[Engine], list[int]]
"""Brings something to a door; the messages to be judged."""
Door = Callable[[Statement, World], Sent]


# ── as an event ──────────────────────────────────────────────────────────────────────────────────────


def event_of(said: Statement, world: World) -> dict[str, Any]:
    """The statement as an event under its name."""
    data: dict[str, Any] = {"patient": dict(world.patient)}
    if said.result is not None:
        data["results"] = [dict(said.result)]
    if said.medication is not None:
        data["medications"] = [dict(said.medication)]
    return {
        "specversion": "1.0",
        "type": f"org.ferrule.{'report' if said.result else 'record'}.v1",
        "source": world.source,
        "id": f"M{said.number}",
        "time": said.at.isoformat(),
        "data": data,
    }


def stored(inbound: Sequence[Inbound]) -> Sent:
    """Accepted as every door but FHIR's does it."""

    def send(engine: Engine) -> list[int]:
        return [receipt.message for receipt in accept(engine, inbound) if receipt.judge]

    return send


def as_event(door: Callable[[dict[str, Any]], Inbound]) -> Door:
    """A door for events as a door for statements."""
    return lambda said, world: stored([door(event_of(said, world))])


# ── as HL7 v2 ────────────────────────────────────────────────────────────────────────────────────────


def hl7_of(said: Statement, world: World) -> bytes:
    """The statement as an ORU^R01 of the same sender."""
    assert said.result is not None
    one, facility = said.result, world.source.split(":")[2]
    place, code, _ = one["id"].split("/")
    taken = datetime.fromisoformat(one["effective_at"]).strftime(STAMP)
    issued = datetime.fromisoformat(one["issued_at"]).strftime(STAMP)
    comparator = one["comparator"]
    value = f"{comparator}^{one['value']}" if comparator else str(one["value"])
    limits = one["reference_range"]
    shown = f"{limits['low']}-{limits['high']}" if limits else ""
    letter, kind = LETTERS[one["status"]], "SN" if comparator else "NM"
    lines = [
        rf"MSH|^~\&|LIS|{facility}|FERRULE|HOSP|{issued}||ORU^R01|M{said.number}|P|2.5.1",
        f"PID|1||{world.patient['id']}^^^north^MR||||19800203|F",
        f"OBR|1||{place}|24323-8^Panel^LN|||{taken}|||||||||||||||{issued}",
        f"OBX|1|{kind}|{code}^^LN||{value}|{one['unit']}|{shown}||||{letter}|||{taken}",
        *(f"NTE|{n}||{note}" for n, note in enumerate(one["specimen_notes"], 1)),
    ]
    return ("\r".join(lines) + "\r").encode()


def by_mllp(said: Statement, world: World) -> Sent:
    """A frame of a listener that everybody may send to."""
    return stored(received(hl7_of(said, world), Policy(no_sources)).inbound)


def by_hl7_file(said: Statement, world: World) -> Sent:
    """`ferrule submit day.hl7`."""
    return stored([inbound_of(Piece("hl7", hl7_of(said, world), "day.hl7:1"))])


# ── as FHIR ──────────────────────────────────────────────────────────────────────────────────────────


def fhir_of(said: Statement, world: World) -> dict[str, Any]:
    """The statement as an Observation or a MedicationStatement."""
    who = {"subject": {"reference": f"Patient/p{world.number}"}}
    when = {"meta": {"lastUpdated": said.at.isoformat()}}
    if said.result is None:
        assert said.medication is not None
        return who | when | _medication(said.medication)
    return who | when | _observation(said.result)


def _observation(one: Mapping[str, Any]) -> dict[str, Any]:
    made = {
        "resourceType": "Observation",
        "id": one["id"],
        "status": one["status"],
        "code": {"coding": [{"system": "http://loinc.org", "code": one["code"]}]},
        "effectiveDateTime": one["effective_at"],
        "issued": one["issued_at"],
        "valueQuantity": _quantity(one["value"], one["unit"], one["comparator"]),
        "note": [{"text": note} for note in one["specimen_notes"]],
    }
    if limits := one["reference_range"]:
        sides = {side: _quantity(limits[side], one["unit"]) for side in ("low", "high")}
        made["referenceRange"] = [sides]
    return {name: value for name, value in made.items() if value}


def _quantity(value: Any, unit: str, comparator: str | None = None) -> dict[str, Any]:
    made = {"value": NumberText(str(value)), "unit": unit, "system": UCUM, "code": unit}
    return made | ({"comparator": comparator} if comparator else {})


def _medication(one: Mapping[str, Any]) -> dict[str, Any]:
    coding = {"system": one["system"], "code": one["code"], "display": one["name"]}
    return {
        "resourceType": "MedicationStatement",
        "id": one["id"],
        "status": one["status"],
        "medicationCodeableConcept": {"coding": [coding]},
        "effectivePeriod": {"start": one["start"]},
        "dosage": [{"route": {"text": one["route"]}}],
    }


def person_of(said: Statement, world: World) -> dict[str, Any]:
    """The patient as this statement names it."""
    return {
        "resourceType": "Patient",
        "id": f"p{world.number}",
        "identifier": [{"system": MRN, "value": world.patient["id"]}],
        "birthDate": world.patient["birth_date"],
        "gender": world.patient["sex"],
        "meta": {"lastUpdated": said.at.isoformat()},
    }


def bundle_of(said: Statement, world: World) -> bytes:
    """The statement in a transaction, beside its patient."""
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in (person_of(said, world), fhir_of(said, world))
    ]
    return json_as_written({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode()


def by_fhir_bundle(said: Statement, world: World) -> Sent:
    """POST /fhir."""
    return taken(world, bundle_of(said, world))


def by_fhir_resource(said: Statement, world: World) -> Sent:
    """PUT /fhir/{type}/{id}: the patient, then what is about it."""
    bodies = (json_as_written(one).encode() for one in (person_of(said, world), fhir_of(said, world)))
    return taken(world, *bodies)


def taken(world: World, *bodies: bytes) -> Sent:
    """Stored as the FHIR door does it."""

    def send(engine: Engine) -> list[int]:
        receipts = [_taken(engine, world, raw) for raw in bodies]
        return [receipt.message for receipt in receipts if receipt is not None and receipt.judge]

    return send


def _taken(engine: Engine, world: World, raw: bytes) -> Receipt | None:
    parts = read_package(raw).parts
    wishes = [Wish(part, address_in(part, fallback_of(raw))) for part in parts]
    return take(engine, world.source, raw, wishes).receipt


def by_fhir_file(said: Statement, world: World) -> Sent:
    """`ferrule submit bundle.json --source …`."""
    piece = Piece("fhir", bundle_of(said, world), "bundle.json:1")

    def send(engine: Engine) -> list[int]:
        receipts = accept_files(engine, [inbound_of(piece, world.source)])
        return [receipt.message for receipt in receipts if receipt.judge]

    return send


HL7_DOORS: Sequence[Door] = (by_mllp, by_hl7_file)
FHIR_DOORS: Sequence[Door] = (by_fhir_bundle, by_fhir_resource, by_fhir_file)


def named(home: str, analyte: str, number: int) -> str:
    """The id of a result under the name that its home's format gives."""
    return f"PL-{analyte}-{number}/{LOINC[analyte][0]}/" if home == "hl7" else f"{analyte}-{number}"
