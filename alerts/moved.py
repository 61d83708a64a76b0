"""A patient who was discharged, transferred or taken off the list: who answers for their open alerts now?

An alert stays with whoever ordered its test. What is asked anew is who can be reached for them at this
moment; whoever that brings beside those already addressed is told. Nothing is closed, and nobody is left out.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from alerts import directory
from alerts.addressing import address, addressees
from alerts.due import Reach
from alerts.people import Address, ferrule
from alerts.states import ASKING, State, Step
from alerts.steps import Cause, Standing, take
from alerts.tables import ALERT
from alerts.telling import tell

MOVER = ferrule("moved")
REASON = "patient-moved"


def ask_anew(connection: Connection, patients: Collection[int], reach: Reach, now: datetime) -> int:
    """Bring in who answers now for the open alerts of these patients that wait for an answer; how many alerts
    were given somebody.
    """
    if not patients:
        return 0
    waiting = ALERT.c.patient_id.in_(patients) & ALERT.c.state.in_(ASKING)
    rows = connection.execute(select(ALERT).where(waiting).order_by(ALERT.c.id).with_for_update()).all()
    return sum(_ask(connection, row, reach, now) for row in rows)


def _ask(connection: Connection, row: Row[Any], reach: Reach, now: datetime) -> bool:
    owner = Address(row.recipient_system, row.recipient_ident)
    router = directory.router(connection, {}, [owner], now=now, push=reach.push, fallback=reach.fallback)
    already = addressees(connection, row.id)
    new = [one for one in router.of_owner(owner) if one.address not in already]
    if not new:
        return False
    data = {"to": [{"system": one.address.system, "id": one.address.id} for one in new]}
    standing = Standing(row.id, row.patient_id, State(row.state), row.version)
    taken = take(connection, standing, Step.ESCALATE, Cause(MOVER, now, REASON, data))
    address(connection, row.id, new, now)
    tell(connection, taken, [one.address for one in new], now, reach.push, reach.has_died)
    return True
