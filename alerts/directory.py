"""The directory of clinicians, covers and pools, as it is kept; `alerts.routing` decides with what it holds.

How the directory is fed (settings, site file, import), the floor above knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, or_, select

from alerts.people import POOL_SYSTEM, UNADDRESSED, Address, Orderer, pool
from alerts.preferences import NONE, Preferences
from alerts.routing import EMAIL, SMS, Covering, Directory, Person, Router, personal
from alerts.tables import COVER, POOL, POOL_MEMBER, RECIPIENT


def load(
    connection: Connection,
    addresses: Iterable[Address],
    *,
    push: Sequence[str] = (),
    fallback: Address = UNADDRESSED,
) -> Directory:
    """What is known of `addresses`, of those who cover them, and of the fallback pool.

    `push` names the channels that are switched on, beside the inbox.
    """
    asked = set(addresses)
    covers = _covers(connection, asked)
    everybody = asked | {c.covering for c in covers} | {fallback}
    people = {a for a in everybody if not a.is_pool}
    known = [*_people(connection, people, push), *_pools(connection, everybody - people, push)]
    return Directory({p.address: p for p in known}, covers, fallback, tuple(push))


def router(
    connection: Connection,
    orderers: Mapping[str, Orderer],
    addressees: Iterable[Address],
    *,
    now: datetime,
    push: Sequence[str] = (),
    fallback: Address = UNADDRESSED,
) -> Router:
    """Routing for one judging: `orderers` by result key, `addressees` of the episodes there are already."""
    asked = {*addressees, *(o.address for o in orderers.values())}
    return Router(orderers, load(connection, asked, push=push, fallback=fallback), now)


def covering(connection: Connection, absent: Address, now: datetime) -> tuple[Address, ...]:
    """Who answers for somebody now and can: everybody, when covers overlap."""
    return load(connection, [absent]).covers_of(absent, now)


def audience(connection: Connection, address: Address, now: datetime) -> frozenset[Address]:
    """Under which addresses somebody may see alerts now: their own, whom they cover, their pools."""
    covered = select(COVER.c.absent_system, COVER.c.absent_ident).where(
        COVER.c.covering_system == address.system,
        COVER.c.covering_ident == address.id,
        COVER.c.starts_at <= now,
        COVER.c.ends_at > now,
    )
    member = select(POOL_MEMBER.c.pool).where(
        POOL_MEMBER.c.system == address.system, POOL_MEMBER.c.ident == address.id
    )
    absent = {Address(row.absent_system, row.absent_ident) for row in connection.execute(covered)}
    pools = {pool(ident) for ident in connection.execute(member).scalars()}
    return frozenset({address, *absent, *pools})


def register(
    connection: Connection,
    address: Address,
    *,
    name: str = "",
    email: str | None = None,
    phone: str | None = None,
    active: bool = True,
    listed_at: datetime | None = None,
) -> None:
    """Add a person, or bring their entry up to date. Must run in a writing transaction."""
    values = {"name": name, "email": email, "phone": phone, "active": active, "listed_at": listed_at}
    _upsert(connection, RECIPIENT, {"system": address.system, "ident": address.id}, values)


def prefer(connection: Connection, address: Address, preferences: Preferences) -> bool:
    """Keep what a person prefers; False: they are not in the directory."""
    document = preferences.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    kept = RECIPIENT.update().where(one_of(RECIPIENT, [address])).values(preferences=document)
    return connection.execute(kept).rowcount == 1


def register_pool(
    connection: Connection,
    ident: str,
    members: Iterable[Address],
    *,
    name: str = "",
    email: str | None = None,
) -> None:
    """Add a pool, or bring it and its members up to date. Must run in a writing transaction."""
    _upsert(connection, POOL, {"ident": ident}, {"name": name, "email": email})
    connection.execute(POOL_MEMBER.delete().where(POOL_MEMBER.c.pool == ident))
    rows = [{"pool": ident, "system": m.system, "ident": m.id} for m in dict.fromkeys(members)]
    if rows:
        connection.execute(POOL_MEMBER.insert(), rows)


def cover(connection: Connection, covering: Covering) -> None:
    """Write down that somebody answers for somebody else for a time."""
    connection.execute(
        COVER.insert().values(
            absent_system=covering.absent.system,
            absent_ident=covering.absent.id,
            covering_system=covering.covering.system,
            covering_ident=covering.covering.id,
            starts_at=covering.starts_at,
            ends_at=covering.ends_at,
        )
    )


def person(connection: Connection, address: Address) -> Person | None:
    """The directory's entry of one person or pool."""
    found = _pools(connection, {address}, ()) if address.is_pool else _people(connection, {address}, ())
    return next(iter(found), None)


def phone_of(connection: Connection, address: Address) -> str | None:
    """The telephone number of an active person, as it is now."""
    query = select(RECIPIENT.c.phone).where(one_of(RECIPIENT, [address]), RECIPIENT.c.active.is_(True))
    return connection.execute(query).scalar()


def email_of(connection: Connection, address: Address) -> str | None:
    """The e-mail address of an active person or of a pool, as it is now."""
    if address.is_pool:
        query = select(POOL.c.email).where(POOL.c.ident == address.id)
    else:
        query = select(RECIPIENT.c.email).where(one_of(RECIPIENT, [address]), RECIPIENT.c.active.is_(True))
    return connection.execute(query).scalar()


def one_of(table: Table, addresses: Iterable[Address], prefix: str = "") -> ColumnElement[bool]:
    """The condition that the `system` and `ident` columns of a row name one of `addresses`."""
    system, ident = table.c[f"{prefix}system"], table.c[f"{prefix}ident"]
    return or_(False, *(and_(system == a.system, ident == a.id) for a in addresses))


def _people(connection: Connection, addresses: set[Address], push: Sequence[str]) -> list[Person]:
    if not addresses:
        return []
    rows = connection.execute(select(RECIPIENT).where(one_of(RECIPIENT, addresses)))
    return [_person(row, push) for row in rows]


def _person(row: Row[Any], push: Sequence[str]) -> Person:
    reached = _reached(push, row.email, row.phone)
    wants = Preferences.model_validate(row.preferences) if row.preferences else NONE
    return Person(Address(row.system, row.ident), row.active, reached, wants)


def _reached(push: Sequence[str], email: str | None, phone: str | None = None) -> tuple[str, ...]:
    """E-mail needs an address, SMS a number. The others go to one place of the site, which knows people by
    identifier or is read by all of them.
    """
    needs = {EMAIL: email, SMS: phone}
    return tuple(channel for channel in personal(push) if needs.get(channel, True))


def _pools(connection: Connection, addresses: set[Address], push: Sequence[str]) -> list[Person]:
    if not addresses:
        return []
    rows = connection.execute(select(POOL).where(POOL.c.ident.in_([a.id for a in addresses])))
    return [Person(Address(POOL_SYSTEM, r.ident), True, _reached(push, r.email)) for r in rows]


def _covers(connection: Connection, absent: set[Address]) -> tuple[Covering, ...]:
    if not absent:
        return ()
    rows = connection.execute(select(COVER).where(one_of(COVER, absent, "absent_")).order_by(COVER.c.id))
    return tuple(
        Covering(
            Address(r.absent_system, r.absent_ident),
            Address(r.covering_system, r.covering_ident),
            r.starts_at,
            r.ends_at,
        )
        for r in rows
    )


def _upsert(
    connection: Connection, table: Table, key: Mapping[str, str], values: Mapping[str, object]
) -> None:
    same = and_(*(table.c[name] == value for name, value in key.items()))
    if connection.execute(table.update().where(same).values(**values)).rowcount == 0:
        connection.execute(table.insert().values(**key, **values))
