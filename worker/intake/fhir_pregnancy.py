"""Observations that say whether a patient is pregnant, and for how many weeks."""

from __future__ import annotations

from dataclasses import dataclass

from rules.facts import Status
from worker.intake.code_systems import LOINC, SNOMED, system_uri
from worker.intake.fhir_datatypes import CodeableConcept, Quantity
from worker.intake.fhir_observation import period_start, unit_of
from worker.intake.fhir_resources import Observation

STATUS = "82810-3"
AGES = frozenset({"18185-9", "11884-4", "11885-1", "49051-6"})
_ANSWERS = {
    (SNOMED, "77386006"): True, (SNOMED, "60001007"): False,
    (LOINC, "LA15173-0"): True, (LOINC, "LA26683-5"): False,
}  # fmt: skip
_SAID = frozenset({Status.FINAL.value, Status.AMENDED.value, Status.CORRECTED.value})
DAYS_PER_WEEK = 7


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of a pregnancy, and of when."""

    pregnant: bool
    weeks: str | None
    at: str | None


def pregnancy_said(observation: Observation) -> Said | None:
    """What an Observation says of a pregnancy; None when it is about something else, or says nothing sure."""
    codes = {coding.code for coding in observation.code.coding if system_uri(coding.system) == LOINC}
    at = observation.effective_date_time or period_start(observation.effective_period) or observation.issued
    if observation.status not in _SAID:
        return None
    if STATUS in codes:
        answer = _answer(observation.value_codeable_concept)
        return None if answer is None else Said(answer, None, at)
    if codes & AGES and (weeks := _weeks(observation.value_quantity)):
        return Said(True, weeks, at)
    return None


def _answer(concept: CodeableConcept | None) -> bool | None:
    for coding in concept.coding if concept else ():
        known = _ANSWERS.get((system_uri(coding.system), coding.code or ""))
        if known is not None:
            return known
    return None


def _weeks(quantity: Quantity | None) -> str | None:
    """Completed weeks."""
    number = (quantity.value or "").partition(".")[0] if quantity else ""
    if not number.isdigit() or len(number) > 3:
        return None
    return {"wk": number, "weeks": number, "d": str(int(number) // DAYS_PER_WEEK)}.get(
        unit_of(quantity) or ""
    )
