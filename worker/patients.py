"""Patients and their identifiers: a row for each (system, id), and whose facts those of a merged one are.

What is said of a patient is `worker.statements`; merging is `worker.merging`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from rules.facts import Sex
from worker.database import is_sqlite
from worker.tables import DEMOGRAPHICS, PATIENT

PatientKey = tuple[str, str]


def ensure_patients(connection: Connection, keys: Iterable[PatientKey], now: datetime) -> None:
    """A row for each (system, id) not yet known: provisional, until a message says more."""
    rows = [
        {"system": system, "ident": ident, "version": 0, "sex": Sex.UNKNOWN.value, "created_at": now}
        for system, ident in sorted(keys)
    ]
    if rows:
        dialect = sqlite if is_sqlite(connection) else postgresql
        connection.execute(dialect.insert(PATIENT).on_conflict_do_nothing(), rows)


def rows_of(connection: Connection, keys: Collection[PatientKey]) -> dict[PatientKey, int]:
    """The row of each known (system, id) itself, merged or not."""
    return {key: row for key, (row, _) in _found(connection, keys).items()}


def patient_ids(connection: Connection, keys: Collection[PatientKey]) -> dict[PatientKey, int]:
    """The row of each known (system, id); of a merged one, its survivor's."""
    return {key: root for key, (_, root) in _found(connection, keys).items()}


def members_of(connection: Connection, patients: Sequence[int]) -> Mapping[int, tuple[int, ...]]:
    """Of each patient the rows whose facts are theirs: their own, and those merged into it."""
    found = {patient: [patient] for patient in patients}
    asked = select(PATIENT.c.id, PATIENT.c.survivor_id).where(PATIENT.c.survivor_id.in_(patients))
    for row in connection.execute(asked.order_by(PATIENT.c.id)):
        found[row.survivor_id].append(row.id)
    return {patient: tuple(rows) for patient, rows in found.items()}


def provisional_among(connection: Connection, patients: Collection[int]) -> frozenset[int]:
    """Those of whom one message alone has said who they are, or none: nothing has confirmed the number yet.

    Two identifiers are compared from the second message on; a registration is such a second one.
    """
    root = func.coalesce(PATIENT.c.survivor_id, PATIENT.c.id)
    told = DEMOGRAPHICS.c
    confirmed = (
        select(root)
        .join(DEMOGRAPHICS, told.patient_id == PATIENT.c.id)
        .where(root.in_(patients))
        .group_by(root)
        .having(func.min(told.message_id) < func.max(told.last_message_id))
    )
    return frozenset(patients) - set(connection.execute(confirmed).scalars())


def _found(connection: Connection, keys: Collection[PatientKey]) -> dict[PatientKey, tuple[int, int]]:
    root = func.coalesce(PATIENT.c.survivor_id, PATIENT.c.id).label("root")
    asked = select(PATIENT.c.id, PATIENT.c.system, PATIENT.c.ident, root)
    rows = connection.execute(asked.where(PATIENT.c.ident.in_({ident for _, ident in keys})))
    return {(row.system, row.ident): (row.id, row.root) for row in rows if (row.system, row.ident) in keys}
