"""Signed-in browsers: a row for each, found by the hash of the cookie's secret; idle and absolute ends.

The row is the session: it ends when the row says so. Who may sign in is decided in `worker.web.login`.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, insert, select, true, update

from alerts.tables import RECIPIENT
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
    """An open session and the account behind it; `issuer` is where they signed in, if not with us,
    and `account` their subject there, else their user name here.
    """

    id: int
    account_id: int
    csrf: str
    seen_at: datetime
    role: str
    name: str
    system: str | None
    ident: str | None
    issuer: str | None
    account: str
    acr: str | None


def cookie_name(https: bool) -> str:
    """`__Host-` binds the cookie to this host and to https; over http browsers refuse that name."""
    return COOKIE_HTTPS if https else COOKIE


def start(
    connection: Connection, account_id: int, now: datetime, *, acr: str | None = None, sid: str | None = None
) -> str:
    """A new session for the account; returns the secret for the cookie, of which only the hash is kept."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    connection.execute(
        insert(SESSION).values(
            secret_sha256=digest(secret),
            account_id=account_id,
            csrf=secrets.token_urlsafe(SECRET_BYTES),
            created_at=now,
            seen_at=now,
            acr=acr,
            sid=sid,
        )
    )
    return secret


def find(connection: Connection, secret: str, now: datetime) -> Session | None:
    """The open session of this secret: not ended, not idle too long, not too old, its account active."""
    row = _open(connection, SESSION.c.secret_sha256 == digest(secret), now)
    if row is None:
        return None
    of_row = (row.id, row.account_id, row.csrf, row.seen_at)
    return Session(*of_row, row.role, row.name, row.system, row.ident, row.issuer, row.account, row.acr)


def is_open(connection: Connection, session_id: int, now: datetime) -> bool:
    """Whether `find` would still give this session."""
    return _open(connection, SESSION.c.id == session_id, now) is not None


def _open(connection: Connection, which: ColumnElement[bool], now: datetime) -> Row[Any] | None:
    """The row of a session that may go on; not when the clinician has left the directory either."""
    left = exists().where(
        RECIPIENT.c.system == ACCOUNT.c.system,
        RECIPIENT.c.ident == ACCOUNT.c.ident,
        RECIPIENT.c.active.is_(False),
    )
    who = (ACCOUNT.c.role, ACCOUNT.c.name, ACCOUNT.c.system, ACCOUNT.c.ident, ACCOUNT.c.issuer)
    account = func.coalesce(ACCOUNT.c.subject, ACCOUNT.c.username).label("account")
    query = (
        select(SESSION, *who, account)
        .join(ACCOUNT, ACCOUNT.c.id == SESSION.c.account_id)
        .where(which, SESSION.c.ended_at.is_(None), ACCOUNT.c.active, ~left)
    )
    row = connection.execute(query).first()
    return row if row is not None and _is_young(row.created_at, row.seen_at, now) else None


def _is_young(created_at: datetime, seen_at: datetime, now: datetime) -> bool:
    return now - seen_at <= IDLE and now - created_at <= ABSOLUTE


def touch(connection: Connection, session: Session, now: datetime) -> None:
    """Note that the session is in use."""
    connection.execute(update(SESSION).where(SESSION.c.id == session.id).values(seen_at=now))


def end(connection: Connection, session_id: int, now: datetime) -> None:
    """Log out: the cookie is worth nothing from here on."""
    connection.execute(update(SESSION).where(SESSION.c.id == session_id).values(ended_at=now))


def end_of(connection: Connection, secret: str, now: datetime) -> None:
    """End the session of a cookie, if it has one: whoever signs in anew leaves no session behind."""
    mine = (SESSION.c.secret_sha256 == digest(secret), SESSION.c.ended_at.is_(None))
    connection.execute(update(SESSION).where(*mine).values(ended_at=now))


def end_all(
    connection: Connection, which: ColumnElement[bool], now: datetime, *, sid: str | None = None
) -> int:
    """End the open sessions of the accounts that `which` finds, or that one of them; how many."""
    theirs = SESSION.c.account_id.in_(select(ACCOUNT.c.id).where(which))
    ours = SESSION.c.sid == sid if sid is not None else true()
    change = update(SESSION).where(theirs, ours, SESSION.c.ended_at.is_(None), SESSION.c.created_at <= now)
    return connection.execute(change.values(ended_at=now)).rowcount


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
