"""Alerts of patients that have become one, or two again: to whom each belongs, and one open for each rule.

An alert keeps the identifier it was raised for (`filed_under`), by which it goes back when a merge is undone.
Whether its pattern still holds, the next judging says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from alerts import follow_up
from alerts.addressing import address
from alerts.people import Address, ferrule
from alerts.routing import Addressee, Why
from alerts.states import State, Step
from alerts.steps import Cause, Standing, take
from alerts.tables import ADDRESSEE, ALERT, FOLLOW_UP

MERGER = ferrule("merge")
MERGED = "merged"


def rehome(connection: Connection, moved: Mapping[int, int], now: datetime) -> None:
    """Give the alerts filed under each patient of `moved` to the patient they are now.

    Must run in a writing transaction that holds those patients.
    """
    homes = set(moved.values())
    concerned = ALERT.c.filed_under.in_(list(moved)) | ALERT.c.patient_id.in_(homes)
    rows = connection.execute(select(ALERT).where(concerned).order_by(ALERT.c.id).with_for_update()).all()
    if not any(row.filed_under in moved for row in rows):
        return
    by_rule: dict[tuple[int, str], list[Row[Any]]] = defaultdict(list)
    for row in rows:
        by_rule[moved.get(row.filed_under, row.patient_id), row.rule].append(row)
    for (home, _), alerts in sorted(by_rule.items()):
        kept = _one_open(connection, home, alerts, now)
        _give(connection, home, alerts, kept)


def _one_open(connection: Connection, home: int, alerts: Sequence[Row[Any]], now: datetime) -> int | None:
    """Of several open episodes of one rule one is kept, and takes over whom the others were addressed to."""
    unended = [row for row in alerts if row.closed_at is None]
    if not unended:
        return None
    kept, *others = sorted(
        unended, key=lambda row: (row.state == State.HELD, row.filed_under != home, row.id)
    )
    for row in others:
        standing = Standing(row.id, row.patient_id, State(row.state), row.version)
        take(connection, standing, Step.CLOSE, Cause(MERGER, now, MERGED, {"merged_into": kept.id}))
        follow_up.cancel(connection, row.id, MERGED, now)
        if kept.state != State.HELD:
            address(connection, kept.id, _addressees(connection, row.id), now)
    return int(kept.id)


def _addressees(connection: Connection, alert_id: int) -> list[Addressee]:
    rows = connection.execute(select(ADDRESSEE).where(ADDRESSEE.c.alert_id == alert_id))
    return [Addressee(Address(row.system, row.ident), Why.JOINED) for row in rows]


def _give(connection: Connection, home: int, alerts: Sequence[Row[Any]], kept: int | None) -> None:
    """The episodes of one rule are numbered anew: the open one is the newest, then by when they ended."""
    if all(row.patient_id == home for row in alerts):
        return
    in_order = sorted(alerts, key=lambda row: (row.id == kept, row.closed_at or row.raised_at, row.id))
    for row in alerts:
        connection.execute(
            ALERT.update().where(ALERT.c.id == row.id).values(patient_id=home, episode=-row.id)
        )
    for number, row in enumerate(in_order, start=1):
        connection.execute(ALERT.update().where(ALERT.c.id == row.id).values(episode=number))
    ids = [row.id for row in alerts]
    connection.execute(FOLLOW_UP.update().where(FOLLOW_UP.c.alert_id.in_(ids)).values(patient_id=home))
