"""HL7 v2 messages as events: ORU^R01 as reports, ADT and pharmacy messages as records, A40 as merges, A37 as
their undoing.

No sockets, no frames, no separators (`hl7_split`), no meaning of values (`normalize`).
One event for each order of each patient, so that every result keeps its own orderer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from worker.intake.event import MERGE, RECORD, REPORT, Event, event_of
from worker.intake.hl7_groups import Group, Order, grouped
from worker.intake.hl7_observation import OrderContext, result_parts
from worker.intake.hl7_people import (
    encounter_part,
    identifier_part,
    patient_part,
    person_parts,
    restricted,
    source_of,
)
from worker.intake.hl7_records import LISTS, record_part
from worker.intake.hl7_specimen import order_remarks
from worker.intake.hl7_split import Segment, split_message
from worker.intake.hl7_times import iso_time, offset_of
from worker.intake.marks import Mark
from worker.intake.unreadable import Reason, Unreadable

LONGEST_CONTROL_ID = 199
VERSIONS = frozenset(
    [
        "",
        *[
            "2.1",
            "2.2",
            "2.3",
            "2.3.1",
            "2.4",
            "2.5",
            "2.5.1",
            "2.6",
            "2.7",
            "2.7.1",
            "2.8",
            "2.8.1",
            "2.8.2",
        ],
    ]
)
TYPES = {
    "ORU": frozenset({"R01"}),
    "ADT": frozenset(["A01", "A02", "A03", "A04", "A08", "A11", "A13", "A23", "A31", "A37", "A40"]),
    "RDE": frozenset({"O01", "O11"}),
    "RAS": frozenset({"O01", "O17"}),
    "OMP": frozenset({"O09"}),
}


@dataclass(frozen=True, slots=True)
class Header:
    """What MSH says: who sends, which message, what kind. `sent_at` is MSH-7 as sent,
    `recorded_at` EVN-2 of an ADT message: by it the versions of a patient are ordered."""

    source: str
    control_id: str
    kind: str
    trigger: str
    version: str
    processing: str
    sent_at: str
    recorded_at: str
    accept_ack: str
    application_ack: str


@dataclass
class _Part:
    """One event to be, or why there is none; `place` says where a refusal of its identity belongs."""

    kind: str
    place: str
    data: dict[str, Any] | Unreadable


def read_header(raw: bytes) -> Header:
    """The header of the message in `raw`; raises `Unreadable` for what is not for us or not HL7 v2."""
    return _header(split_message(raw).header)


def read_structure(raw: bytes) -> Header:
    """As `read_header`; raises `Unreadable` too for a message without a segment it cannot do without.

    Whether the fields of those segments can be used is `decode_hl7`'s.
    """
    message = split_message(raw)
    header = _header(message.header)
    first = {segment.name: segment for segment in reversed(message.segments)}
    if "PID" not in first:
        raise Unreadable(Reason.NO_PATIENT, "PID", "expected a PID segment, got none")
    if header.trigger == "A37" and sum(segment.name == "PID" for segment in message.segments) < 2:
        raise Unreadable(Reason.MERGE_INCOMPLETE, "PID[2]", "expected the two patients as two PID, got one")
    if header.trigger == "A40" and "MRG" not in first:
        raise Unreadable(Reason.MERGE_INCOMPLETE, "MRG", "expected an MRG segment after PID, got none")
    if header.trigger == "A40" and not first["MRG"].text(1):
        raise Unreadable(Reason.MERGE_INCOMPLETE, "MRG-1", "expected the retired identifier, got nothing")
    return header


def decode_hl7(raw: bytes) -> tuple[list[Event], list[Unreadable]]:
    """The events of one message, and its parts that could not be read; raises `Unreadable` for the whole."""
    message = split_message(raw)
    header = _header(message.header)
    if header.kind == "ADT" and (event := next((s for s in message.segments if s.name == "EVN"), None)):
        header = replace(header, recorded_at=event.text(2))
    identity = header.control_id or hashlib.sha256(raw).hexdigest()
    noticed = () if header.control_id else (Mark.CONTROL_ID_MISSING,)
    groups = grouped(message)
    if header.trigger == "A40":
        parts = [part for group in groups for part in (_merge_part(group), *_beside_a_merge(group))]
    elif header.trigger == "A37":
        parts = [_unlink_part(groups), *(part for group in groups for part in _beside_a_merge(group))]
    else:
        parts = [part for group in groups for part in _parts(group, header, identity)]
        _tell_apart([part.data for part in parts if isinstance(part.data, dict)])
    if not parts:
        raise Unreadable(Reason.NO_PATIENT, "PID", "expected a PID segment, got none")
    return _events(parts, header, identity, (*message.marks, *noticed))


def _events(
    parts: list[_Part], header: Header, identity: str, marks: tuple[Mark, ...]
) -> tuple[list[Event], list[Unreadable]]:
    events: list[Event] = []
    refused: list[Unreadable] = []
    for part in parts:
        if isinstance(part.data, Unreadable):
            refused.append(part.data)
            continue
        envelope = {
            "specversion": "1.0",
            "type": part.kind,
            "source": header.source,
            "id": identity if not events else f"{identity}#{len(events) + 1}",
            "time": iso_time(header.recorded_at) or iso_time(header.sent_at),
            "data": part.data if part.kind == MERGE else part.data | {"marks": marks},
        }
        try:
            events.append(event_of(envelope))
        except Unreadable as error:
            refused.append(Unreadable(error.reason, part.place, error.remedy))
    return events, refused


def _header(msh: Segment) -> Header:
    kind, trigger, structure = (msh.text(9, n).upper() for n in (1, 2, 3))
    header = Header(
        source=source_of(msh),
        control_id=msh.read(msh.raw(10)).strip(),
        kind=kind,
        trigger=trigger or structure.partition("_")[2],
        version=msh.text(12),
        processing=msh.text(11).upper(),
        sent_at=msh.text(7),
        recorded_at="",
        accept_ack=msh.text(15).upper(),
        application_ack=msh.text(16).upper(),
    )
    _check(header)
    return header


def _check(header: Header) -> None:
    if header.trigger not in TYPES.get(header.kind, ()):
        remedy = "expected ORU^R01, an ADT event or a pharmacy message, got another type"
        place = "MSH-9.2" if header.kind in TYPES else "MSH-9"
        raise Unreadable(Reason.UNSUPPORTED_TYPE, place, remedy)
    if header.version not in VERSIONS:
        raise Unreadable(Reason.UNSUPPORTED_VERSION, "MSH-12", "expected version 2.1 to 2.8.2, got another")
    if header.processing not in ("P", ""):
        raise Unreadable(Reason.PROCESSING_ID, "MSH-11", "expected P (production), got another processing id")
    if len(header.control_id) > LONGEST_CONTROL_ID:
        remedy = f"expected at most {LONGEST_CONTROL_ID} characters, got more"
        raise Unreadable(Reason.STRUCTURE, "MSH-10", remedy)


def _merge_part(group: Group) -> _Part:
    """A40: MRG-1 was merged into PID-3."""
    place = group.pid.place(3) if group.pid else "PID"
    if group.pid is None or group.merged is None:
        missing = Unreadable(Reason.MERGE_INCOMPLETE, "MRG", "expected PID and MRG, got only one of them")
        return _Part(MERGE, place, missing)
    try:
        survivor, retired = identifier_part(group.pid, 3), identifier_part(group.merged, 1)
    except Unreadable as error:
        return _Part(MERGE, place, Unreadable(Reason.MERGE_INCOMPLETE, error.place, error.remedy))
    return _Part(MERGE, place, {"survivor": survivor, "retired": retired})


def _unlink_part(groups: list[Group]) -> _Part:
    """A37: its two PID are two patients, whichever of them was merged into the other."""
    pids = [group.pid for group in groups if group.pid is not None]
    if len(pids) != 2:
        remedy = "expected the two patients as two PID, got another number"
        return _Part(MERGE, "PID", Unreadable(Reason.MERGE_INCOMPLETE, "PID[2]", remedy))
    try:
        survivor, retired = (identifier_part(pid, 3) for pid in pids)
    except Unreadable as error:
        return _Part(MERGE, "PID", Unreadable(Reason.MERGE_INCOMPLETE, error.place, error.remedy))
    return _Part(MERGE, pids[0].place(3), {"survivor": survivor, "retired": retired, "undone": True})


def _beside_a_merge(group: Group) -> list[_Part]:
    """A merge has no place for observations: each is told, none is passed over."""
    remedy = "expected no OBX in a merge, got one; send it in a report"
    return [
        _Part(MERGE, seen.obx.place(), Unreadable(Reason.STRUCTURE, seen.obx.place(), remedy))
        for seen in group.observations
    ]


def _parts(group: Group, header: Header, identity: str) -> list[_Part]:
    """The events under one PID: one for each order; records go with the first, or alone."""
    if group.pid is None:
        return [
            _Part(
                REPORT, "PID", Unreadable(Reason.NO_PATIENT, "PID", "expected PID before the rest, got none")
            )
        ]
    place, offset = group.pid.place(3), offset_of(header.sent_at)
    try:
        patient = patient_part(group.pid, offset)
    except Unreadable as error:
        return [_Part(REPORT, place, error)]
    about = {
        "patient": patient | {"restricted": restricted(group.pd1, group.restrictions)},
        "encounter": encounter_part(group.pv1),
        "registration": header.kind == "ADT",
    }
    if header.kind != "ORU":
        unreported = _unreported(group, header, identity, offset)
        return [_Part(RECORD, place, about | unreported | _records(group, offset))]
    orders = [order for order in group.orders if order.observations]
    data = [about | _order_data(order, header, identity, offset) for order in orders]
    kind = REPORT if data else RECORD
    data = data or [about]
    data[0] |= _records(group, offset)
    refused = [
        Unreadable(Reason.STRUCTURE, one.obx.place(), "expected OBR before OBX, got none")
        for one in group.orphans
    ]
    return [*(_Part(kind, place, one) for one in data), *(_Part(kind, place, one) for one in refused)]


def _unreported(group: Group, header: Header, identity: str, offset: str) -> dict[str, Any]:
    """The observations of a message that is no report (a weight in an ADT message, or in an order): kept as
    results that are not used. Who registers or prescribes copies values; the laboratory's own report counts.
    """
    context = OrderContext(
        place=identity, effective="", changed_at=None, sent_at=header.sent_at, offset=offset, notes=()
    )
    results = [
        part for seen in group.observations for part in result_parts(seen.obx, tuple(seen.notes), context)
    ]
    return {"results": [one | {"marks": [*one["marks"], Mark.NOT_REPORTED]} for one in results]}


def _order_data(order: Order, header: Header, identity: str, offset: str) -> dict[str, Any]:
    obr, orc = order.obr, order.orc
    placer, filler = (obr.text(n) or (orc.text(n) if orc else "") for n in (2, 3))
    context = OrderContext(
        # Without a number of its own the order is named by its message: never one id for two specimens.
        place=filler or placer or f"{identity}/{obr.position}",
        effective=obr.text(7),
        changed_at=iso_time(obr.text(22), offset),
        sent_at=header.sent_at,
        offset=offset,
        notes=(*order_remarks(obr), *order.notes),
    )
    ordered_by = person_parts(obr, 16) or (person_parts(orc, 12) if orc else [])
    return {
        "orderer": ordered_by[0] if ordered_by else None,
        "copy_to": [*ordered_by[1:], *person_parts(obr, 28)],
        "order_id": placer or filler or None,
        "results": [
            part for seen in order.observations for part in result_parts(seen.obx, tuple(seen.notes), context)
        ],
    }


def _records(group: Group, offset: str) -> dict[str, list[dict[str, Any]]]:
    lists: dict[str, list[dict[str, Any]]] = {}
    for entry in group.entries:
        part = record_part(entry.segment, entry.route, entry.timing, entry.orc, offset)
        lists.setdefault(LISTS[entry.segment.name], []).append(part)
    return lists


def _tell_apart(reports: list[dict[str, Any]]) -> None:
    """Give the second of two different results with one id and status an id of its own: both are kept.

    A preliminary and a final under one id stay two versions of one result; an exact repeat stays the same.
    """
    by_id: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in (result for report in reports for result in report.get("results", ())):
        by_id.setdefault((result["id"], result["status"]), []).append(result)
    for same in by_id.values():
        said = [repr({name: value for name, value in one.items() if name != "place"}) for one in same]
        numbers = {text: number for number, text in enumerate(dict.fromkeys(said), 1)}
        if len(numbers) > 1:
            for result, text in zip(same, said, strict=True):
                number = numbers[text]
                result["id"] = result["id"] if number == 1 else f"{result['id']}~{number}"
                result["marks"] = [*result["marks"], Mark.VALUE_CONFLICT]
