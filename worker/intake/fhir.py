"""FHIR R4 messages as events: results as reports, other resources as records, replaced patients as merges.

One event for each order of each patient, so that every result keeps its own orderer. No HTTP, no meaning of
values (`normalize`), and nothing is fetched: what a reference leads to is `fhir_scope`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from worker.intake.event import MERGE, RECORD, REPORT, Event, event_of
from worker.intake.fhir_checks import checked
from worker.intake.fhir_datatypes import CodeableConcept, Reference
from worker.intake.fhir_identity import address_of, made_up
from worker.intake.fhir_issues import FhirInvalid, Issue
from worker.intake.fhir_observation import Around, code_key, result_parts
from worker.intake.fhir_package import Entry, Package, read_package
from worker.intake.fhir_people import encounter_part, orderer_part, patient_part, subject_part
from worker.intake.fhir_pregnancy import Said, pregnancy_said
from worker.intake.fhir_records import LISTS, RECORDS, record_part
from worker.intake.fhir_resources import DiagnosticReport, Observation, Patient, Resource, Specimen
from worker.intake.fhir_scope import Known, Part, Scope, nothing_known
from worker.intake.unreadable import Unreadable

UNNAMED = "urn:ferrule:fhir"
"""The source of what came without a sender's name."""

SPOKEN_OF: tuple[type[Resource], ...] = (Observation, DiagnosticReport, *RECORDS)
"""The resources that are about a patient."""

_TAKEN_BACK = frozenset({"entered-in-error", "cancelled"})


@dataclass
class _Story:
    """What a message says of one patient by one order."""

    about: dict[str, Any]
    results: list[dict[str, Any]] = field(default_factory=list)
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    said_at: list[str] = field(default_factory=list)


def decode_fhir(
    raw: bytes, source: str = UNNAMED, known: Known = nothing_known
) -> tuple[list[Event], list[Unreadable]]:
    """The events of one message, and its parts that cannot be read; raises `Unreadable` for the whole."""
    try:
        package = read_package(raw)
    except FhirInvalid as fault:
        raise fault.unreadable() from None
    faults = faults_of(package, known)
    return events_of(package, source, fallback_of(raw), known, faults)


def events_of(
    package: Package, source: str, fallback: str, known: Known, faults: Mapping[int, FhirInvalid]
) -> tuple[list[Event], list[Unreadable]]:
    """The events of a package without its faulty entries, and everything that was left out."""
    refused = [fault.unreadable() for fault in faults.values()]
    scope = Scope(package.parts, known)
    parts = (one.part for at, one in enumerate(package.entries) if one.part is not None and at not in faults)
    refused += [fault.unreadable() for part in parts for fault in _passed_over(part, scope)]
    events: list[Event] = []
    for made in Reader(package, source, fallback, known, frozenset(faults)).events():
        try:
            events.append(event_of(made))
        except Unreadable as error:
            refused.append(error)
    return events, refused


def faults_of(package: Package, known: Known = nothing_known) -> dict[int, FhirInvalid]:
    """What is wrong with each entry, by its number: its own faults, and a subject that leads to nobody."""
    scope = Scope(package.parts, known)
    found: dict[int, FhirInvalid] = {}
    for at, entry in enumerate(package.entries):
        try:
            _refuse(entry, scope)
        except FhirInvalid as fault:
            found[at] = fault
    return found


def refuse_unreadable(raw: bytes) -> None:
    """Raise `Unreadable` for a message of which nothing can be read, whatever its references lead to."""
    try:
        package = read_package(raw)
        if package.entries and all(entry.fault for entry in package.entries):
            raise package.entries[0].fault or AssertionError
    except FhirInvalid as fault:
        raise fault.unreadable() from None


def fallback_of(raw: bytes) -> str:
    """What names the resources of a message that name themselves by nothing."""
    return hashlib.sha256(raw).hexdigest()


def _refuse(entry: Entry, scope: Scope) -> None:
    if entry.fault is not None:
        raise entry.fault
    if entry.part is None or entry.part.resource is None:
        return
    resource = entry.part.resource
    if isinstance(resource, Patient):
        patient_part(resource, entry.part.root)
    elif (subject := subject_of(resource)) is not None:
        subject_part(scope, subject, entry.part)


def _passed_over(part: Part, scope: Scope) -> Iterator[FhirInvalid]:
    """The contained Observations that give no result: unsound ones, of nobody, or named by no report."""
    named = part.resource.result if isinstance(part.resource, DiagnosticReport) else ()
    names = {reference.reference for reference in named}
    inside = part.json.get("contained")
    for at, value in enumerate(inside if isinstance(inside, list) else ()):
        if not isinstance(value, dict) or value.get("resourceType") != Observation.__name__:
            continue
        try:
            subject = subject_of(checked(value))
            if subject is not None:
                subject_part(scope, subject, part)
            if f"#{value.get('id')}" not in names:
                remedy = "read where a DiagnosticReport.result names it alone; send it by itself"
                raise FhirInvalid(Issue("not-supported", "", remedy))
        except FhirInvalid as fault:
            yield fault.within(f"{part.root}.contained[{at}]")


def subject_of(resource: Resource) -> Reference | None:
    """Whom a resource is about; None for those that are about nobody, or that are the patient."""
    subject = getattr(resource, "subject", None) if isinstance(resource, SPOKEN_OF) else None
    return subject if isinstance(subject, Reference) else None


def address_in(part: Part, fallback: str) -> str:
    """The id under which a part is answered for. The `code` of some resources is a list and names nothing."""
    code = getattr(part.resource, "code", None)
    if part.resource is None:
        given = part.json.get("id")
        return given if isinstance(given, str) else made_up(f"{fallback}{part.place}")
    return address_of(
        part.resource,
        made_up(f"{fallback}{part.place}"),
        code_key(code) if isinstance(code, CodeableConcept) else "",
    )


class Reader:
    """Puts the parts of one message together into events."""

    def __init__(
        self, package: Package, source: str, fallback: str, known: Known, left_out: frozenset[int]
    ) -> None:
        self._package, self._source, self._fallback = package, source, fallback
        self._scope = Scope(package.parts, known)
        entries = enumerate(package.entries)
        self._parts = [one.part for at, one in entries if one.part is not None and at not in left_out]
        self._stories: dict[tuple[Any, ...], _Story] = {}
        self._apart: list[tuple[dict[str, Any], Said]] = []
        self._reports = dict(self._reports_by_observation())

    def events(self) -> Iterator[dict[str, Any]]:
        """Every event of the message, to be checked by `event_of`."""
        for part in self._parts:
            self._take(part)
        made = [
            *map(self._event, self._stories.values()),
            *map(self._pregnancy, self._apart),
            *self._merges(),
        ]
        for number, one in enumerate(made, 1):
            identity = self._fallback if number == 1 else f"{self._fallback}#{number}"
            yield {"specversion": "1.0", "source": self._source, "id": identity} | one

    def _take(self, part: Part) -> None:
        resource = part.resource
        if isinstance(resource, Observation):
            self._take_observation(resource, part, self._reports.get(part.place))
        elif isinstance(resource, DiagnosticReport):
            self._take_report(resource, part)
        elif isinstance(resource, Patient):
            self._story(patient_part(resource, part.root), part)
        elif resource is not None and (subject := subject_of(resource)) is not None:
            story = self._story(subject_part(self._scope, subject, part), part)
            entry = record_part(resource, self._scope, part, made_up(f"{self._fallback}{part.place}"))
            if entry is not None:
                story.lists.setdefault(LISTS[type(resource)], []).append(entry)

    def _take_observation(
        self, observation: Observation, part: Part, report: DiagnosticReport | None, own: str = ""
    ) -> None:
        patient = subject_part(self._scope, observation.subject, part)
        if said := pregnancy_said(observation):
            self._apart.append((patient, said))
            return
        orders = observation.based_on or (report.based_on if report else ())
        orderer, number = orderer_part(self._scope, orders, part)
        encounter = observation.encounter or (report.encounter if report else None)
        place = encounter_part(self._scope, encounter, part)
        story = self._story(patient, part, orderer=orderer, order_id=number, encounter=place)
        around = Around(
            fallback_id=own or made_up(f"{self._fallback}{part.place}"),
            report=report,
            specimen=self._scope.find(Specimen, observation.specimen, part),
            sent_at=self._package.sent_at if self._package.kind == "message" else None,
            taken_back=report.status if report and report.status in _TAKEN_BACK else None,
        )
        story.results += [one | {"place": part.root} for one in result_parts(observation, around)]

    def _take_report(self, report: DiagnosticReport, part: Part) -> None:
        """The results that are contained in a report; and, when it is taken back, those sent before it."""
        self._story(subject_part(self._scope, report.subject, part), part)
        for number, reference in enumerate(report.result):
            text = reference.reference or ""
            inside = text.startswith("#")
            if not inside and (self._scope.part_of(text, part) or report.status not in _TAKEN_BACK):
                continue
            found = self._scope.find(Observation, reference, part)
            if found is not None:
                name = f"{address_in(part, self._fallback)}#{number}" if inside else ""
                # What is contained and of nobody is told by `_passed_over`.
                with suppress(FhirInvalid) if inside else nullcontext():
                    self._take_observation(_named(found, inside), part, report, own=name)

    def _story(self, patient: dict[str, Any], part: Part, **about: Any) -> _Story:
        """The story a part belongs to: records go to the patient's first, results to their order's."""
        who = patient["system"], patient["id"]
        if not about:
            same = (story for key, story in self._stories.items() if key[0] == who)
            story = next(same, None) or self._stories.setdefault((who, ""), _Story({}))
        else:
            plain = self._stories.pop((who, ""), None)
            key = who, repr(sorted(about.items()))
            if plain is not None and key not in self._stories:
                self._stories[key] = plain
            elif plain is not None:
                self._stories[who, ""] = plain
            story = self._stories.setdefault(key, _Story({}))
            story.about |= about
        story.about["patient"] = _fuller(story.about.get("patient"), patient)
        if part.resource and part.resource.meta and part.resource.meta.last_updated:
            story.said_at.append(part.resource.meta.last_updated)
        return story

    def _event(self, story: _Story) -> dict[str, Any]:
        said_at = self._package.sent_at or max(story.said_at, default=None)
        results = _told_apart(story.results)
        data = story.about | story.lists | {"results": results}
        return {"type": REPORT if results else RECORD, "time": said_at, "data": data}

    def _pregnancy(self, told: tuple[dict[str, Any], Said]) -> dict[str, Any]:
        patient, said = told
        about = patient | {"pregnant": said.pregnant, "gestational_weeks": said.weeks}
        return {"type": RECORD, "time": said.at or self._package.sent_at, "data": {"patient": about}}

    def _merges(self) -> Iterator[dict[str, Any]]:
        for part in self._parts:
            patient = part.resource
            for link in patient.link if isinstance(patient, Patient) else ():
                other = self._linked(link.other, part)
                if other is None or link.type not in ("replaced-by", "replaces"):
                    continue
                own = patient_part(patient, part.root) if isinstance(patient, Patient) else {}
                retired, survivor = (own, other) if link.type == "replaced-by" else (other, own)
                names = {"retired": retired, "survivor": survivor}
                data = {name: {key: one[key] for key in ("system", "id")} for name, one in names.items()}
                yield {"type": MERGE, "data": data}

    def _linked(self, other: Any, part: Part) -> dict[str, Any] | None:
        try:
            return subject_part(self._scope, other, part)
        except FhirInvalid:
            return None

    def _reports_by_observation(self) -> Iterator[tuple[str, DiagnosticReport]]:
        for part in self._parts:
            report = part.resource
            for reference in report.result if isinstance(report, DiagnosticReport) else ():
                found = self._scope.part_of(reference.reference or "", part)
                if found is not None and isinstance(report, DiagnosticReport):
                    yield found.place, report


def _named(observation: Observation, inside: bool) -> Observation:
    """A contained id holds in its container alone: it names nothing outside."""
    return observation.model_copy(update={"id": None}) if inside else observation


def _fuller(first: dict[str, Any] | None, second: dict[str, Any]) -> dict[str, Any]:
    return second | {name: one for name, one in (first or {}).items() if one is not None}


def _told_apart(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two different results under one name and status are both kept."""
    seen: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in results:
        said = {name: value for name, value in result.items() if name != "place"}
        same = seen.setdefault((result["id"], result["status"]), [])
        if said not in same:
            same.append(said)
            if len(same) > 1:
                result["id"] = f"{result['id']}~{len(same)}"
    return results
