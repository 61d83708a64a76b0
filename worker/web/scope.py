"""Which alerts a clinician may see: their own, those of whom they cover now, and those of their pools.

A pool's alert about a sensitive patient, and any other patient's, may be seen after break-glass alone. All is
asked of the database at every request, so that a cover begins and ends at its minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from alerts.directory import one_of
from alerts.people import POOL_SYSTEM, Address, pool
from alerts.tables import ADDRESSEE, ALERT, COVER, POOL_MEMBER, RECIPIENT
from worker.break_glass import about_a_sensitive_patient, opened_by
from worker.web.readers import Reader


@dataclass(frozen=True, slots=True)
class Covered:
    """Somebody the reader answers for, and until when."""

    address: Address
    name: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """The reader's own address, whom they cover now, the pools they are in, and the patients they opened."""

    own: Address
    covered: tuple[Covered, ...]
    pools: tuple[Address, ...]
    opened: tuple[int, ...] = ()

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All of them, the reader's own first."""
        return (self.own, *(c.address for c in self.covered), *self.pools)

    def visible(self, *, only_own: bool = False) -> ColumnElement[bool]:
        """The condition on `alert` that every list of a clinician is filtered by."""
        if only_own:
            return _addressed((self.own,))
        personal = _addressed((self.own, *(c.address for c in self.covered)))
        plain = or_(~about_a_sensitive_patient(), self._opened())
        return or_(personal, and_(_addressed(self.pools), plain))

    def may_open(self) -> ColumnElement[bool]:
        """The condition on `alert` of what may be read and answered one by one: what is opened too."""
        return or_(self.visible(), self._opened())

    def behind_glass(self) -> ColumnElement[bool]:
        """The condition on `alert` of a pool's alerts that nobody sees without saying why."""
        return and_(_addressed(self.pools), ~self.may_open())

    def _opened(self) -> ColumnElement[bool]:
        return ALERT.c.patient_id.in_(self.opened)


def _addressed(addresses: tuple[Address, ...]) -> ColumnElement[bool]:
    to_them = select(ADDRESSEE.c.alert_id).where(one_of(ADDRESSEE, addresses))
    return or_(one_of(ALERT, addresses, "recipient_"), ALERT.c.id.in_(to_them))


def scope_of(connection: Connection, reader: Reader, now: datetime) -> Scope:
    """What `reader` may see at `now`. The reader must be a clinician with an address."""
    own = Address(reader.system or "", reader.ident or "")
    member = select(POOL_MEMBER.c.pool).where(one_of(POOL_MEMBER, [own]))
    pools = tuple(pool(ident) for ident in connection.execute(member.order_by(POOL_MEMBER.c.pool)).scalars())
    opened = tuple(row.patient_id for row in opened_by(connection, own, now))
    return Scope(own, _covered(connection, own, now), pools, opened)


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
