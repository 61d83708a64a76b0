"""Where channels lead: since when one fails, how long it asked us to wait, and who was told of that.

Kept, so that any number of senders know it, and operations hears once that it began and once that it ended.
Saying it is the floor above.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from alerts.tables import DESTINATION

BEFORE_IT_IS_SAID = timedelta(minutes=1)
"""A relay that restarts is back by then."""


@dataclass(frozen=True, slots=True)
class Change:
    """A destination began to fail (`reason` says how) or takes again what is sent."""

    channel: str
    since: datetime | None
    reason: str | None

    @property
    def failing(self) -> bool:
        """Whether it began."""
        return self.since is not None


def waits(connection: Connection, channel: str, now: datetime) -> bool:
    """Whether the other side has asked for a wait that is not over."""
    query = select(DESTINATION.c.paused_until).where(DESTINATION.c.channel == channel)
    until = connection.execute(query).scalar()
    return until is not None and until > now


def note_failing(
    connection: Connection, channel: str, reason: str, now: datetime, asked: timedelta | None
) -> None:
    """The whole channel did not take what was sent."""
    _add(connection, DESTINATION, channel)
    mine = DESTINATION.update().where(DESTINATION.c.channel == channel)
    connection.execute(mine.values(reason=reason, paused_until=now + asked if asked else None))
    connection.execute(mine.where(DESTINATION.c.failing_since.is_(None)).values(failing_since=now))


def note_taking(connection: Connection, channel: str) -> None:
    """The channel took something, or refused it for its own sake: it is there."""
    was = DESTINATION.update().where(
        DESTINATION.c.channel == channel, DESTINATION.c.failing_since.is_not(None)
    )
    connection.execute(was.values(failing_since=None, reason=None, paused_until=None))


def known(connection: Connection) -> list[tuple[str, datetime | None]]:
    """Each channel that has ever failed, and since when it fails now (None: it takes what is sent)."""
    rows = connection.execute(select(DESTINATION.c.channel, DESTINATION.c.failing_since))
    return [(row.channel, row.failing_since) for row in rows]


def unsaid(connection: Connection, now: datetime) -> list[Change]:
    """What operations has not heard of; it counts as said from now on, whoever else looks."""
    began = and_(DESTINATION.c.said.is_(False), DESTINATION.c.failing_since <= now - BEFORE_IT_IS_SAID)
    ended = and_(DESTINATION.c.said.is_(True), DESTINATION.c.failing_since.is_(None))
    new = DESTINATION.update().where(or_(began, ended)).values(said=~DESTINATION.c.said)
    rows = connection.execute(
        new.returning(DESTINATION.c.channel, DESTINATION.c.failing_since, DESTINATION.c.reason)
    )
    return [Change(*row) for row in rows]


def _add(connection: Connection, table: Table, channel: str) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(table).values(channel=channel, said=False).on_conflict_do_nothing())
