"""The work-list of what could not be understood: kept, listed with reason, place and remedy, and answered.

A message in quarantine stops nothing that comes after it. Released, it is read again and judged by the
normal path, under its old key; discarded, it stays unjudged, its bytes kept. Every answer is audited. The
metric counts what was set aside once the transaction is known to be committed (`Aside` values are handed up
for that).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, case, func, select
from sqlalchemy.exc import IntegrityError

from alerts import audit
from alerts.answers import cleaned
from alerts.people import Actor
from worker.database import db_now
from worker.quarantine_reasons import QuarantineReason
from worker.tables import MESSAGE, QUARANTINE_ITEM

ID_REUSED = QuarantineReason.ID_REUSED.value
READABLE = ("judged", "quarantined")
"""States from which a message may be read again. One that is pending is about to be read anyway."""


class NotInQuarantine(Exception):
    """No message with this id waits in quarantine."""


@dataclass(frozen=True, slots=True)
class Aside:
    """Why a message, or a part of one, is set aside: a reason from a closed set, the place, what to do."""

    reason: QuarantineReason
    place: str
    remedy: str

    @classmethod
    def of(cls, reason: QuarantineReason, place: str) -> Aside:
        """Set aside for this reason, with what is always to be done about it."""
        return cls(reason, place, reason.remedy)


def is_waiting() -> list[ColumnElement[bool]]:
    """As conditions: nobody has answered the item."""
    return [QUARANTINE_ITEM.c.released_at.is_(None), QUARANTINE_ITEM.c.discarded_at.is_(None)]


@dataclass(frozen=True, slots=True)
class Only:
    """Which items are meant. `sources` are names as messages carry them; None: all."""

    reason: str | None = None
    sources: Sequence[str] | None = None
    item: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As conditions on waiting items joined with their messages."""
        found = is_waiting()
        if self.reason is not None:
            found.append(QUARANTINE_ITEM.c.reason == self.reason)
        if self.sources is not None:
            found.append(MESSAGE.c.source.in_(self.sources))
        if self.item is not None:
            found.append(QUARANTINE_ITEM.c.id == self.item)
        return found


EVERY = Only()


# ── setting aside ────────────────────────────────────────────────────────────────────────────────────


def set_aside(connection: Connection, message: int, why: Aside, now: datetime) -> None:
    """Set the whole message aside."""
    connection.execute(
        MESSAGE.update()
        .where(MESSAGE.c.id == message)
        .values(state="quarantined", reason=why.reason.value, finished_at=now)
    )
    note(connection, message, why, now)


def note(connection: Connection, message: int, why: Aside, now: datetime) -> None:
    """Write down what could not be understood of a message; the rest of it may have been judged."""
    row = {
        "message_id": message,
        "reason": why.reason.value,
        "place": why.place,
        "remedy": why.remedy,
        "created_at": now,
    }
    connection.execute(QUARANTINE_ITEM.insert(), [row])


# ── the list ─────────────────────────────────────────────────────────────────────────────────────────

ITEMS = QUARANTINE_ITEM.join(MESSAGE, MESSAGE.c.id == QUARANTINE_ITEM.c.message_id)


def waiting(
    connection: Connection, only: Only = EVERY, limit: int = 1000, after: int = 0
) -> Sequence[RowMapping]:
    """What waits, the oldest first, from beyond item `after`: never the bytes."""
    found = _columns().where(*only.conditions(), QUARANTINE_ITEM.c.id > after)
    return connection.execute(found.order_by(QUARANTINE_ITEM.c.id).limit(limit)).mappings().all()


def most_urgent(connection: Connection, only: Only = EVERY, limit: int = 1000) -> Sequence[RowMapping]:
    """What waits, for people: what may hold a critical value first, then the oldest."""
    first = case((QUARANTINE_ITEM.c.may_be_critical.is_(True), 0), else_=1)
    found = _columns().where(*only.conditions()).order_by(first, QUARANTINE_ITEM.c.id)
    return connection.execute(found.limit(limit)).mappings().all()


def _columns() -> Select[Any]:
    columns = (
        QUARANTINE_ITEM,
        MESSAGE.c.source,
        MESSAGE.c.message_id.label("sender_id"),
        MESSAGE.c.format,
        MESSAGE.c.state,
    )
    return select(*columns).select_from(ITEMS)


def heaps(connection: Connection, only: Only = EVERY) -> Sequence[RowMapping]:
    """What waits, by reason and source: how many, how many of them may be critical, and since when."""
    by = (QUARANTINE_ITEM.c.reason, MESSAGE.c.source)
    critical = func.sum(case((QUARANTINE_ITEM.c.may_be_critical.is_(True), 1), else_=0))
    counted = (
        func.count().label("count"),
        func.min(QUARANTINE_ITEM.c.created_at).label("oldest"),
        critical.label("critical"),
    )
    found = select(*by, *counted).select_from(ITEMS).where(*only.conditions()).group_by(*by)
    return connection.execute(found.order_by(critical.desc(), func.count().desc(), *by)).mappings().all()


def the_item(connection: Connection, item: int) -> RowMapping:
    """One item that waits. Raises NotInQuarantine."""
    found = waiting(connection, Only(item=item))
    if not found:
        raise NotInQuarantine(f"no item {item} waits in quarantine")
    return found[0]


def bytes_of(connection: Connection, item: int, by: Actor, because: str) -> bytes:
    """The message of an item, as it came: patient data, so that who looked and why is kept. Raises
    NotInQuarantine.
    """
    asked = select(MESSAGE.c.id, MESSAGE.c.raw).select_from(ITEMS).where(QUARANTINE_ITEM.c.id == item)
    row = connection.execute(asked).first()
    if row is None:
        raise NotInQuarantine(f"there is no item {item}")
    _record(connection, "quarantine-read", by, row.id, {"item": item, "because": cleaned("because", because)})
    raw: bytes = row.raw
    return raw


def age_text(since: datetime, now: datetime) -> str:
    """How long it has waited, in two units at most: 3 d 4 h, 12 min."""
    minutes = max(0, int((now - since).total_seconds() // 60))
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────


def release(connection: Connection, item: int, by: Actor) -> int:
    """Read the item's message again and judge it; its id. All items of the message are answered by that.

    Raises NotInQuarantine: it waits no longer, or its id belongs to another event by now.
    """
    message: int = the_item(connection, item)["message_id"]
    if not _answer(connection, message, "released_at", by, "released"):
        raise NotInQuarantine(f"no item {item} waits in quarantine")
    if not read_again(connection, message, by, f"item {item} released"):
        raise NotInQuarantine("another event holds this id: set that one aside first, or discard this one")
    return message


def discard(connection: Connection, item: int, by: Actor, because: str) -> int:
    """Take an item off the list for good; the message stays as it is, its bytes kept. Raises
    NotInQuarantine, or ValueError without a reason.
    """
    because = cleaned("because", because) or ""
    if not because:
        raise ValueError("say why it is discarded")
    message: int = the_item(connection, item)["message_id"]
    if not _answer(connection, message, "discarded_at", by, because, item):
        raise NotInQuarantine(f"no item {item} waits in quarantine")
    _record(connection, "quarantine-discard", by, message, {"item": item, "because": because})
    return message


def read_again(connection: Connection, message: int, by: Actor, because: str) -> bool:
    """Let a stored message be read and judged once more, by the mapping in force; whether it may be.

    Its facts keep their places: a later reading of one message wins over an earlier one. Twice at once is
    once: a message that is pending already is left as it is.
    """
    again = (
        MESSAGE.update()
        .where(MESSAGE.c.id == message, MESSAGE.c.state.in_(READABLE))
        .values(
            state="pending",
            reason=None,
            attempts=0,
            finished_at=None,
            due_at=db_now(connection),
            reading=MESSAGE.c.reading + 1,
        )
    )
    try:
        with connection.begin_nested():
            changed = connection.execute(again).rowcount == 1
    except IntegrityError:  # an id belongs to the one event under it that was not set aside
        return False
    if changed:
        _record(connection, "read-again", by, message, {"because": because})
    return changed or _is_pending(connection, message)


def _is_pending(connection: Connection, message: int) -> bool:
    state = connection.execute(select(MESSAGE.c.state).where(MESSAGE.c.id == message)).scalar_one_or_none()
    return state == "pending"


def _answer(
    connection: Connection, message: int, column: str, by: Actor, words: str, item: int | None = None
) -> bool:
    """Answer what waits of a message, or one item of it; whether anything was."""
    table = QUARANTINE_ITEM
    which: Iterable[ColumnElement[bool]] = [] if item is None else [table.c.id == item]
    answered = (
        table.update()
        .where(
            table.c.message_id == message,
            table.c.released_at.is_(None),
            table.c.discarded_at.is_(None),
            *which,
        )
        .values({column: db_now(connection), "answered_by": f"{by.system}|{by.id}", "answer": words})
    )
    return connection.execute(answered).rowcount > 0


def _record(connection: Connection, action: str, by: Actor, message: int, data: dict[str, object]) -> None:
    now = db_now(connection)
    audit.record(connection, [audit.Entry(action, by, "message", str(message), now, data=data)])
