"""Which alerts a clinician may see: their own, those of whom they cover now, and those of their pools.

Asked of the database at every request, so that a cover begins and ends at its minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from alerts.directory import one_of
from alerts.people import POOL_SYSTEM, Address, pool
from alerts.tables import ADDRESSEE, ALERT, COVER, POOL_MEMBER, RECIPIENT
from worker.web.readers import Reader


@dataclass(frozen=True, slots=True)
class Covered:
    """Somebody the reader answers for, and until when."""

    address: Address
    name: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """The reader's own address, whom they cover at the moment, and the pools they are in."""

    own: Address
    covered: tuple[Covered, ...]
    pools: tuple[Address, ...]

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All of them, the reader's own first."""
        return (self.own, *(c.address for c in self.covered), *self.pools)

    def visible(self, *, only_own: bool = False) -> ColumnElement[bool]:
        """The condition on `alert` that everything a clinician reads or answers is filtered by."""
        addresses = (self.own,) if only_own else self.addresses
        addressed = select(ADDRESSEE.c.alert_id).where(one_of(ADDRESSEE, addresses))
        return or_(one_of(ALERT, addresses, "recipient_"), ALERT.c.id.in_(addressed))


def scope_of(connection: Connection, reader: Reader, now: datetime) -> Scope:
    """What `reader` may see at `now`. The reader must be a clinician with an address."""
    own = Address(reader.system or "", reader.ident or "")
    member = select(POOL_MEMBER.c.pool).where(one_of(POOL_MEMBER, [own]))
    pools = tuple(pool(ident) for ident in connection.execute(member.order_by(POOL_MEMBER.c.pool)).scalars())
    return Scope(own, _covered(connection, own, now), pools)


def _covered(connection: Connection, own: Address, now: datetime) -> tuple[Covered, ...]:
    named = and_(RECIPIENT.c.system == COVER.c.absent_system, RECIPIENT.c.ident == COVER.c.absent_ident)
    query = (
        select(COVER, RECIPIENT.c.name)
        .outerjoin(RECIPIENT, named)
        .where(
            one_of(COVER, [own], "covering_"),
            COVER.c.starts_at <= now,
            COVER.c.ends_at > now,
        )
        .order_by(COVER.c.ends_at)
    )
    return tuple(
        Covered(Address(row.absent_system, row.absent_ident), row.name or row.absent_ident, row.ends_at)
        for row in connection.execute(query)
        if row.absent_system != POOL_SYSTEM
    )
