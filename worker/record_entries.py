"""Reading alerts for the channels into record systems: with their patients and answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from alerts.addressing import addressees_of
from alerts.channels.record_entry import ANSWERS, Answer, Entries, Entry
from alerts.people import Address
from alerts.states import State, Step
from alerts.tables import ALERT, ALERT_EVENT
from rules.findings import Severity
from worker.database import reading
from worker.tables import PATIENT


def entries_in(engine: Engine) -> Entries:
    """Reads from this database, each time anew."""

    def read(alert_ids: Sequence[int]) -> Mapping[int, Entry]:
        with reading(engine) as connection:
            return read_entries(connection, alert_ids)

    return read


def nothing(_alert_ids: Sequence[int]) -> Mapping[int, Entry]:
    """Reads nothing: for a channel that is made only to see whether its settings are right."""
    return {}


def read_entries(connection: Connection, alert_ids: Sequence[int]) -> Mapping[int, Entry]:
    """The alerts by their ids, in three statements."""
    whose = select(ALERT, PATIENT.c.system, PATIENT.c.ident).join(PATIENT, PATIENT.c.id == ALERT.c.patient_id)
    rows = connection.execute(whose.where(ALERT.c.id.in_(alert_ids))).all()
    to, steps = addressees_of(connection, alert_ids), _steps_of(connection, alert_ids)
    return {row.id: _entry(row, to.get(row.id, []), steps[row.id]) for row in rows}


def _steps_of(connection: Connection, alert_ids: Sequence[int]) -> Mapping[int, list[Row[Any]]]:
    wanted = ALERT_EVENT.c.step.in_([*ANSWERS, Step.AMEND, Step.REOPEN])
    query = select(ALERT_EVENT).where(ALERT_EVENT.c.alert_id.in_(alert_ids), wanted)
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(query.order_by(ALERT_EVENT.c.alert_id, ALERT_EVENT.c.seq)):
        found[row.alert_id].append(row)
    return found


def _entry(row: Row[Any], recipients: Sequence[Address], steps: Sequence[Row[Any]]) -> Entry:
    return Entry(
        alert_id=row.id,
        patient=Address(row.system, row.ident),
        rule=row.rule,
        severity=Severity(row.severity),
        state=State(row.state),
        headline=row.headline,
        text=row.text,
        evidence=tuple(row.evidence),
        actions=tuple(row.actions),
        recipients=tuple(recipients),
        raised_at=row.raised_at,
        updated_at=row.updated_at,
        corrected=any(step.step == Step.AMEND for step in steps),
        answers=tuple(
            Answer(Step(s.step), s.reason, Address(s.actor_system, s.actor_ident), s.at)
            for s in steps
            if s.step in ANSWERS
        ),
    )
