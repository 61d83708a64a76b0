"""Keeping timers and the policies they were planned by: started and stopped in the transaction of a step.

Which ones, `alerts.escalation` says; claiming them when they are due is `alerts.due`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from alerts import escalation
from alerts.escalation import (
    ASKS,
    LADDER,
    OF_ANSWER,
    STOPS,
    Planned,
    Timer,
    ladder,
    lapse,
    overdue,
)
from alerts.leases import PENDING
from alerts.policy import EscalationPolicy, deadline, policy_of
from alerts.states import Step
from alerts.tables import ALERT, ESCALATION_POLICY, FOLLOW_UP, TIMER
from rules.findings import Severity

CANCELLED = "cancelled"
BUILT_IN = EscalationPolicy()


def put_in_force(connection: Connection, policy: EscalationPolicy, now: datetime) -> None:
    """New alerts are planned by this policy from now on; those there are keep theirs."""
    newest = select(ESCALATION_POLICY).order_by(ESCALATION_POLICY.c.id.desc()).limit(1)
    last = connection.execute(newest).one_or_none()
    if policy.fingerprint == (last.fingerprint if last else BUILT_IN.fingerprint):
        return
    row = {"fingerprint": policy.fingerprint, "document": json.dumps(policy.document), "since": now}
    connection.execute(ESCALATION_POLICY.insert().values(**row))


def in_force(connection: Connection) -> int | None:
    """The row of the policy that new alerts are planned by; None for the built-in one."""
    return connection.execute(select(func.max(ESCALATION_POLICY.c.id))).scalar()


def policy(connection: Connection, policy_id: int | None) -> EscalationPolicy:
    """The policy of a row."""
    if policy_id is None:
        return BUILT_IN
    kept = select(ESCALATION_POLICY.c.document).where(ESCALATION_POLICY.c.id == policy_id)
    return policy_of(connection.execute(kept).scalar_one())


def answer_by(
    connection: Connection, policy_id: int | None, severity: Severity, at: datetime
) -> datetime | None:
    """By when an alert that asks since `at` wants its answer; None for low."""
    return deadline(policy(connection, policy_id), severity, at)


def after_step(
    connection: Connection, alert_id: int, step: Step, severity: Severity, policy_id: int | None, at: datetime
) -> None:
    """Start and stop what a step that was just taken starts and stops."""
    if step in ASKS:
        if step is not Step.RAISE:
            cancel(connection, alert_id, OF_ANSWER, step, at)
            by = {"answer_by": answer_by(connection, policy_id, severity, at)}
            connection.execute(ALERT.update().where(ALERT.c.id == alert_id).values(**by))
        _start(connection, alert_id, ladder(policy(connection, policy_id), severity, at), at)
    elif step in STOPS:
        still_open = step in (Step.ACKNOWLEDGE, Step.SNOOZE)
        cancel(connection, alert_id, OF_ANSWER if still_open else tuple(Timer), step, at)
        if step is Step.ACKNOWLEDGE and not _is_awaited(connection, alert_id):
            _start(connection, alert_id, lapse(policy(connection, policy_id), severity, at), at)


def cancel(connection: Connection, alert_id: int, kinds: Iterable[Timer], reason: str, at: datetime) -> int:
    """Stop what has not happened yet; how many there were."""
    of_kind = (TIMER.c.alert_id == alert_id) & TIMER.c.kind.in_(list(kinds))
    return _cancel(connection, of_kind, reason, at)


def call_again(connection: Connection, alert_id: int, at: datetime) -> None:
    """Somebody read it back: the ladder stops, and they are called again if nothing follows."""
    row = connection.execute(select(ALERT).where(ALERT.c.id == alert_id)).one()
    cancel(connection, alert_id, LADDER, "read-back", at)
    found = escalation.call_again(policy(connection, row.policy_id), Severity(row.severity), at)
    _start(connection, alert_id, found, at)


def at_once(connection: Connection, alert_id: int, kind: Timer, at: datetime) -> None:
    """Something the floor above does about an answer, as soon as the answer is committed."""
    _start(connection, alert_id, [Planned(kind, at)], at)


def watch(connection: Connection, alert_id: int, follow_ups: Iterable[Row[Any]], at: datetime) -> None:
    """A clock for each of these things that an alert expects."""
    of_alert = select(ALERT.c.policy_id).where(ALERT.c.id == alert_id)
    found = policy(connection, connection.execute(of_alert).scalar())
    for row in follow_ups:
        _start(connection, alert_id, overdue(found, row.due), at, row.id)


def unwatch(connection: Connection, follow_ups: Collection[int], reason: str, at: datetime) -> None:
    """These have come, or nobody waits for them."""
    if follow_ups:
        _cancel(connection, TIMER.c.follow_up_id.in_(follow_ups), reason, at)


def hurry(connection: Connection, alert_ids: Iterable[int], now: datetime) -> int:
    """Whoever was to hear of these alerts could not be reached: the next in the ladder hears of it now."""
    waiting = (TIMER.c.alert_id.in_(list(alert_ids))) & (TIMER.c.state == PENDING) & (TIMER.c.due_at > now)
    soon = waiting & (TIMER.c.kind == Timer.COVER)
    return connection.execute(TIMER.update().where(soon).values(due_at=now, reason="not-reachable")).rowcount


def _cancel(connection: Connection, which: ColumnElement[bool], reason: str, at: datetime) -> int:
    waiting = which & (TIMER.c.state == PENDING)
    values = {"state": CANCELLED, "reason": reason, "ended_at": at}
    return connection.execute(TIMER.update().where(waiting).values(**values)).rowcount


def _is_awaited(connection: Connection, alert_id: int) -> bool:
    """Whether something is expected: that has a clock of its own."""
    expected = (FOLLOW_UP.c.alert_id == alert_id) & (FOLLOW_UP.c.state == "expected")
    return connection.execute(select(FOLLOW_UP.c.id).where(expected).limit(1)).first() is not None


def _start(
    connection: Connection,
    alert_id: int,
    planned: Iterable[Planned],
    at: datetime,
    follow_up_id: int | None = None,
) -> None:
    rows = [
        {
            "kind": one.kind,
            "alert_id": alert_id,
            "follow_up_id": follow_up_id,
            "state": PENDING,
            "due_at": one.due_at,
            "planned_at": one.due_at,
            "created_at": at,
        }
        for one in planned
    ]
    if rows:
        connection.execute(TIMER.insert(), rows)
