"""What open alerts expect and has not come by its day. Reads only; who hears of it is `alerts.due`."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, select

from alerts.follow_up import Expectation
from alerts.states import OPEN
from alerts.tables import ALERT, FOLLOW_UP

MOST_ROWS = 500


def missed(connection: Connection, today: date) -> list[Row[Any]]:
    """The expectations whose day is before `today`, the longest overdue first, with its alert's owner."""
    query = (
        select(FOLLOW_UP, ALERT.c.rule, ALERT.c.severity, ALERT.c.recipient_system, ALERT.c.recipient_ident)
        .join(ALERT, ALERT.c.id == FOLLOW_UP.c.alert_id)
        .where(FOLLOW_UP.c.state == Expectation.EXPECTED, FOLLOW_UP.c.due < today)
        .where(ALERT.c.state.in_(sorted(OPEN)))
    )
    return list(connection.execute(query.order_by(FOLLOW_UP.c.due, FOLLOW_UP.c.id).limit(MOST_ROWS)))
