"""A patient's history, from the rows that keep it: every version of every fact, for many patients at once.

Decimals are read from text, exactly as they were received. What a fact means is not decided here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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
from worker.demographics import Demographics
from worker.patients import members_of
from worker.tables import DEMOGRAPHICS, PATIENT, PREGNANCY_STATEMENT, RECORD, RESULT

SLICE = 500
"""Patients in one IN-list."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is kept of one patient: the row's id and fence, the history, who ordered each result.

    `versions` names the kept statements by hash and message, so that the same one is known again;
    `filed_under` holds the rows of all the patient's identifiers, their own first.
    """

    id: int
    version: int
    history: History
    name: str | None = None
    judged_as_of: datetime | None = None
    orderers: Mapping[str, Orderer] = field(default_factory=dict)
    versions: frozenset[tuple[str, int]] = frozenset()
    demographics: tuple[Demographics, ...] = ()
    filed_under: tuple[int, ...] = ()


def load(connection: Connection, patients: Sequence[int]) -> dict[int, Stored]:
    """Everything kept of `patients`, merged identifiers included, in a handful of statements."""
    return load_together(connection, members_of(connection, patients))


def load_together(connection: Connection, families: Mapping[int, Sequence[int]]) -> dict[int, Stored]:
    """Everything kept under the rows of each family, as one patient: the one the family is named by."""
    roots = list(families)
    found: dict[int, Stored] = {}
    for start in range(0, len(roots), SLICE):
        found |= _load_slice(connection, {root: families[root] for root in roots[start : start + SLICE]})
    return found


def _load_slice(connection: Connection, families: Mapping[int, Sequence[int]]) -> dict[int, Stored]:
    root_of = {member: root for root, members in families.items() for member in members}
    kept = {table: _by_patient(connection, table, root_of) for table in _KEPT}
    asked = select(PATIENT).where(PATIENT.c.id.in_(list(root_of)))
    rows = {row.id: row for row in connection.execute(asked)}
    return {
        root: _stored([rows[member] for member in members], *(kept[table][root] for table in _KEPT))
        for root, members in families.items()
        if all(member in rows for member in members)
    }


_KEPT = (RESULT, RECORD, PREGNANCY_STATEMENT, DEMOGRAPHICS)


def _by_patient(
    connection: Connection, table: Table, root_of: Mapping[int, int]
) -> dict[int, list[Row[Any]]]:
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    rows = connection.execute(select(table).where(table.c.patient_id.in_(list(root_of))).order_by(table.c.id))
    for row in rows.all():
        grouped[root_of[row.patient_id]].append(row)
    return grouped


def _stored(
    rows: Sequence[Row[Any]],
    results: Sequence[Row[Any]],
    records: Sequence[Row[Any]],
    pregnancy: Sequence[Row[Any]],
    demographics: Sequence[Row[Any]],
) -> Stored:
    """The patient of the first row, with what is kept under all of them."""
    row = rows[0]
    history = History(
        patient=Patient(row.system, row.ident, row.birth_date, Sex(row.sex), row.deceased_at),
        results=tuple(_result(result) for result in results),
        records=tuple(_record(record) for record in records),
        pregnancy=tuple(_pregnancy(one) for one in pregnancy),
    )
    every = (*results, *records, *pregnancy, *demographics)
    return Stored(
        id=row.id,
        version=row.version,
        history=history,
        name=row.name,
        judged_as_of=max((one.judged_as_of for one in rows if one.judged_as_of), default=None),
        orderers=_orderers(results),
        versions=frozenset((fact.version, fact.message_id) for fact in every),
        demographics=tuple(_demographics(one) for one in demographics),
        filed_under=tuple(one.id for one in rows),
    )


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
        arrival=row.last_message_id,
        quantity=_quantity(row),
        coded=Coded(row.coded) if row.coded else None,
        range_low=_decimal(row.range_low),
        range_high=_decimal(row.range_high),
        notes=tuple(row.notes),
        problem=Unusable(row.problem) if row.problem else None,
        detail=row.detail,
        reported_value=row.reported_value,
        reported_unit=row.reported_unit,
        reading=row.reading,
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
        arrival=row.last_message_id,
        route=row.route,
        start_last=row.start_last,
        said_at=row.last_said_at,
    )


def _pregnancy(row: Row[Any]) -> PregnancyStatement:
    return PregnancyStatement(row.pregnant, row.weeks, row.effective_at, row.known_at, row.last_message_id)


def _demographics(row: Row[Any]) -> Demographics:
    return Demographics(
        said_at=row.last_said_at,
        known_at=row.known_at,
        arrival=row.last_message_id,
        name=row.name,
        family=row.family,
        birth_date=row.birth_date,
        sex=Sex(row.sex) if row.sex else None,
        deceased=row.deceased,
        deceased_at=row.deceased_at,
        location=row.location,
        attending_system=row.attending_system,
        attending_id=row.attending_id,
    )


def _orderers(results: Iterable[Row[Any]]) -> dict[str, Orderer]:
    """Result key → who ordered it; of several versions the one that came last says."""
    found: dict[str, Orderer] = {}
    for row in sorted(results, key=lambda row: (row.message_id, row.id)):
        if row.orderer_system and row.orderer_id:
            key = f"{row.source}|{row.result_id}"
            found[key] = Orderer(row.orderer_system, row.orderer_id, row.orderer_name or "")
    return found
