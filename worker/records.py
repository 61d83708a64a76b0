"""A patient's history, from the rows that keep it: every version of every fact, for many patients at once.

Decimals are read from text, exactly as they were received. What a fact means is not decided here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from alerts.people import Orderer
from rules.facts import (
    Coded,
    Comparator,
    History,
    Patient,
    PregnancyStatement,
    Quantity,
    Record,
    RecordKind,
    Result,
    Sex,
    Status,
    Unusable,
)
from worker.tables import PATIENT, PREGNANCY_STATEMENT, RECORD, RESULT

SLICE = 500
"""Patients in one IN-list."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is kept of one patient: the row's id and fence, the history, who ordered each result.

    `versions` are the hashes of the kept facts (`worker.keeping`), by which an exact repeat is known.
    """

    id: int
    version: int
    history: History
    name: str | None = None
    told_at: datetime | None = None
    judged_as_of: datetime | None = None
    orderers: Mapping[str, Orderer] = field(default_factory=dict)
    versions: frozenset[str] = frozenset()


def load(connection: Connection, patients: Sequence[int]) -> dict[int, Stored]:
    """Everything kept of `patients`, in four statements."""
    found: dict[int, Stored] = {}
    for start in range(0, len(patients), SLICE):
        found |= _load_slice(connection, patients[start : start + SLICE])
    return found


def _load_slice(connection: Connection, patients: Sequence[int]) -> dict[int, Stored]:
    results = _by_patient(connection, RESULT, patients)
    records = _by_patient(connection, RECORD, patients)
    pregnancy = _by_patient(connection, PREGNANCY_STATEMENT, patients)
    rows = connection.execute(select(PATIENT).where(PATIENT.c.id.in_(patients)))
    return {row.id: _stored(row, results[row.id], records[row.id], pregnancy[row.id]) for row in rows}


def _by_patient(connection: Connection, table: Table, patients: Sequence[int]) -> dict[int, list[Row[Any]]]:
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    rows = connection.execute(select(table).where(table.c.patient_id.in_(patients)).order_by(table.c.id))
    for row in rows:
        grouped[row.patient_id].append(row)
    return grouped


def _stored(
    row: Row[Any], results: Iterable[Row[Any]], records: Iterable[Row[Any]], pregnancy: Iterable[Row[Any]]
) -> Stored:
    results, records, pregnancy = list(results), list(records), list(pregnancy)
    history = History(
        patient=_patient(row),
        results=tuple(_result(result) for result in results),
        records=tuple(_record(record) for record in records),
        pregnancy=tuple(_pregnancy(said) for said in pregnancy),
    )
    return Stored(
        id=row.id,
        version=row.version,
        history=history,
        name=row.name,
        told_at=row.told_at,
        judged_as_of=row.judged_as_of,
        orderers=_orderers(results),
        versions=frozenset(fact.version for fact in (*results, *records, *pregnancy)),
    )


def _patient(row: Row[Any]) -> Patient:
    born: date | None = row.birth_date
    return Patient(row.system, row.ident, born, Sex(row.sex), row.deceased_at)


def _result(row: Row[Any]) -> Result:
    return Result(
        key=f"{row.source}|{row.result_id}",
        id=row.result_id,
        source=row.source,
        analyte=row.analyte,
        status=Status(row.status),
        effective_at=row.effective_at,
        issued_at=row.issued_at,
        known_at=row.known_at,
        arrival=row.message_id,
        quantity=_quantity(row),
        coded=Coded(row.coded) if row.coded else None,
        range_low=_decimal(row.range_low),
        range_high=_decimal(row.range_high),
        notes=tuple(row.notes),
        problem=Unusable(row.problem) if row.problem else None,
        detail=row.detail,
        reported_value=row.reported_value,
        reported_unit=row.reported_unit,
    )


def _quantity(row: Row[Any]) -> Quantity | None:
    if row.value is None:
        return None
    return Quantity(
        Decimal(row.value), Comparator(row.comparator), row.unit, row.dimension, Decimal(row.base)
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _record(row: Row[Any]) -> Record:
    return Record(
        key=row.record_key,
        kind=RecordKind(row.kind),
        system=row.system,
        code=row.code,
        name=row.name,
        status=row.status,
        start=row.start,
        end=row.end,
        known_at=row.known_at,
        arrival=row.message_id,
        route=row.route,
        start_last=row.start_last,
        said_at=row.said_at,
    )


def _pregnancy(row: Row[Any]) -> PregnancyStatement:
    return PregnancyStatement(row.pregnant, row.weeks, row.effective_at, row.known_at, row.message_id)


def _orderers(results: Iterable[Row[Any]]) -> dict[str, Orderer]:
    """Result key → who ordered it; of several versions the one that came last says."""
    found: dict[str, Orderer] = {}
    for row in sorted(results, key=lambda row: (row.message_id, row.id)):
        if row.orderer_system and row.orderer_id:
            key = f"{row.source}|{row.result_id}"
            found[key] = Orderer(row.orderer_system, row.orderer_id, row.orderer_name or "")
    return found
