"""What an alert expects to arrive: written down when it is raised, closed by the evidence, cancelled with it.

The clock that runs out is not here (it will be a row of its own); this only keeps what is expected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select

from alerts.tables import ALERT, FOLLOW_UP
from rules.findings import FollowUp


class Expectation(StrEnum):
    """How it stands with what is expected."""

    EXPECTED = "expected"
    SATISFIED = "satisfied"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A usable result that has come: what an expectation can be satisfied by."""

    analyte: str
    key: str
    effective_at: datetime


def expect(
    connection: Connection, alert_id: int, patient_id: int, items: Iterable[FollowUp], now: datetime
) -> None:
    """Write down what the rule expects."""
    rows = [
        {
            "alert_id": alert_id,
            "patient_id": patient_id,
            "expect": item.expect,
            "due": item.due,
            "state": Expectation.EXPECTED,
            "created_at": now,
        }
        for item in items
    ]
    if rows:
        connection.execute(insert(FOLLOW_UP), rows)


def arrived(connection: Connection, patient_id: int, arrivals: Iterable[Arrival], now: datetime) -> int:
    """Close what these results satisfy: the same analyte, newer than what the alert rests on. How many."""
    newest = {a.analyte: a for a in sorted(arrivals, key=lambda a: (a.effective_at, a.key))}
    if not newest:
        return 0
    waiting = (
        select(FOLLOW_UP.c.id, FOLLOW_UP.c.expect, ALERT.c.as_of)
        .join(ALERT, ALERT.c.id == FOLLOW_UP.c.alert_id)
        .where(
            FOLLOW_UP.c.patient_id == patient_id,
            FOLLOW_UP.c.state == Expectation.EXPECTED,
            FOLLOW_UP.c.expect.in_(newest),
        )
    )
    satisfied = [r for r in connection.execute(waiting) if newest[r.expect].effective_at > r.as_of]
    for row in satisfied:
        values = {"state": Expectation.SATISFIED, "satisfied_by": newest[row.expect].key, "closed_at": now}
        connection.execute(FOLLOW_UP.update().where(FOLLOW_UP.c.id == row.id).values(**values))
    return len(satisfied)


def cancel(connection: Connection, alert_id: int, reason: str, now: datetime) -> None:
    """Nothing is expected any more: the alert is gone or covered."""
    waiting = (FOLLOW_UP.c.alert_id == alert_id) & (FOLLOW_UP.c.state == Expectation.EXPECTED)
    values = {"state": Expectation.CANCELLED, "reason": reason, "closed_at": now}
    connection.execute(FOLLOW_UP.update().where(waiting).values(**values))
