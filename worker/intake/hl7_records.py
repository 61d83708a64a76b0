"""DG1, PR1, RXE, RXO and RXA as entries of an event's condition, procedure and medication lists."""

from __future__ import annotations

from typing import Any

from worker.intake.code_systems import ATC, CPT, ICD10CM, ICD10PCS, RXNORM, SNOMED, system_uri
from worker.intake.hl7_codes import Coding, preferred
from worker.intake.hl7_split import Segment
from worker.intake.hl7_times import iso_time

RECORD_SEGMENTS = frozenset({"DG1", "PR1", "RXE", "RXO", "RXA"})
LISTS = {
    "DG1": "conditions", "PR1": "procedures",
    "RXE": "medications", "RXO": "medications", "RXA": "medications",
}  # fmt: skip
_ROUTES = {
    "PO": "oral", "OR": "oral", "IM": "intramuscular", "IV": "intravenous",
    "SC": "subcutaneous", "SQ": "subcutaneous", "SUBQ": "subcutaneous",
}  # fmt: skip
_ORDER_STATUS = {"CA": "not-taken", "OC": "not-taken", "DC": "stopped", "OD": "stopped", "HD": "on-hold"}
_GIVEN_STATUS = {"NA": "not-taken", "RE": "not-taken"}
_DELETED = "entered-in-error"


def record_part(
    segment: Segment, route: Segment | None, timing: Segment | None, order: Segment | None, offset: str
) -> dict[str, Any]:
    """The entry one segment makes, with the RXR, TQ1 and ORC that stand beside it."""
    if segment.name == "DG1":
        return _condition(segment, offset)
    if segment.name == "PR1":
        return _procedure(segment, offset)
    if segment.name == "RXA":
        return _given(segment, route, offset)
    return _ordered(segment, route, timing, order, offset)


def _condition(dg1: Segment, offset: str) -> dict[str, Any]:
    coding = preferred(dg1, dg1.first(3), ICD10CM, SNOMED)
    return _coded(coding, system_uri(dg1.text(2)), dg1.text(4)) | {
        "status": _DELETED if dg1.text(21).upper() == "D" else "active",
        "start": iso_time(dg1.text(5), offset),
    }


def _procedure(pr1: Segment, offset: str) -> dict[str, Any]:
    coding = preferred(pr1, pr1.first(3), ICD10PCS, CPT, SNOMED)
    return _coded(coding, system_uri(pr1.text(2)), pr1.text(4)) | {
        "status": _DELETED if pr1.text(20).upper() == "D" else "completed",
        "start": iso_time(pr1.text(5), offset),
    }


def _given(rxa: Segment, route: Segment | None, offset: str) -> dict[str, Any]:
    status = _DELETED if rxa.text(21).upper() == "D" else _GIVEN_STATUS.get(rxa.text(20).upper(), "completed")
    return _coded(preferred(rxa, rxa.first(5), ATC, RXNORM)) | {
        "status": status,
        "start": iso_time(rxa.text(3), offset),
        "end": iso_time(rxa.text(4), offset),
        "route": _route(route),
    }


def _ordered(
    rx: Segment, route: Segment | None, timing: Segment | None, order: Segment | None, offset: str
) -> dict[str, Any]:
    """RXE or RXO. TQ1 gives start and end since version 2.5; before, components 4 and 5 of RXE-1."""
    code, old_timing = (2, 1) if rx.name == "RXE" else (1, 0)
    start = timing.text(7) if timing else rx.text(old_timing, 4) if old_timing else ""
    end = timing.text(8) if timing else rx.text(old_timing, 5) if old_timing else ""
    number = (order.text(2) or order.text(3)) if order else ""
    return _coded(preferred(rx, rx.first(code), ATC, RXNORM)) | {
        "id": number or None,
        "status": _ORDER_STATUS.get(order.text(1).upper(), "active") if order else "active",
        "start": iso_time(start, offset),
        "end": iso_time(end, offset),
        "route": _route(route),
    }


def _coded(coding: Coding | None, fallback_system: str = "", fallback_name: str = "") -> dict[str, Any]:
    if coding is None:
        return {"code": None, "system": fallback_system or None, "name": fallback_name or None}
    return {
        "code": coding.code or None,
        "system": coding.system or fallback_system or None,
        "name": coding.text or fallback_name or None,
    }


def _route(rxr: Segment | None) -> str | None:
    if rxr is None:
        return None
    code = rxr.text(1)
    return _ROUTES.get(code.upper()) or (rxr.text(1, 2) or code).lower() or None
