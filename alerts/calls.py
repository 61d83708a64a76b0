"""The call list: alerts that nobody answered to the end of their ladder, and a record of each call made.

A call is a step of the alert, with its event and its sealed audit record: written once, never changed. Who
calls whom by which telephone, the house knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from alerts import timers
from alerts.answers import Invalid, NoSuchAlert, cleaned
from alerts.people import Actor
from alerts.snapshot import time_text
from alerts.states import ASKING, State, Step, Taken
from alerts.steps import Cause, Standing, take
from alerts.tables import ALERT, ALERT_EVENT
from rules.findings import Severity

CALLED = "called"
READ_BACK = "read-back"
AHEAD_AT_MOST = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it was made: whom, when, what was told (the value and its unit, in words), read back or
    not.
    """

    to: str
    at: datetime
    told: str
    read_back: bool
    comment: str | None = None


def waiting(connection: Connection) -> list[Row[Any]]:
    """The alerts somebody must be called about, the most severe first, then by how long they wait."""
    listed = ALERT.c.call_list_since.is_not(None) & ALERT.c.state.in_(ASKING)
    rows = connection.execute(select(ALERT).where(listed)).all()
    return sorted(rows, key=lambda row: (Severity(row.severity).rank, row.call_list_since, row.id))


def made(connection: Connection, alert_id: int) -> list[Row[Any]]:
    """The calls about one alert, as events, oldest first."""
    calls = (ALERT_EVENT.c.alert_id == alert_id) & (ALERT_EVENT.c.step == Step.CALL)
    return list(connection.execute(select(ALERT_EVENT).where(calls).order_by(ALERT_EVENT.c.seq)).all())


def record(connection: Connection, alert_id: int, by: Actor, call: Call, *, now: datetime) -> Taken:
    """Write a call down. Read back, the alert leaves the list until an acknowledgement of now would lapse.

    Raises NoSuchAlert, Invalid, or NotAllowed when the alert was withdrawn.
    """
    row = connection.execute(select(ALERT).where(ALERT.c.id == alert_id).with_for_update()).one_or_none()
    if row is None:
        raise NoSuchAlert(f"alert {alert_id}")
    data = _data(call, now)
    standing = Standing(row.id, row.patient_id, State(row.state), row.version)
    asking = standing.state in ASKING
    changes = {"call_list_since": None} if call.read_back and asking else {}
    reason = READ_BACK if call.read_back else CALLED
    taken = take(connection, standing, Step.CALL, Cause(by, now, reason, data), changes)
    if call.read_back and asking:
        timers.call_again(connection, alert_id, now)
    return taken


def _data(call: Call, now: datetime) -> dict[str, Any]:
    """The call as it is kept."""
    if call.at.tzinfo is None or call.at > now + AHEAD_AT_MOST:
        raise Invalid("at", "a time with an offset that has been")
    to, told = cleaned("to", call.to), cleaned("told", call.told)
    if not to:
        raise Invalid("to", "who was called")
    if not told:
        raise Invalid("told", "the value as it was told")
    comment = cleaned("comment", call.comment)
    return {
        "to": to,
        "at": time_text(call.at),
        "told": told,
        "read_back": call.read_back,
        "comment": comment,
    }
