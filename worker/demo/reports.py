"""One patient's messages: a report with results, or a list of records, as events.

A `Case` is whom it is about, who ordered and who measured. Nothing here knows a rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from random import Random
from types import MappingProxyType
from typing import Any

from worker.demo.laboratories import Laboratory, Writing
from worker.demo.people import Clinician, Person

Event = dict[str, Any]
Entry = dict[str, Any]
Records = Mapping[str, Sequence[Entry]]
"""Entries by their list's key in an event: medications, conditions, procedures, orders."""

NO_RECORDS: Records = MappingProxyType({})

_WORDS = {"positive": "POS", "negative": "NEG"}


class Wave(IntEnum):
    """What is sent before what: a wave is sent when all of the one before it was judged."""

    MORNING = 0
    AFTERNOON = 1


@dataclass(frozen=True, slots=True)
class Case:
    """A patient on the demo's day; `now` is the end of it, `dice` this patient's own."""

    person: Person
    orderer: Clinician | None
    laboratory: Laboratory
    now: datetime
    dice: Random

    def ago(self, days: float) -> datetime:
        """So many days before the end of the day."""
        return self.now - timedelta(days=days)


@dataclass(frozen=True, slots=True)
class Sending:
    """One message of the day."""

    wave: Wave
    event: Event


@dataclass(frozen=True, slots=True)
class Specimen:
    """A sample taken at `taken_at`; `label` tells it from the patient's others."""

    label: str
    taken_at: datetime


def stamp(moment: datetime) -> str:
    """The moment as events carry it."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def report(
    case: Case,
    specimen: Specimen,
    amounts: Mapping[str, str],
    *,
    status: str = "final",
    message: str = "1",
    wave: Wave = Wave.MORNING,
    delay: timedelta = timedelta(hours=1),
    records: Records = NO_RECORDS,
) -> Sending:
    """A report of one specimen, released after `delay`. `amounts` by test: `"12"`, `">2000"`, `"positive"`"""
    issued = min(specimen.taken_at + delay, case.now)
    results = [_result(case, specimen, test, text, status, issued) for test, text in amounts.items()]
    event = _event(case, "org.ferrule.report.v1", f"{specimen.label}-{message}", issued)
    event["data"] |= {"order_id": f"{case.person.id}-{specimen.label}", "results": results, **records}
    return Sending(wave, event)


def news(case: Case, label: str, at: datetime, records: Records, wave: Wave = Wave.AFTERNOON) -> Sending:
    """Records that come without a report: a drug started, a referral made, a diagnosis coded."""
    event = _event(case, "org.ferrule.record.v1", label, at)
    event["data"] |= records
    return Sending(wave, event)


def _event(case: Case, kind: str, label: str, at: datetime) -> Event:
    data: Event = {"patient": case.person.as_event()}
    if case.orderer is not None:
        data["orderer"] = case.orderer.as_event()
    return {
        "specversion": "1.0",
        "type": kind,
        "source": case.laboratory.source,
        "id": f"{case.person.id}-{label}",
        "time": stamp(at),
        "datacontenttype": "application/json",
        "data": data,
    }


def _result(case: Case, specimen: Specimen, test: str, text: str, status: str, issued: datetime) -> Entry:
    way = case.laboratory.writings[test]
    entry: Entry = {
        "id": f"{case.person.id}-{specimen.label}-{test}",
        "code": way.code,
        "system": way.system,
        "name": way.name,
        "status": status,
        "effective_at": stamp(specimen.taken_at),
        "issued_at": stamp(issued),
    }
    return entry | (_worded(text) if text in _WORDS else _measured(case.laboratory, test, way, text))


def _worded(text: str) -> Entry:
    return {"value": text, "interpretation": _WORDS[text]}


def _measured(laboratory: Laboratory, test: str, way: Writing, text: str) -> Entry:
    sign, number = (text[0], text[1:]) if text[0] in "<>" else ("", text)
    printed = laboratory.write(test, Decimal(number))
    entry: Entry = {"value": sign + printed, "unit": way.unit}
    if sign and not laboratory.inequality_in_value:
        entry |= {"value": printed, "comparator": sign}
    if way.high is not None:
        entry["reference_range"] = {"low": None, "high": way.high, "text": None}
    return entry
