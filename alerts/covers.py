"""Covers as people look at them: who answers for whom from when to when, and ending one early.

Whom an alert then reaches is `alerts.routing`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from alerts.directory import one_of
from alerts.people import Address
from alerts.tables import COVER


def of(connection: Connection, who: Address, role: str, now: datetime) -> list[Row[Any]]:
    """Covers that have not ended, in which `who` is the "absent" or the "covering" one; the next first."""
    query = select(COVER).where(one_of(COVER, [who], f"{role}_"), COVER.c.ends_at > now)
    return list(connection.execute(query.order_by(COVER.c.starts_at, COVER.c.id)).all())


def end(connection: Connection, cover: int, absent: Address, now: datetime) -> bool:
    """End a cover of `absent` now; one that has not begun never begins. False: there is no such cover."""
    theirs = (COVER.c.id == cover) & one_of(COVER, [absent], "absent_") & (COVER.c.ends_at > now)
    row = connection.execute(select(COVER).where(theirs)).one_or_none()
    if row is None:
        return False
    times = {"ends_at": now, "starts_at": min(row.starts_at, now)}
    connection.execute(COVER.update().where(COVER.c.id == cover).values(**times))
    return True
