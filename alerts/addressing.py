"""To whom an alert was addressed, and why: written down beside whoever it already was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from alerts.people import Address
from alerts.routing import Addressee
from alerts.tables import ADDRESSEE


def address(connection: Connection, alert_id: int, to: Iterable[Addressee], now: datetime) -> None:
    """Write down to whom an alert is addressed beside those it already was."""
    already = addressees(connection, alert_id)
    rows = [
        {"alert_id": alert_id, "system": a.address.system, "ident": a.address.id, "why": a.why, "since": now}
        for a in to
        if a.address not in already
    ]
    if rows:
        connection.execute(insert(ADDRESSEE), rows)


def addressees(connection: Connection, alert_id: int) -> tuple[Address, ...]:
    """Everybody an alert was addressed to, in that order."""
    return tuple(addressees_of(connection, [alert_id]).get(alert_id, ()))


def addressees_of(connection: Connection, alert_ids: Sequence[int]) -> dict[int, list[Address]]:
    """The same for many alerts, in one statement."""
    if not alert_ids:
        return {}
    query = select(ADDRESSEE).where(ADDRESSEE.c.alert_id.in_(alert_ids)).order_by(ADDRESSEE.c.id)
    found: dict[int, list[Address]] = {}
    for row in connection.execute(query):
        found.setdefault(row.alert_id, []).append(Address(row.system, row.ident))
    return found
