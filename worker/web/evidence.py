"""An alert's evidence in words: values as the laboratory reported them, records, and what was not on record.

Reads the documents kept on the alert (`alerts.snapshot`): what was known when it was raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from alerts.snapshot import evidence_of
from rules.analytes import CATALOGUE
from rules.concepts import CONCEPTS
from rules.findings import AbsentEvidence, RecordEvidence, ResultEvidence
from worker.web import words

Documents = Iterable[Mapping[str, Any]]
SIGNS = {"<=": "≤", ">=": "≥", "=": ""}


@dataclass(frozen=True, slots=True)
class Shown:
    """A result of the evidence as shown: the analyte's name and the value with sign and unit, as reported."""

    key: str
    analyte: str
    name: str
    text: str
    unit: str
    effective_at: datetime


def analyte_name(analyte: str) -> str:
    """The analyte's name for a clinician."""
    known = CATALOGUE.get(analyte)
    return known.display if known else analyte.replace("_", " ")


def value_text(comparator: str, value: str, unit: str) -> str:
    """ "1,450 pg/mL", "< 150 pg/mL", "positive"."""
    sign = SIGNS.get(comparator, comparator)
    return " ".join(part for part in (sign, words.number(value), unit_text(unit)) if part)


def unit_text(unit: str) -> str:
    """A UCUM unit as it is printed on a report: "10*9/L" as "×10⁹/L", "ug" as "µg"."""
    printed = {"10*9/L": "×10⁹/L", "10*12/L": "×10¹²/L", "10*3/uL": "×10³/µL", "10*6/uL": "×10⁶/µL"}.get(unit)
    return printed or unit.replace("[IU]", "IU").replace("{1.73_m2}", "1.73 m²")


def results_in(documents: Documents) -> list[Shown]:
    """The results among the evidence, in its order."""
    found = (evidence_of(dict(document)) for document in documents)
    return [
        Shown(
            e.key,
            e.analyte,
            analyte_name(e.analyte),
            value_text(e.comparator, e.value, e.unit),
            e.unit,
            e.effective_at,
        )
        for e in found
        if isinstance(e, ResultEvidence)
    ]


def on_record_in(documents: Documents, now: datetime, zone: ZoneInfo) -> list[str]:
    """The records among the evidence: "On record: Celiac disease, since 1 May 2019"."""
    lines = []
    for document in documents:
        e = evidence_of(dict(document))
        if isinstance(e, RecordEvidence):
            since = f", since {words.day(e.start, now, zone)}" if e.start else ""
            lines.append(f"On record: {e.name or concept_words(e.concept)}{since}")
    return list(dict.fromkeys(lines))


def absent_in(documents: Documents, as_of: datetime) -> list[str]:
    """What was not on record, said as plainly as what was, with how far back was looked.

    A concept with two look-backs is a medication that counts longer when injected (clinical.md 3.1).
    """
    looked: dict[str, set[datetime | None]] = {}
    for document in documents:
        e = evidence_of(dict(document))
        if isinstance(e, AbsentEvidence):
            looked.setdefault(e.absent, set()).add(e.since)
    by_reach: dict[str, list[str]] = {}
    for name, sinces in looked.items():
        by_reach.setdefault(_reach(sinces, as_of), []).append(words.in_sentence(concept_words(name)))
    return [f"Not on record {reach}: {'; '.join(dict.fromkeys(names))}" for reach, names in by_reach.items()]


def _reach(sinces: set[datetime | None], as_of: datetime) -> str:
    spans = sorted((as_of - since).days for since in sinces if since is not None)
    if not spans:
        return "at any time"
    longer = f" ({words.span(spans[-1])} for injections)" if spans[-1] > spans[0] else ""
    return f"in the last {words.span(spans[0])}{longer}"


def concept_words(name: str) -> str:
    """A concept's or analyte's name in words."""
    known = CATALOGUE.get(name) or CONCEPTS.get(name)
    return known.display if known else name.replace("_", " ").replace("b12", "B12")
