"""One FHIR Observation as the results of an event: its value, its components, its limits and its times.

What the value means is not asked here. Codes are taken as sent, LOINC before others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rules.analytes import analyte_by_loinc
from worker.intake.answer_codes import answer_word
from worker.intake.code_systems import LOINC, system_uri
from worker.intake.fhir_datatypes import CodeableConcept, Coding, Period, Quantity, Timing
from worker.intake.fhir_identity import identity_of
from worker.intake.fhir_resources import (
    DiagnosticReport,
    Measured,
    Observation,
    ReferenceRange,
    Specimen,
)
from worker.intake.flags import most_telling
from worker.intake.marks import Mark

UCUM = "http://unitsofmeasure.org"
_TELLING = ("POS", "NEG", "IND", "E", "DET", "ND", "RR", "NR", "WR")
_NORMAL = frozenset({"normal", "recommended"})
# HL7 tables 0490 (reject reason) and 0493 (condition), as FHIR spells them.
_CONDITIONS = {
    "HEM": "hemolyzed", "RH": "hemolyzed", "CLOT": "clotted", "RC": "clotted",
    "CON": "contaminated", "RN": "contaminated", "QS": "insufficient", "CFU": "centrifuged",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around an Observation; `taken_back` is the status of a report that is void."""

    fallback_id: str
    report: DiagnosticReport | None = None
    specimen: Specimen | None = None
    sent_at: str | None = None
    taken_back: str | None = None


def result_parts(observation: Observation, around: Around) -> list[dict[str, Any]]:
    """The results of one Observation: its own value, and one for each component."""
    effective_at, marks = _effective(observation, around)
    common = {
        "status": around.taken_back or observation.status,
        "effective_at": effective_at,
        "issued_at": observation.issued or (around.report.issued if around.report else None),
        "method": concept_text(observation.method),
        "specimen_notes": _notes(observation, around.specimen),
    }
    identity = identity_of(observation, around.fallback_id, code_key(observation.code))
    parts = [] if _is_panel(observation) else [common | _measured(observation, identity, marks)]
    seen: set[str] = set()
    for component in observation.component:
        own = f"{identity}/{code_key(component.code)}"
        while own in seen:
            own += "~"
        seen.add(own)
        parts.append(common | _measured(component, own, marks))
    return parts


def code_key(code: CodeableConcept | None) -> str:
    """The code by which one resource is told from another of the same identifier."""
    coding = preferred(code, LOINC)
    return (coding.code or coding.display or "") if coding else ((code.text or "") if code else "")


def preferred(concept: CodeableConcept | None, *systems: str) -> Coding | None:
    """The coding in the first of `systems` that is there, else the first coding with a code."""
    given = [coding for coding in concept.coding if coding.code] if concept else []
    for system in systems:
        for coding in given:
            if system_uri(coding.system) == system:
                return coding
    return next(iter(given), None)


def concept_text(concept: CodeableConcept | None) -> str | None:
    """A concept in words: its text, else a display, else a code."""
    if concept is None:
        return None
    displays = (coding.display or coding.code for coding in concept.coding)
    return concept.text or next((text for text in displays if text), None)


def period_start(period: Period | None) -> str | None:
    """The start of a period; its end when it has no start."""
    return (period.start or period.end) if period else None


def _is_panel(observation: Observation) -> bool:
    """Whether it holds others and says nothing itself."""
    holds = observation.component or observation.has_member
    return bool(holds) and not observation.has_value and observation.data_absent_reason is None


def _measured(measured: Measured, identity: str, marks: Sequence[Mark]) -> dict[str, Any]:
    value = _value(measured)
    return value | {
        "id": identity,
        **_code(measured.code),
        "reference_range": _limits(measured),
        "interpretation": _interpretation(measured.interpretation),
        "marks": [*marks, *value["marks"]],
    }


def _code(concept: CodeableConcept) -> dict[str, Any]:
    """The LOINC coding we know, else the first LOINC coding, else the first. Two that disagree are none."""
    loinc = [coding for coding in concept.coding if coding.code and system_uri(coding.system) == LOINC]
    known: dict[str, Coding] = {}
    for coding in loinc:
        if found := analyte_by_loinc(coding.code or ""):
            known.setdefault(found[0].name, coding)
    name = concept.text or next((coding.display for coding in concept.coding if coding.display), None)
    chosen = next(iter(known.values()), None) or preferred(concept, LOINC)
    if chosen is None or len(known) > 1:
        return {"code": None, "system": None, "name": name}
    return {"code": chosen.code, "system": chosen.system, "name": chosen.display or name}


def _value(measured: Measured) -> dict[str, Any]:
    """value, comparator, unit and marks of whichever value[x] was sent."""
    none: dict[str, Any] = {"value": None, "comparator": None, "unit": None, "marks": []}
    if measured.value_quantity is not None:
        quantity = measured.value_quantity
        return none | {
            "value": quantity.value,
            "comparator": quantity.comparator,
            "unit": unit_of(quantity),
        }
    if measured.value_codeable_concept is not None:
        return none | {"value": _answer(measured.value_codeable_concept)}
    if measured.value_boolean is not None:
        return none | {"value": "true" if measured.value_boolean else "false"}
    text = measured.value_string or measured.value_integer
    if text is not None:
        return none | {"value": text}
    if measured.value_range is not None:
        low, high = measured.value_range.low, measured.value_range.high
        return none | {"value": f"{_amount(low)}-{_amount(high)}", "unit": unit_of(low or high)}
    if measured.value_ratio is not None:
        ratio = measured.value_ratio
        return none | {"value": f"{_amount(ratio.numerator)}:{_amount(ratio.denominator)}"}
    return none | {"marks": [Mark.VALUE_NOT_TEXT] if measured.has_value else []}


def unit_of(quantity: Quantity | None) -> str | None:
    """The UCUM code, else the unit as printed, else whatever code there is."""
    if quantity is None:
        return None
    if quantity.code and system_uri(quantity.system) == UCUM:
        return quantity.code
    return quantity.unit or quantity.code


def _amount(quantity: Quantity | None) -> str:
    return f"{quantity.comparator or ''}{quantity.value or ''}" if quantity else ""


def _answer(concept: CodeableConcept) -> str | None:
    """The word of a known answer, else the answer as printed."""
    for coding in concept.coding:
        if word := answer_word(system_uri(coding.system), coding.code or ""):
            return word
    return concept_text(concept)


def _interpretation(concepts: Sequence[CodeableConcept]) -> str | None:
    """The most telling flag: a qualitative answer, then a critical flag, before plain high or low."""
    flags = [coding.code for concept in concepts for coding in concept.coding if coding.code]
    flags += [concept.text for concept in concepts if not concept.coding and concept.text]
    return most_telling(flags, _TELLING)


def _limits(measured: Measured) -> dict[str, Any] | None:
    """The range that holds for everyone. Several that hold for some people only are none."""
    normal = [one for one in measured.reference_range if _is_normal(one)]
    plain = [one for one in normal if not one.applies_to and one.age is None] or normal
    if len(plain) != 1:
        return None
    low, high = plain[0].low, plain[0].high
    if low is None and high is None:
        return {"text": plain[0].text} if plain[0].text else None
    own = unit_of(measured.value_quantity)
    if any(side and unit_of(side) not in (None, own) for side in (low, high)):
        return {"text": f"{_amount(low)} - {_amount(high)} {unit_of(low or high)}"}
    return {"low": low.value if low else None, "high": high.value if high else None}


def _is_normal(one: ReferenceRange) -> bool:
    codes = {coding.code for coding in one.type.coding} if one.type else set()
    return not codes or bool(codes & _NORMAL)


def _effective(observation: Observation, around: Around) -> tuple[str | None, list[Mark]]:
    """Its own time, else its specimen's or report's, else the message's, else that of receipt."""
    timing: Timing | None = observation.effective_timing
    own = (
        observation.effective_date_time
        or observation.effective_instant
        or period_start(observation.effective_period)
        or (next(iter(timing.event), None) if timing else None)
    )
    if own:
        return own, []
    if ordered := _collected(around.specimen) or _reported(around.report):
        return ordered, [Mark.TIME_FROM_ORDER]
    if around.sent_at:
        return around.sent_at, [Mark.TIME_FROM_MESSAGE]
    return None, [Mark.TIME_FROM_RECEIPT]


def _collected(specimen: Specimen | None) -> str | None:
    taken = specimen.collection if specimen else None
    return (taken.collected_date_time or period_start(taken.collected_period)) if taken else None


def _reported(report: DiagnosticReport | None) -> str | None:
    return (report.effective_date_time or period_start(report.effective_period)) if report else None


def _notes(observation: Observation, specimen: Specimen | None) -> list[str]:
    notes = [note.text for note in observation.note]
    if specimen is None:
        return notes
    for condition in specimen.condition:
        word = next((_CONDITIONS.get(coding.code or "") for coding in condition.coding), None)
        notes += [text for text in (word or concept_text(condition),) if text]
    if specimen.status == "unsatisfactory":
        notes.append("specimen unsatisfactory")
    return notes + [note.text for note in specimen.note]
