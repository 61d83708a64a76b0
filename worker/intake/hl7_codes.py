"""Coded elements (CE, CWE, CNE) of HL7 v2: which of their two or three codings is the one to go by."""

from __future__ import annotations

from dataclasses import dataclass

from worker.intake.code_systems import system_uri
from worker.intake.hl7_split import Segment

_FIRST_OF_TRIPLET = (1, 4, 10)


@dataclass(frozen=True, slots=True)
class Coding:
    """One code with its text and the FHIR URI of its system; each may be empty."""

    code: str
    text: str
    system: str


def codings(segment: Segment, repetition: str) -> list[Coding]:
    """The codings of a coded element, in the order sent."""
    parts = segment.components(repetition)
    found = []
    for first in _FIRST_OF_TRIPLET:
        if len(parts) < first:
            break
        code, text, system = (*parts[first - 1 : first + 2], "", "")[:3]
        if code or text:
            found.append(Coding(code, text, system_uri(system)))
    return found


def preferred(segment: Segment, repetition: str, *systems: str) -> Coding | None:
    """The coding in the first of `systems` that is there, else the first coding of all."""
    given = codings(segment, repetition)
    for system in systems:
        for coding in given:
            if coding.system == system and coding.code:
                return coding
    return given[0] if given else None
