"""Bringing the directory of clinicians up to date from a file; who is no longer in it has left.

Reading the file is `alerts.directory_import`, keeping people `alerts.directory`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from alerts import audit, directory
from alerts.directory_import import Found, Listed
from alerts.people import Actor, Address
from alerts.tables import POOL, POOL_MEMBER, RECIPIENT


@dataclass(frozen=True, slots=True)
class Imported:
    """How many came, were known, and have left since the last import."""

    new: int
    known: int
    left: int


def bring_up_to_date(
    connection: Connection, found: Found, by: Actor, now: datetime, *, whole: bool
) -> Imported:
    """Write what a file says. `whole`: it lists everybody, so whoever an earlier import named and it does not
    has left; their open alerts then show up as unaddressed.
    """
    known = {Address(r.system, r.ident) for r in connection.execute(select(RECIPIENT))}
    for one in found.people:
        directory.register(
            connection,
            one.address,
            name=one.name,
            email=one.email,
            phone=one.phone,
            active=one.active,
            listed_at=now,
        )
    _join_pools(connection, found.people)
    left = _leave(connection, now) if whole else 0
    seen = sum(one.address in known for one in found.people)
    done = Imported(len(found.people) - seen, seen, left)
    data = {"new": done.new, "known": done.known, "left": done.left, "refused": len(found.refused)}
    audit.record(connection, [audit.Entry("directory.import", by, "directory", "", now, data=data)])
    return done


def _join_pools(connection: Connection, people: Iterable[Listed]) -> None:
    """Add them to the pools the file names; a pool that is not there yet is made."""
    there = set(connection.execute(select(POOL.c.ident)).scalars())
    for one in people:
        for ident in one.pools:
            if ident not in there:
                connection.execute(POOL.insert().values(ident=ident, name=ident))
                there.add(ident)
            member = {"pool": ident, "system": one.address.system, "ident": one.address.id}
            same = [POOL_MEMBER.c[name] == value for name, value in member.items()]
            if connection.execute(select(POOL_MEMBER.c.id).where(*same)).first() is None:
                connection.execute(POOL_MEMBER.insert().values(**member))


def _leave(connection: Connection, now: datetime) -> int:
    gone = RECIPIENT.c.listed_at.is_not(None) & (RECIPIENT.c.listed_at < now) & RECIPIENT.c.active.is_(True)
    return connection.execute(RECIPIENT.update().where(gone).values(active=False)).rowcount
