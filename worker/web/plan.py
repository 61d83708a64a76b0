"""What happens to an alert if nobody answers it: its ladder in words, from the timers that still wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from alerts import directory
from alerts.escalation import LADDER, Timer
from alerts.leases import PENDING
from alerts.people import Address
from alerts.states import ASKING
from alerts.tables import TIMER
from worker.web import words
from worker.web.timeline import names_of


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder: when, and what happens; `whom` is who hears of it then, if that is new."""

    when: str
    what: str
    whom: str


def plan_of(
    connection: Connection, row: Row[Any], fallback: Address, now: datetime, zone: ZoneInfo
) -> tuple[Rung, ...]:
    """The rungs to come, the next one first; none for an alert that asks for nothing."""
    if row.state not in ASKING:
        return ()
    waiting = (TIMER.c.alert_id == row.id) & (TIMER.c.state == PENDING) & TIMER.c.kind.in_(list(LADDER))
    timers = connection.execute(select(TIMER).where(waiting).order_by(TIMER.c.planned_at, TIMER.c.id)).all()
    covering = directory.covering(connection, Address(row.recipient_system, row.recipient_ident), now)
    names = names_of(connection, {*covering, fallback})
    cover = words.joined([names.get(one, one.id) for one in covering])
    pool = f"the pool {names.get(fallback, fallback.id)}"
    return tuple(
        Rung(words.clock_time(timer.planned_at, now, zone), *_said(Timer(timer.kind), cover, pool))
        for timer in timers
    )


def then(rungs: tuple[Rung, ...]) -> str:
    """Who is asked next, for the line at the top; empty when nobody is."""
    return next((rung.whom for rung in rungs if rung.whom), "")


def _said(kind: Timer, cover: str, pool: str) -> tuple[str, str]:
    match kind:
        case Timer.COVER if cover:
            return f"{cover} is asked, who covers", cover
        case Timer.COVER | Timer.POOL:
            return f"{pool} is asked{', as nobody covers' if kind is Timer.COVER else ''}", pool
        case Timer.CALL:
            return "it goes on the call list, and somebody calls", "a call"
        case _:
            return "a reminder is sent", ""
