"""Which open alerts nobody can see who could answer: a visible queue, with a clock.

An alert reaches somebody when one it is addressed to is an active person of the directory, or a pool with
an active member. Who takes the others on, a person decides (`ferrule alerts reassign`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, or_, select

from alerts.people import POOL_SYSTEM
from alerts.states import OPEN
from alerts.tables import ADDRESSEE, ALERT, POOL_MEMBER, RECIPIENT


def reaches_nobody() -> ColumnElement[bool]:
    """The condition on a row of `alert`."""
    person = and_(
        RECIPIENT.c.system == ADDRESSEE.c.system,
        RECIPIENT.c.ident == ADDRESSEE.c.ident,
        RECIPIENT.c.active.is_(True),
    )
    member = and_(
        ADDRESSEE.c.system == POOL_SYSTEM,
        POOL_MEMBER.c.pool == ADDRESSEE.c.ident,
        # A member whom no directory names may still sign in; one who has left may not.
        ~exists().where(
            RECIPIENT.c.system == POOL_MEMBER.c.system,
            RECIPIENT.c.ident == POOL_MEMBER.c.ident,
            RECIPIENT.c.active.is_(False),
        ),
    )
    reached = or_(exists().where(person), exists().where(member))
    somebody = exists().where(ADDRESSEE.c.alert_id == ALERT.c.id, reached)
    return and_(ALERT.c.state.in_(sorted(OPEN)), ~somebody)


def unaddressed(connection: Connection) -> list[Row[Any]]:
    """Those alerts, the oldest first."""
    return list(connection.execute(select(ALERT).where(reaches_nobody()).order_by(ALERT.c.raised_at)).all())
