"""Accepting messages: every one is in the database, byte for byte, before its sender hears yes.

Same key and same bytes: the first receipt again. Same key and other bytes: an event that says the same is
kept beside the first and not judged, another one is set aside as id-reused; an HL7 message is taken as new
and flagged. An id belongs to the one event under it that was not set aside: what was quarantined may be sent
again mended, under its id. Nothing else is decoded here; judging comes later (`worker.judging`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.dialects import postgresql, sqlite

from worker import faultpoints, metrics
from worker.database import db_now, is_sqlite, retried, writing
from worker.intake.same_event import is_same_event
from worker.quarantine import ID_REUSED
from worker.quarantine_reasons import QuarantineReason
from worker.tables import MESSAGE, QUARANTINE_ITEM, SOURCE_SEEN

DOORBELL_SECONDS = 1
"""A poller leaves a new message to the workers for so long."""

LONGEST_NAME_BYTES = 500
"""No index of PostgreSQL takes a row over 2,704 bytes, and three such names stand in one."""

SAME_EVENT = "same-event"
"""Reason of a row that is kept for its bytes alone: an event stored before, written in another way."""

_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message as its sender gave it. `format` is one of `worker.intake.decode`.

    `unreadable` is (reason, place, remedy) when the door could not read it: the bytes are kept in quarantine,
    or apart from all that is judged when the door `refused` them: not for us, and the sender knows it; sent
    again and no longer refused they are taken. `flag` is what the door noticed of one it took.
    """

    source: str
    message_id: str
    format: str
    raw: bytes
    unreadable: tuple[str, str, str] | None = None
    refused: bool = False
    flag: str | None = None

    def __post_init__(self) -> None:
        """No database takes every character a sender may put into a name."""
        for name in ("source", "message_id"):
            object.__setattr__(self, name, _storable(getattr(self, name)))

    @property
    def sha256(self) -> str:
        """The bytes' hash, the third part of a message's key."""
        return hashlib.sha256(self.raw).hexdigest()


def _storable(text: str) -> str:
    """The name as a database takes it. One that is cut ends in its hash: two long names stay two."""
    name = _UNSTORABLE.sub("\ufffd", text)
    whole = name.encode()
    if len(whole) <= LONGEST_NAME_BYTES:
        return name
    ending = f"~{hashlib.sha256(whole).hexdigest()}"
    return whole[: LONGEST_NAME_BYTES - len(ending)].decode(errors="ignore") + ending


class Outcome(StrEnum):
    """What became of one inbound message."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender may be told: the row's id, what became of it, and when it first arrived.

    Of a duplicate `refused` says whether the first one was refused.
    """

    message: int
    outcome: Outcome
    reason: str | None
    first_received_at: datetime
    refused: bool = False
    flag: str | None = None

    @property
    def judge(self) -> bool:
        """Whether there is something to ring the doorbell for."""
        return self.outcome is Outcome.STORED


Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """A message that is stored already."""

    row: int
    reason: str | None
    received_at: datetime
    refused: bool = False


def accept(engine: Engine, inbound: Sequence[Inbound]) -> list[Receipt]:
    """Store all of `inbound` in one commit; one receipt for each, in order.

    Raises what the database raises: then nothing was accepted and the sender must send again.
    """
    if not inbound:
        return []

    def store() -> list[Receipt]:
        with writing(engine) as connection:
            receipts = _store(connection, inbound)
            faultpoints.reach("inside-commit")
        return receipts

    receipts = retried(store)
    count_accepted(inbound, receipts)
    return receipts


def accept_within(connection: Connection, inbound: Sequence[Inbound]) -> list[Receipt]:
    """The same in a transaction of the caller's, who calls `count_accepted` once it is committed."""
    return _store(connection, inbound)


def _store(connection: Connection, inbound: Sequence[Inbound]) -> list[Receipt]:
    now = db_now(connection)
    by_key: dict[Key, Inbound] = {}
    for message in inbound:
        by_key.setdefault(_key(message), message)
    # In the order of arrival: a row's id is its arrival number, which settles ties between versions.
    new = _insert(connection, [_row(message, now) for message in by_key.values()])
    known = _known(connection, by_key.keys() - new.keys())
    new |= _reopen(connection, [by_key[key] for key in known], known, now)
    other = [key for key in by_key if key not in new and key not in known]
    same = _same_events(connection, [by_key[key] for key in other])
    _insert(connection, [_row(by_key[key], now, reason=SAME_EVENT) for key in same])
    reused = [key for key in other if key not in same]
    aside = _insert(connection, [_row(by_key[key], now, reason=ID_REUSED) for key in reused])
    hl7 = [message for message in by_key.values() if message.format != "event"]
    flagged = _flag_reused(connection, hl7, new)
    _quarantine(connection, by_key, new, aside, now)
    _mark_seen(connection, {message.source for message in inbound}, now)
    return _receipts(inbound, Rows(new, known | same, aside, flagged), now)


def _key(message: Inbound) -> Key:
    return (message.source, message.message_id, message.sha256)


def _row(message: Inbound, now: datetime, reason: str | None = None) -> dict[str, Any]:
    reason = reason or (message.unreadable[0] if message.unreadable else None)
    return {
        "source": message.source,
        "message_id": message.message_id,
        "sha256": message.sha256,
        "format": message.format,
        "raw": message.raw,
        "state": _state(message, reason),
        "reason": reason,
        "flag": message.flag,
        "attempts": 0,
        "lease": 0,
        "due_at": now + timedelta(seconds=DOORBELL_SECONDS),
        "received_at": now,
        "finished_at": now if reason else None,
    }


def _state(message: Inbound, reason: str | None) -> str:
    if reason is None:
        return "pending"
    if message.refused:
        return "rejected"
    return "judged" if reason == SAME_EVENT else "quarantined"


def _insert(connection: Connection, rows: list[dict[str, Any]]) -> dict[Key, int]:
    """The rows that were new, by key."""
    if not rows:
        return {}
    dialect = sqlite if is_sqlite(connection) else postgresql
    table = MESSAGE
    insert = dialect.insert(table).on_conflict_do_nothing()
    returned = connection.execute(
        insert.returning(table.c.source, table.c.message_id, table.c.sha256, table.c.id), rows
    )
    return {(source, message_id, sha256): row for source, message_id, sha256, row in returned}


def _known(connection: Connection, keys: set[Key]) -> dict[Key, Known]:
    """Which of `keys` are stored already."""
    if not keys:
        return {}
    table = MESSAGE
    columns = (
        table.c.id,
        table.c.source,
        table.c.message_id,
        table.c.sha256,
        table.c.reason,
        table.c.received_at,
        table.c.state,
    )
    # Source first: that is how the index over the three begins.
    sources, ids, hashes = (sorted({key[part] for key in keys}) for part in range(3))
    same = table.c.source.in_(sources) & table.c.message_id.in_(ids) & table.c.sha256.in_(hashes)
    found = {
        (row.source, row.message_id, row.sha256): Known(
            row.id, row.reason, row.received_at, row.state == "rejected"
        )
        for row in connection.execute(select(*columns).where(same))
    }
    return {key: found[key] for key in keys if key in found}


def _same_events(connection: Connection, messages: list[Inbound]) -> dict[Key, Known]:
    """Those of `messages` that say what an event of the same source and id says that is stored already."""
    table = MESSAGE
    columns = (table.c.id, table.c.reason, table.c.received_at, table.c.raw)
    found: dict[Key, Known] = {}
    for message in messages:
        same_id = (table.c.source == message.source) & (table.c.message_id == message.message_id)
        first = connection.execute(
            select(*columns).where(same_id, table.c.format == "event", table.c.reason.is_(None))
        ).first()
        if first is not None and is_same_event(first.raw, message.raw):
            found[_key(message)] = Known(first.id, first.reason, first.received_at)
    return found


def _reopen(
    connection: Connection, messages: list[Inbound], known: dict[Key, Known], now: datetime
) -> dict[Key, int]:
    """Those of the `known` messages that a door refused then and takes now: from this moment they are new."""
    wanted = {known[_key(m)].row: _key(m) for m in messages if known[_key(m)].refused and not m.unreadable}
    if not wanted:
        return {}
    table = MESSAGE
    again = {
        "state": "pending",
        "reason": None,
        "finished_at": None,
        "received_at": now,
        "due_at": now + timedelta(seconds=DOORBELL_SECONDS),
    }
    taken = table.update().where(table.c.id.in_(wanted), table.c.state == "rejected").values(again)
    return {wanted[row]: row for row in connection.execute(taken.returning(table.c.id)).scalars()}


def _flag_reused(connection: Connection, messages: list[Inbound], new: dict[Key, int]) -> set[Key]:
    """Those whose id their source has given to other bytes before."""
    fresh = [message for message in messages if _key(message) in new and message.message_id]
    if not fresh:
        return set()
    table = MESSAGE
    same = select(table.c.source, table.c.message_id).where(
        table.c.source.in_({message.source for message in fresh}),
        table.c.message_id.in_({message.message_id for message in fresh}),
    )
    shared = same.group_by(table.c.source, table.c.message_id).having(func.count() > 1)
    twice = {tuple(row) for row in connection.execute(shared)}
    flagged = {_key(message) for message in fresh if _key(message)[:2] in twice}
    if flagged:
        ids = [new[key] for key in flagged]
        connection.execute(table.update().where(table.c.id.in_(ids)).values(flag=ID_REUSED))
    return flagged


def _quarantine(
    connection: Connection,
    by_key: dict[Key, Inbound],
    new: dict[Key, int],
    aside: dict[Key, int],
    now: datetime,
) -> None:
    items = []
    for key, row in new.items():
        if (why := by_key[key].unreadable) and not by_key[key].refused:
            items.append(_item(row, *why, now))
    remedy = QuarantineReason.ID_REUSED.remedy
    items += [_item(row, ID_REUSED, "id", remedy, now) for row in aside.values()]
    if items:
        connection.execute(QUARANTINE_ITEM.insert(), items)


def _item(message: int, reason: str, place: str, remedy: str, now: datetime) -> dict[str, Any]:
    return {"message_id": message, "reason": reason, "place": place, "remedy": remedy, "created_at": now}


def _mark_seen(connection: Connection, sources: set[str], now: datetime) -> None:
    """Know the sender. Never an update: every door would wait for the one row."""
    dialect = sqlite if is_sqlite(connection) else postgresql
    rows = [{"source": source, "first_message_at": now} for source in sorted(sources)]
    connection.execute(dialect.insert(SOURCE_SEEN).on_conflict_do_nothing(), rows)


@dataclass(frozen=True, slots=True)
class Rows:
    """What one commit did with the keys it was given."""

    new: dict[Key, int]
    known: dict[Key, Known]
    aside: dict[Key, int]
    flagged: set[Key]


def _receipts(inbound: Sequence[Inbound], rows: Rows, now: datetime) -> list[Receipt]:
    given = {
        key: Receipt(one.row, Outcome.DUPLICATE, one.reason, one.received_at, one.refused)
        for key, one in rows.known.items()
        if key not in rows.new
    }
    receipts = []
    for message in inbound:
        key = _key(message)
        if key in given:
            receipts.append(replace(given[key], outcome=Outcome.DUPLICATE, flag=None))
            continue
        given[key] = _first_receipt(message, key, rows, now)
        receipts.append(given[key])
    return receipts


def _first_receipt(message: Inbound, key: Key, rows: Rows, now: datetime) -> Receipt:
    if key in rows.aside:
        return Receipt(rows.aside[key], Outcome.QUARANTINED, ID_REUSED, now)
    flag = ID_REUSED if key in rows.flagged else message.flag
    if not message.unreadable:
        return Receipt(rows.new[key], Outcome.STORED, None, now, flag=flag)
    outcome = Outcome.REFUSED if message.refused else Outcome.QUARANTINED
    return Receipt(rows.new[key], outcome, message.unreadable[0], now, message.refused, flag)


def count_accepted(inbound: Sequence[Inbound], receipts: Sequence[Receipt]) -> None:
    """What was stored, in the metrics."""
    for message, receipt in zip(inbound, receipts, strict=True):
        metrics.count_received(message.source, message.format)
        if receipt.outcome is Outcome.DUPLICATE:
            metrics.count_duplicate(message.source, message.format)
        if receipt.outcome is Outcome.QUARANTINED:
            metrics.count_quarantined(message.source, receipt.reason or "")
        if receipt.outcome is Outcome.REFUSED:
            metrics.count_refused(message.source, receipt.reason or "")
        if receipt.flag:
            metrics.count_flagged(message.source, receipt.flag)
