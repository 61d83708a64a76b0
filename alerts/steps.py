"""Taking one step of one alert: row, event, audit record and timers change together or not at all.

Which step is taken and why, the callers decide (`alerts.store` for judgings, `alerts.answers` for people,
`alerts.outbox` for telling); whether it is possible, the table of `alerts.states`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert

from alerts import audit, record_systems, timers
from alerts.escalation import ASKS, STOPS
from alerts.people import Actor
from alerts.states import ENDED, State, Step, Taken, after
from alerts.tables import ALERT, ALERT_EVENT
from rules.findings import Severity


class Conflict(Exception):
    """Raised when the alert is not what the caller saw. Roll back, look again, decide again."""

    def __init__(self, alert_id: int, etag: int | None) -> None:
        super().__init__(f"alert {alert_id} has changed meanwhile")
        self.alert_id = alert_id
        self.etag = etag


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert as the caller saw it: what a step starts from."""

    id: int
    patient_id: int
    state: State
    version: int


@dataclass(frozen=True, slots=True)
class Cause:
    """Who takes the step, when and why; `data` is what it brings (evidence before and after, a comment)."""

    by: Actor
    at: datetime
    reason: str
    data: Mapping[str, Any]


def take(
    connection: Connection,
    alert: Standing,
    step: Step,
    cause: Cause,
    changes: Mapping[str, Any] | None = None,
) -> Taken:
    """Take `step`. Raises NotAllowed when the state has no such step, Conflict when the alert moved on."""
    to = after(alert.state, step)
    version = alert.version + 1
    values = {
        "state": to,
        "reason": cause.reason,
        "version": version,
        "updated_at": cause.at,
        **(changes or {}),
    }
    if to in ENDED and to is not alert.state:
        values["closed_at"] = cause.at
    if step in ASKS or step in STOPS:
        values["call_list_since"] = None
    seen = (ALERT.c.id == alert.id) & (ALERT.c.version == alert.version)
    changed = ALERT.update().where(seen).values(**values).returning(ALERT.c.severity, ALERT.c.policy_id)
    row = connection.execute(changed).one_or_none()
    if row is None:
        raise Conflict(alert.id, None)
    timers.after_step(connection, alert.id, step, Severity(row.severity), row.policy_id, cause.at)
    event = _event(connection, alert.id, version, step, (alert.state, to), cause)
    audit.record(connection, [_entry(alert.patient_id, event, cause)])
    taken = Taken(alert.id, event.id, step, version)
    record_systems.follow(connection, alert.patient_id, taken)
    return taken


def start(connection: Connection, row: Mapping[str, Any], cause: Cause, step: Step = Step.RAISE) -> Taken:
    """A new alert, raised or held: `row` is all that is kept of it but its state."""
    state = after(None, step)
    policy_id = timers.in_force(connection)
    values = {
        **row,
        "policy_id": policy_id,
        "answer_by": timers.answer_by(connection, policy_id, Severity(row["severity"]), cause.at),
        "state": state,
        "reason": cause.reason,
        "raised_at": cause.at,
        "updated_at": cause.at,
    }
    alert_id = connection.execute(insert(ALERT).values(**values).returning(ALERT.c.id)).scalar_one()
    timers.after_step(connection, alert_id, step, Severity(row["severity"]), policy_id, cause.at)
    event = _event(connection, alert_id, 1, step, (None, state), cause)
    audit.record(connection, [_entry(row["patient_id"], event, cause)])
    return Taken(alert_id, event.id, step, 1)


def _event(
    connection: Connection,
    alert_id: int,
    seq: int,
    step: Step,
    way: tuple[State | None, State],
    cause: Cause,
) -> Row[Any]:
    values = {
        "alert_id": alert_id,
        "seq": seq,
        "step": step,
        "from_state": way[0],
        "to_state": way[1],
        "reason": cause.reason,
        "actor_system": cause.by.system,
        "actor_ident": cause.by.id,
        "at": cause.at,
        "data": dict(cause.data),
    }
    return connection.execute(insert(ALERT_EVENT).values(**values).returning(*ALERT_EVENT.c)).one()


def _entry(patient_id: int, event: Row[Any], cause: Cause) -> audit.Entry:
    return audit.Entry(
        action=f"alert.{event.step}",
        by=cause.by,
        object_kind="alert",
        object_id=str(event.alert_id),
        at=cause.at,
        patient_id=patient_id,
        data={"from": event.from_state, "to": event.to_state, "reason": event.reason},
        event_id=event.id,
        event_digest=audit.event_digest(event),
    )
