"""Opening the database: one engine for SQLite and PostgreSQL, and the database's own clock.

Statement parameters never reach an error's text (`hide_parameters`): they are patient data. This module knows
no table and runs no migration.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from alerts import leases

Step = TypeVar("Step")

BUSY_SECONDS = 20
"""How long an SQLite writer waits for another one before it gives up."""

PASSING_CLASSES = frozenset({"08", "28", "40", "53", "55", "57", "58"})
"""SQLSTATE classes that time may mend: connection, sign-in, rollback, resources, locks, operator, system."""

STATEMENT_SECONDS = 30
LOCK_SECONDS = 10
CONNECT_SECONDS = 5


writing = leases.writing
db_now = leases.database_now


class WrongDatabase(Exception):
    """The database is there but not fit for the record: the message says what to change."""


def make_engine(url: str, *, pool_size: int = 5) -> Engine:
    """An engine for `url`: SQLite (WAL, every commit flushed) or PostgreSQL through psycopg."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed.set(drivername="postgresql+psycopg"), pool_size)
    raise WrongDatabase(f"{parsed.get_backend_name()}: use a postgresql:// or sqlite:// URL")


def is_sqlite(connection: Connection | Engine) -> bool:
    """Whether this is the one-machine profile."""
    return connection.dialect.name == "sqlite"


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent look at the database that takes no write lock."""
    options: dict[str, Any] = {} if is_sqlite(engine) else {"isolation_level": "REPEATABLE READ"}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def is_passing(error: Exception) -> bool:
    """Whether trying again later may help: a lost connection, a lock, a full disk; not a wrong statement, nor
    a row larger than an index takes, which the drivers call operational too.
    """
    if isinstance(error, PoolTimeout):
        return True
    if isinstance(error, OperationalError):
        return _passes(error.orig)
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _passes(cause: BaseException | None) -> bool:
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF != sqlite3.SQLITE_ERROR
    state: str | None = getattr(cause, "sqlstate", None)
    return state is None or state[:2] in PASSING_CLASSES


def _sqlite(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, hide_parameters=True, json_deserializer=_from_json, connect_args={"timeout": BUSY_SECONDS}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _from_json(text: str) -> Any:
    """Nearly every result has an empty list of notes: that needs no parser."""
    return [] if text == "[]" else json.loads(text)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions of its own: a late BEGIN would take the write lock half way.
    connection.isolation_level = None
    cursor = connection.cursor()
    mode = cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode not in ("wal", "memory"):
        raise WrongDatabase(f"SQLite keeps journal mode {mode} here; DATA_DIR must be on a local disk")
    for pragma in ("synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(url: URL, pool_size: int) -> Engine:
    options = " ".join(
        f"-c {name}={seconds}s"
        for name, seconds in {
            "statement_timeout": STATEMENT_SECONDS,
            "lock_timeout": LOCK_SECONDS,
            "idle_in_transaction_session_timeout": STATEMENT_SECONDS,
        }.items()
    )
    return create_engine(
        url,
        hide_parameters=True,
        json_deserializer=_from_json,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=CONNECT_SECONDS,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "options": f"{options} -c timezone=UTC",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )


def retried(step: Callable[[], Step], times: int = 3) -> Step:
    """`step` again when the database says a deadlock or a serialization failure undid it."""
    for left in range(times - 1, -1, -1):
        try:
            return step()
        except OperationalError as error:
            undone = getattr(error.orig, "sqlstate", None) in ("40001", "40P01")
            if not undone or not left:
                raise
    raise AssertionError("unreachable")
