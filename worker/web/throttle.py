"""Passwords that were wrong lately: after some, a name or an address waits. Keys are kept as hashes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from worker.database import is_sqlite
from worker.tables import LOGIN_FAILURE
from worker.web.sessions import digest

WINDOW = timedelta(minutes=15)
OF_A_NAME_FROM_AN_ADDRESS = 5
OF_AN_ADDRESS = 20
OF_A_NAME = 50
"""From everywhere: so that many addresses cannot try one name for ever, and few cannot lock it."""


def limits(username: str, address: str) -> Mapping[str, int]:
    """Key → how many refusals it may have."""
    return {
        _both(username, address): OF_A_NAME_FROM_AN_ADDRESS,
        digest(f"address {address}"): OF_AN_ADDRESS,
        digest(f"name {username}"): OF_A_NAME,
    }


def _both(username: str, address: str) -> str:
    return digest(f"both {username} {address}")


def must_wait(connection: Connection, keys: Mapping[str, int], now: datetime) -> bool:
    """Whether one of them was refused too often in the last quarter of an hour."""
    query = select(LOGIN_FAILURE).where(
        LOGIN_FAILURE.c.key_sha256.in_(keys), LOGIN_FAILURE.c.first_at > now - WINDOW
    )
    return any(row.failures >= keys[row.key_sha256] for row in connection.execute(query))


def note_refused(connection: Connection, keys: Mapping[str, int], now: datetime) -> bool:
    """Count a refusal; True: this one was the last that a key may have."""
    connection.execute(delete(LOGIN_FAILURE).where(LOGIN_FAILURE.c.first_at <= now - WINDOW))
    dialect = sqlite if is_sqlite(connection) else postgresql
    counted = {}
    for key in sorted(keys):
        insert = dialect.insert(LOGIN_FAILURE).values(key_sha256=key, failures=1, first_at=now)
        more = insert.on_conflict_do_update(
            index_elements=["key_sha256"], set_={"failures": LOGIN_FAILURE.c.failures + 1}
        )
        counted[key] = connection.execute(more.returning(LOGIN_FAILURE.c.failures)).scalar_one()
    return any(counted[key] == limit for key, limit in keys.items())


def forget(connection: Connection, username: str, address: str) -> None:
    """A right password clears what was counted for this name from this address."""
    connection.execute(delete(LOGIN_FAILURE).where(LOGIN_FAILURE.c.key_sha256 == _both(username, address)))
