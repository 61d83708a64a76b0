"""What an alert expects to arrive: written down when it is raised, closed by the evidence, cancelled with it.

Each expectation has a clock (`alerts.timers`); what happens when it runs out is `alerts.due`. When
everything has arrived that an answered alert waited for, the alert closes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select

from alerts import timers
from alerts.people import ferrule
from alerts.reconcile import ANSWERED
from alerts.states import TAKEN_ON, State, Step, Taken
from alerts.steps import Cause, Standing, take
from alerts.tables import ALERT, FOLLOW_UP
from rules.findings import FollowUp

WATCHER = ferrule("follow-up")
NOT_AGREED = "not-agreed"


class Expectation(StrEnum):
    """How it stands with what is expected."""

    EXPECTED = "expected"
    SATISFIED = "satisfied"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A usable result or a record that has come: what an expectation can be satisfied by.

    `name` is the analyte of a result, or the concept that a record belongs to.
    """

    name: str
    key: str
    effective_at: datetime


def expect(
    connection: Connection, alert_id: int, patient_id: int, items: Iterable[FollowUp], now: datetime
) -> None:
    """Write down what the rule expects, each with its clock."""
    rests_on = connection.execute(select(ALERT.c.as_of).where(ALERT.c.id == alert_id)).scalar_one()
    rows = [
        {
            "alert_id": alert_id,
            "patient_id": patient_id,
            "expect": item.expect,
            "due": item.due,
            "state": Expectation.EXPECTED,
            "newer_than": rests_on,
            "created_at": now,
        }
        for item in items
    ]
    if rows:
        connection.execute(insert(FOLLOW_UP), rows)
        timers.watch(connection, alert_id, _waiting(connection, alert_id), now)


def agree(connection: Connection, alert_id: int, agreed: Collection[str], now: datetime) -> tuple[str, ...]:
    """Keep only what was agreed on, and say what is now waited for."""
    left = [row.id for row in _waiting(connection, alert_id) if row.expect not in agreed]
    _end(connection, FOLLOW_UP.c.id.in_(left), NOT_AGREED, now)
    timers.unwatch(connection, left, NOT_AGREED, now)
    return expected(connection, alert_id)


def expected(connection: Connection, alert_id: int) -> tuple[str, ...]:
    """What is still expected, each name once."""
    return tuple(dict.fromkeys(row.expect for row in _waiting(connection, alert_id)))


def arrived(connection: Connection, patient_id: int, arrivals: Iterable[Arrival], now: datetime) -> int:
    """Close what these satisfy: of the same name, newer than what the alert rested on when it expected them.
    How many.
    """
    newest = {a.name: a for a in sorted(arrivals, key=lambda a: (a.effective_at, a.key))}
    if not newest:
        return 0
    waiting = select(FOLLOW_UP).where(
        FOLLOW_UP.c.patient_id == patient_id,
        FOLLOW_UP.c.state == Expectation.EXPECTED,
        FOLLOW_UP.c.expect.in_(newest),
    )
    found = [r for r in connection.execute(waiting).all() if newest[r.expect].effective_at > r.newer_than]
    satisfied = [row for row in found if _satisfy(connection, row.id, newest[row.expect], now)]
    timers.unwatch(connection, [row.id for row in satisfied], Expectation.SATISFIED, now)
    for alert_id in sorted({row.alert_id for row in satisfied}):
        _close_if_answered(connection, alert_id, now)
    return len(satisfied)


def cancel(connection: Connection, alert_id: int, reason: str, now: datetime) -> None:
    """Nothing is expected any more: the alert is gone or covered."""
    _end(connection, FOLLOW_UP.c.alert_id == alert_id, reason, now)


def revive(connection: Connection, alert_id: int, now: datetime) -> None:
    """The alert is open again: what an answer had cancelled is expected again."""
    cancelled = (FOLLOW_UP.c.alert_id == alert_id) & (FOLLOW_UP.c.state == Expectation.CANCELLED)
    agreed = cancelled & (FOLLOW_UP.c.reason != NOT_AGREED)
    again = {"state": Expectation.EXPECTED, "reason": None, "closed_at": None}
    connection.execute(FOLLOW_UP.update().where(agreed).values(**again))
    timers.watch(connection, alert_id, _waiting(connection, alert_id), now)


def _waiting(connection: Connection, alert_id: int) -> list[Row[Any]]:
    waiting = (FOLLOW_UP.c.alert_id == alert_id) & (FOLLOW_UP.c.state == Expectation.EXPECTED)
    return list(connection.execute(select(FOLLOW_UP).where(waiting).order_by(FOLLOW_UP.c.id)).all())


def _satisfy(connection: Connection, row_id: int, by: Arrival, now: datetime) -> bool:
    """False: an answer cancelled it meanwhile."""
    still = (FOLLOW_UP.c.id == row_id) & (FOLLOW_UP.c.state == Expectation.EXPECTED)
    values = {"state": Expectation.SATISFIED, "satisfied_by": by.key, "closed_at": now}
    return connection.execute(FOLLOW_UP.update().where(still).values(**values)).rowcount == 1


def _end(connection: Connection, which: ColumnElement[bool], reason: str, now: datetime) -> None:
    waiting = which & (FOLLOW_UP.c.state == Expectation.EXPECTED)
    values = {"state": Expectation.CANCELLED, "reason": reason, "closed_at": now}
    connection.execute(FOLLOW_UP.update().where(waiting).values(**values))


def _close_if_answered(connection: Connection, alert_id: int, now: datetime) -> Taken | None:
    """A clinician took it on, and what they waited for is all there.

    The pattern still holds (what ends it closes the alert by itself), so this counts as their answer: the
    quiet period begins, and a worse value ends it.
    """
    alert = connection.execute(select(ALERT).where(ALERT.c.id == alert_id).with_for_update()).one()
    if alert.state not in TAKEN_ON or expected(connection, alert_id):
        return None
    standing = Standing(alert.id, alert.patient_id, State(alert.state), alert.version)
    return take(connection, standing, Step.CLOSE, Cause(WATCHER, now, ANSWERED, {"because": "all-arrived"}))
