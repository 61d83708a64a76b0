"""One OBX as the results of an event: its value by its type, its status letter, its limits and its times.

What the value means is not asked here. An OBX with several values gives several results: not only the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from worker.intake.code_systems import LOINC, SNOMED
from worker.intake.flags import most_telling
from worker.intake.hl7_codes import codings, preferred
from worker.intake.hl7_split import Segment
from worker.intake.hl7_times import iso_time, later
from worker.intake.marks import Mark

# HL7 table 0085 as FHIR Observation.status. N (not asked) and O (order detail) say nothing of a result.
STATUS_OF = {
    "P": "preliminary", "R": "preliminary", "S": "preliminary", "I": "registered",
    "F": "final", "U": "final", "V": "final", "A": "amended", "B": "appended", "C": "corrected",
    "X": "cancelled", "D": "entered-in-error", "W": "entered-in-error", "N": "unknown", "O": "unknown",
}  # fmt: skip
_LINES = frozenset({"TX", "FT"})  # their repetitions are the lines of one text
_TEXTS = frozenset({"ST", "NM", "TX", "FT"})
_COMPARATORS = frozenset({"<", "<=", ">", ">=", "≤", "≥"})
_ANSWER_CODES = {
    "10828004": "positive", "260373001": "positive", "11214006": "positive",
    "260385009": "negative", "260415000": "negative", "131194007": "negative",
    "42425007": "equivocal", "419984006": "equivocal",
}  # fmt: skip
_POWER_OF_TEN = re.compile(r"[x*]?10", re.IGNORECASE)
_TELLING = ("POS", "NEG", "IND", "E", "DET", "ND", "RR", "NR", "WR")


@dataclass(frozen=True, slots=True)
class OrderContext:
    """What the order around an OBX hands to it. `place` names the order in the result's id."""

    place: str
    effective: str
    changed_at: str | None
    sent_at: str
    offset: str
    notes: tuple[str, ...]


def result_parts(obx: Segment, notes: tuple[str, ...], context: OrderContext) -> list[dict[str, Any]]:
    """The results of one OBX, one for each value, as parts of an event."""
    status, status_marks = _status(obx)
    effective_at, time_marks = _effective(obx, context)
    unit = _unit(obx)
    common = _code(obx) | {
        "unit": unit,
        "status": status,
        "effective_at": effective_at,
        "issued_at": later(context.changed_at, iso_time(obx.text(19), context.offset)),
        "reference_range": {"text": obx.read(obx.raw(7)).strip()} if obx.raw(7).strip() else None,
        "interpretation": _interpretation(obx),
        "method": obx.text(17, 2) or obx.text(17) or None,
        "specimen_notes": (*context.notes, *notes),
        "place": obx.place(),
    }
    values, value_marks = _values(obx)
    marks = [*status_marks, *time_marks, *value_marks]
    if len(values) > 1:
        marks.append(Mark.VALUE_REPEATED)
    identity = "/".join((context.place, obx.text(3) or obx.text(3, 2), obx.text(4)))
    return [
        common | value | {"id": identity if n == 1 else f"{identity}~{n}", "marks": marks}
        for n, value in enumerate(values, 1)
    ]


def _code(obx: Segment) -> dict[str, Any]:
    coding = preferred(obx, obx.first(3), LOINC)
    if coding is None:
        return {"code": None, "system": None, "name": None}
    name = coding.text or next((c.text for c in codings(obx, obx.first(3)) if c.text), None)
    return {"code": coding.code or None, "system": coding.system or None, "name": name}


def _status(obx: Segment) -> tuple[str, list[Mark]]:
    letter = obx.text(11).upper()
    if letter not in STATUS_OF:
        return "preliminary", [Mark.STATUS_LETTER_UNKNOWN]
    bare = letter == "U" and not obx.raw(5).strip()
    marks = [Mark.DELETED] if letter == "D" else []
    return STATUS_OF[letter], [*marks, Mark.STATUS_ONLY] if bare else marks


def _effective(obx: Segment, context: OrderContext) -> tuple[str | None, list[Mark]]:
    """OBX-14, else OBR-7, else MSH-7, else the time of receipt. One that came broken is not replaced."""
    sources = (
        (obx.text(14), ()),
        (context.effective, (Mark.TIME_FROM_ORDER,)),
        (context.sent_at, (Mark.TIME_FROM_MESSAGE,)),
    )
    for text, marks in sources:
        if text:
            return iso_time(text, context.offset), list(marks)
    return None, [Mark.TIME_FROM_RECEIPT]


def _unit(obx: Segment) -> str | None:
    """OBX-6: its UCUM coding, else its first. An unescaped `10^9/L` is put together again."""
    parts = obx.first(6).split(obx.separators.component)
    if len(parts) > 1 and _POWER_OF_TEN.fullmatch(parts[0].strip()) and parts[1].strip()[:1].isdigit():
        return f"{parts[0].strip()}^{obx.read(parts[1]).strip()}"
    coding = preferred(obx, obx.first(6), "UCUM")
    return (coding.code or coding.text) if coding else None


def _interpretation(obx: Segment) -> str | None:
    """The most telling of OBX-8: a qualitative answer, then a critical flag, before plain high or low."""
    flags = [obx.component(flag, 1) for flag in obx.repetitions(8)]
    given = [flag for flag in flags if flag]
    return most_telling(given, _TELLING)


def _values(obx: Segment) -> tuple[list[dict[str, Any]], list[Mark]]:
    """value and comparator of each repetition of OBX-5; one without value when there is none."""
    kind, repetitions = obx.text(2).upper(), obx.repetitions(5)
    nothing: dict[str, Any] = {"value": None, "comparator": None}
    if not repetitions:
        return [nothing], []
    if kind in _LINES:
        text = "\n".join(obx.read(line).strip() for line in repetitions)
        return [{"value": text, "comparator": None}], []
    if kind in _TEXTS:
        return [{"value": obx.read(text).strip(), "comparator": None} for text in repetitions], []
    if kind == "SN":
        return [_structured_number(obx, text) for text in repetitions], []
    if kind in ("CE", "CWE", "CNE"):
        return [{"value": _coded_answer(obx, text), "comparator": None} for text in repetitions], []
    return [nothing], [Mark.VALUE_NOT_TEXT]


def _structured_number(obx: Segment, repetition: str) -> dict[str, Any]:
    """SN: comparator, number, separator, number. A ratio, a range or a `+` stays a text for the reader."""
    comparator, first, separator, second = (obx.component(repetition, n) for n in (1, 2, 3, 4))
    if comparator in _COMPARATORS and not separator and not second:
        return {"value": first, "comparator": comparator}
    plain = "" if comparator == "=" else comparator
    return {"value": f"{plain}{first}{separator}{second}", "comparator": None}


def _coded_answer(obx: Segment, repetition: str) -> str | None:
    """The text of a coded answer; for a SNOMED CT code without text, its word."""
    given = codings(obx, repetition)
    for coding in given:
        if coding.text:
            return coding.text
    snomed = next((c.code for c in given if c.system == SNOMED), None)
    return (
        _ANSWER_CODES.get(snomed or "") or obx.component(repetition, 9) or (given[0].code if given else None)
    )
