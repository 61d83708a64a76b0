"""Setting messages aside that cannot be understood, and taking them back: kept, listed, with a reason and a
remedy.

A message in quarantine stops nothing that comes after it. The metric counts what was set aside once the
transaction is known to be committed (`Aside` values are handed up for that).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, select
from sqlalchemy.exc import IntegrityError

from worker.database import db_now
from worker.tables import MESSAGE, QUARANTINE_ITEM

ID_REUSED = "id-reused"


class NotInQuarantine(Exception):
    """No message with this id waits in quarantine."""


@dataclass(frozen=True, slots=True)
class Aside:
    """Why a message, or a part of one, is set aside: a reason from a closed set, the place, what to do."""

    reason: str
    place: str
    remedy: str


def set_aside(connection: Connection, message: int, why: Aside, now: datetime) -> None:
    """Set the whole message aside."""
    connection.execute(
        MESSAGE.update()
        .where(MESSAGE.c.id == message)
        .values(state="quarantined", reason=why.reason, finished_at=now)
    )
    note(connection, message, why, now)


def note(connection: Connection, message: int, why: Aside, now: datetime) -> None:
    """Write down what could not be understood of a message; the rest of it may have been judged."""
    row = {
        "message_id": message,
        "reason": why.reason,
        "place": why.place,
        "remedy": why.remedy,
        "created_at": now,
    }
    connection.execute(QUARANTINE_ITEM.insert(), [row])


def waiting(connection: Connection, limit: int = 1000) -> Sequence[RowMapping]:
    """What waits, the newest first: never the bytes."""
    columns = (QUARANTINE_ITEM, MESSAGE.c.source, MESSAGE.c.message_id.label("sender_id"), MESSAGE.c.format)
    found = (
        select(*columns)
        .join(MESSAGE, MESSAGE.c.id == QUARANTINE_ITEM.c.message_id)
        .where(QUARANTINE_ITEM.c.released_at.is_(None), QUARANTINE_ITEM.c.discarded_at.is_(None))
        .order_by(QUARANTINE_ITEM.c.id.desc())
        .limit(limit)
    )
    return connection.execute(found).mappings().all()


def bytes_of(connection: Connection, item: int) -> bytes | None:
    """The message of an item, as it came."""
    asked = select(MESSAGE.c.raw).join(QUARANTINE_ITEM, QUARANTINE_ITEM.c.message_id == MESSAGE.c.id)
    raw: bytes | None = connection.execute(asked.where(QUARANTINE_ITEM.c.id == item)).scalar_one_or_none()
    return raw


def release(connection: Connection, item: int, by: str) -> int:
    """Judge the item's message again; its id. Raises NotInQuarantine."""
    message = _answer(connection, item, "released_at", by)
    again = (
        MESSAGE.update()
        .where(MESSAGE.c.id == message)
        .values(state="pending", reason=None, attempts=0, finished_at=None, due_at=db_now(connection))
    )
    try:
        released = connection.execute(again).rowcount == 1
    except IntegrityError:
        # An id belongs to the one event under it that was not set aside.
        released = False
    if not released:
        raise NotInQuarantine("another event holds this id: set that one aside first, or discard this one")
    return message


def discard(connection: Connection, item: int, by: str) -> int:
    """Leave the message unjudged for good; its bytes stay. Raises NotInQuarantine."""
    return _answer(connection, item, "discarded_at", by)


def _answer(connection: Connection, item: int, column: str, by: str) -> int:
    table = QUARANTINE_ITEM
    answered = (
        table.update()
        .where(table.c.id == item, table.c.released_at.is_(None), table.c.discarded_at.is_(None))
        .values({column: db_now(connection), "answered_by": by})
        .returning(table.c.message_id)
    )
    message: int | None = connection.execute(answered).scalar_one_or_none()
    if message is None:
        raise NotInQuarantine(f"no item {item} waits in quarantine")
    return message
