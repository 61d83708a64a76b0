"""Signed-in browsers: a row for each, found by the hash of the cookie's secret; idle and absolute ends.

The row is the session: it ends when the row says so. Who may sign in is decided in `worker.web.login`.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from worker.tables import ACCOUNT, SESSION

IDLE = timedelta(minutes=15)
ABSOLUTE = timedelta(hours=12)
SEEN_EVERY = timedelta(seconds=60)
"""A session's row is touched at most this often: reading a page should rarely write."""
SECRET_BYTES = 32

COOKIE = "ferrule_session"
COOKIE_HTTPS = "__Host-ferrule_session"


@dataclass(frozen=True, slots=True)
class Session:
    """An open session and the account behind it."""

    id: int
    account_id: int
    csrf: str
    seen_at: datetime
    role: str
    name: str
    system: str | None
    ident: str | None


def cookie_name(https: bool) -> str:
    """`__Host-` binds the cookie to this host and to https; over http browsers refuse that name."""
    return COOKIE_HTTPS if https else COOKIE


def start(connection: Connection, account_id: int, now: datetime) -> str:
    """A new session for the account; returns the secret for the cookie, of which only the hash is kept."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    connection.execute(
        insert(SESSION).values(
            secret_sha256=digest(secret),
            account_id=account_id,
            csrf=secrets.token_urlsafe(SECRET_BYTES),
            created_at=now,
            seen_at=now,
        )
    )
    return secret


def find(connection: Connection, secret: str, now: datetime) -> Session | None:
    """The open session of this secret: not ended, not idle too long, not too old, its account active."""
    query = (
        select(SESSION, ACCOUNT.c.role, ACCOUNT.c.name, ACCOUNT.c.system, ACCOUNT.c.ident)
        .join(ACCOUNT, ACCOUNT.c.id == SESSION.c.account_id)
        .where(SESSION.c.secret_sha256 == digest(secret), SESSION.c.ended_at.is_(None), ACCOUNT.c.active)
    )
    row = connection.execute(query).first()
    if row is None or not _is_young(row.created_at, row.seen_at, now):
        return None
    return Session(row.id, row.account_id, row.csrf, row.seen_at, row.role, row.name, row.system, row.ident)


def is_open(connection: Connection, session_id: int, now: datetime) -> bool:
    """Whether `find` would still give this session."""
    query = (
        select(SESSION.c.created_at, SESSION.c.seen_at)
        .join(ACCOUNT, ACCOUNT.c.id == SESSION.c.account_id)
        .where(SESSION.c.id == session_id, SESSION.c.ended_at.is_(None), ACCOUNT.c.active)
    )
    row = connection.execute(query).first()
    return row is not None and _is_young(row.created_at, row.seen_at, now)


def _is_young(created_at: datetime, seen_at: datetime, now: datetime) -> bool:
    return now - seen_at <= IDLE and now - created_at <= ABSOLUTE


def touch(connection: Connection, session: Session, now: datetime) -> None:
    """Note that the session is in use."""
    connection.execute(update(SESSION).where(SESSION.c.id == session.id).values(seen_at=now))


def end(connection: Connection, session_id: int, now: datetime) -> None:
    """Log out: the cookie is worth nothing from here on."""
    connection.execute(update(SESSION).where(SESSION.c.id == session_id).values(ended_at=now))


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
