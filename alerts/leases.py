"""Claiming due rows: nobody waits, nobody works on a row twice at once, and a worker that slept cannot write.

Works on any table with the columns of `alerts.tables.Leasable`, an `id` and a `state`. Leases end by the
database's clock. What the work is, and what becomes of a row that fails, the caller says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, func, select, text

PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that is ours until `until`; `lease` is the token that every write must show."""

    id: int
    lease: int
    attempts: int
    until: datetime


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One short transaction that writes; on SQLite it takes the write lock at once (option `writes`)."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


def database_now(connection: Connection) -> datetime:
    """This moment by the database's clock, in UTC."""
    if connection.dialect.name == "sqlite":
        stamp = connection.execute(text("select strftime('%Y-%m-%d %H:%M:%f', 'now')")).scalar_one()
        return datetime.fromisoformat(stamp).replace(tzinfo=UTC)
    found: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return found.astimezone(UTC)


def claim(
    connection: Connection,
    table: Table,
    *,
    limit: int,
    lease: timedelta,
    where: ColumnElement[bool] | None = None,
    now: datetime | None = None,
) -> list[Claimed]:
    """Up to `limit` due rows of state `pending`, oldest due first; their attempts are counted now.

    Must run in a writing transaction; the claim holds once that is committed. `now` is the database's clock
    where none is given: tests move it.
    """
    now = now or database_now(connection)
    due = select(table.c.id).where(table.c.state == PENDING, table.c.due_at <= now)
    if where is not None:
        due = due.where(where)
    due = due.order_by(table.c.due_at, table.c.id).limit(limit).with_for_update(skip_locked=True, of=table)
    ids = connection.execute(due).scalars().all()
    if not ids:
        return []
    taken = (
        table.update()
        .where(table.c.id.in_(ids))
        .values(due_at=now + lease, lease=table.c.lease + 1, attempts=table.c.attempts + 1)
        .returning(table.c.id, table.c.lease, table.c.attempts)
    )
    rows = {row.id: row for row in connection.execute(taken)}
    return [Claimed(i, rows[i].lease, rows[i].attempts, now + lease) for i in ids]


def settle(connection: Connection, table: Table, claimed: Claimed, values: Mapping[str, Any]) -> bool:
    """Write the outcome if the lease is still ours and the row pending; False: refused, nothing changed."""
    ours = (table.c.id == claimed.id) & (table.c.lease == claimed.lease) & (table.c.state == PENDING)
    return connection.execute(table.update().where(ours).values(**values)).rowcount == 1
