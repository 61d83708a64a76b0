"""The audit trail: records are inserted plainly, one sealer chains them, a verifier finds what was touched.

Each link's hash covers the canonical JSON of its record and the hash before it. A cut tail is found only
against a head that was kept elsewhere (`head`). What is worth a record, the callers say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select, text

from alerts.people import Actor
from alerts.snapshot import time_text
from alerts.tables import ALERT_EVENT, AUDIT, AUDIT_SEAL, WAS_READ

GENESIS = "0" * 64
SEALER_LOCK = 0x0FE44015
"""Key of the PostgreSQL advisory lock that makes the sealer one."""
LOOK_BACK = 10_000
"""Records this far behind the newest sealed one are looked at again: ids are given before commits. Each
second, and on SQLite under its write lock (10 to 18 ms, loaded): no farther than a transaction may live.
"""
SEALED_FIELDS = tuple(c.name for c in AUDIT.c)
EVENT_FIELDS = tuple(c.name for c in ALERT_EVENT.c)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing somebody read or did, to which object, and how it went."""

    action: str
    by: Actor
    object_kind: str
    object_id: str
    at: datetime
    patient_id: int | None = None
    outcome: str = "done"
    data: Mapping[str, Any] | None = None
    event_id: int | None = None
    event_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The newest link of the chain; keep it off the host."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the trail is not what was sealed."""

    kind: str
    seq: int | None
    audit_id: int | None


def record(connection: Connection, entries: Iterable[Entry]) -> None:
    """Insert records, unsealed, in the caller's transaction: without its record a step does not happen."""
    rows = [
        {
            "at": e.at,
            "action": e.action,
            "actor_system": e.by.system,
            "actor_ident": e.by.id,
            "origin": e.by.origin,
            "patient_id": e.patient_id,
            "object_kind": e.object_kind,
            "object_id": e.object_id,
            "outcome": e.outcome,
            "event_id": e.event_id,
            "event_digest": e.event_digest,
            "data": dict(e.data or {}),
        }
        for e in entries
    ]
    if rows:
        connection.execute(AUDIT.insert(), rows)


def readers(connection: Connection, alert_id: int) -> list[tuple[str, str, datetime]]:
    """Who has opened an alert, and when first: (system, id, time), the first reader first."""
    # The first condition as text: SQLite does not see through a parameter that the index fits.
    read = and_(WAS_READ, AUDIT.c.object_kind == "alert", AUDIT.c.outcome == "done")
    first = func.min(AUDIT.c.at).label("first")
    who = (AUDIT.c.actor_system, AUDIT.c.actor_ident)
    query = select(*who, first).where(read, AUDIT.c.object_id == str(alert_id)).group_by(*who)
    return [(r.actor_system, r.actor_ident, r.first) for r in connection.execute(query.order_by(first))]


def seal(connection: Connection, limit: int = 10_000) -> int:
    """Chain the records that are not yet sealed; how many. One sealer works at a time, others do nothing."""
    if not _only_sealer(connection):
        return 0
    last = head(connection)
    newest = connection.execute(select(func.max(AUDIT_SEAL.c.audit_id))).scalar() or 0
    unsealed = (
        select(AUDIT)
        .outerjoin(AUDIT_SEAL, AUDIT_SEAL.c.audit_id == AUDIT.c.id)
        .where(AUDIT_SEAL.c.seq.is_(None), AUDIT.c.id > newest - LOOK_BACK)
        .order_by(AUDIT.c.id)
        .limit(limit)
    )
    links = list(_chained(connection.execute(unsealed), last))
    if links:
        connection.execute(AUDIT_SEAL.insert(), links)
    return len(links)


def head(connection: Connection) -> Head:
    """The newest link; of an empty chain number 0."""
    newest = select(AUDIT_SEAL.c.seq, AUDIT_SEAL.c.hash).order_by(AUDIT_SEAL.c.seq.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return Head(row.seq, row.hash) if row else Head(0, GENESIS)


def verify(
    connection: Connection, until: datetime | None = None, kept_head: Head | None = None
) -> list[Break]:
    """Every break of the chain; empty when all is as it was sealed. Seal before: unsealed records are breaks.

    `until` looks only at records of up to that time; `kept_head` is one exported earlier.
    """
    breaks = [
        *_broken_links(connection, until),
        *_unsealed(connection, until),
        *_broken_events(connection, until),
    ]
    if kept_head is not None and not stands(connection, kept_head):
        breaks.append(Break("head", kept_head.seq, None))
    return breaks


def stands(connection: Connection, kept_head: Head) -> bool:
    """Whether a head that was kept elsewhere is still a link of the chain: its tail was not cut before it."""
    at_head = select(AUDIT_SEAL.c.hash).where(AUDIT_SEAL.c.seq == kept_head.seq)
    return kept_head.seq == 0 or connection.execute(at_head).scalar() == kept_head.hash


def oldest_unsealed(connection: Connection) -> datetime | None:
    """Since when a record waits to be sealed; None: none does."""
    newest = connection.execute(select(func.max(AUDIT_SEAL.c.audit_id))).scalar() or 0
    waiting = select(func.min(AUDIT.c.at)).outerjoin(AUDIT_SEAL, AUDIT_SEAL.c.audit_id == AUDIT.c.id)
    found: datetime | None = connection.execute(
        waiting.where(AUDIT_SEAL.c.seq.is_(None), AUDIT.c.id > newest - LOOK_BACK)
    ).scalar()
    return found


def canonical(fields: Iterable[str], row: Row[Any]) -> bytes:
    """One spelling of a row: sorted keys, no spaces, times in UTC; the same on every database."""
    content = {name: row._mapping[name] for name in fields}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), default=_plain).encode()


def event_digest(row: Row[Any]) -> str:
    """The digest of an `alert_event` row, which its audit record carries into the chain."""
    return hashlib.sha256(canonical(EVENT_FIELDS, row)).hexdigest()


def link_hash(previous: str, row: Row[Any]) -> str:
    """The hash of the link that seals `row` after `previous`."""
    return hashlib.sha256(previous.encode() + canonical(SEALED_FIELDS, row)).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return time_text(value) or ""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"audit: expected JSON, a date or a time, got {type(value).__name__}")


def _only_sealer(connection: Connection) -> bool:
    if connection.dialect.name == "sqlite":
        return True  # the writing transaction itself is exclusive there
    lock = text("select pg_try_advisory_xact_lock(:key)")
    return bool(connection.execute(lock, {"key": SEALER_LOCK}).scalar_one())


def _chained(rows: Iterable[Row[Any]], last: Head) -> Iterator[dict[str, Any]]:
    previous = last.hash
    for seq, row in enumerate(rows, start=last.seq + 1):
        sealed = link_hash(previous, row)
        yield {"seq": seq, "audit_id": row.id, "previous": previous, "hash": sealed}
        previous = sealed


def _broken_links(connection: Connection, until: datetime | None) -> Iterator[Break]:
    """Walks the whole chain: a link before `until` may stand after one behind it."""
    seal = (AUDIT_SEAL.c.seq, AUDIT_SEAL.c.audit_id, AUDIT_SEAL.c.previous, AUDIT_SEAL.c.hash)
    joined = AUDIT_SEAL.outerjoin(AUDIT, AUDIT.c.id == AUDIT_SEAL.c.audit_id)
    walk = select(*seal, *AUDIT.c).select_from(joined).order_by(AUDIT_SEAL.c.seq)
    previous, expected = GENESIS, 1
    for row in connection.execute(walk.execution_options(yield_per=1_000)):
        if until is not None and row.at is not None and row.at > until:
            pass
        elif row.seq != expected:
            yield Break("missing-link", expected, None)
        elif row.id is None:
            yield Break("removed", row.seq, row.audit_id)
        elif row.previous != previous or row.hash != link_hash(previous, row):
            yield Break("changed", row.seq, row.audit_id)
        previous, expected = row.hash, row.seq + 1


def _unsealed(connection: Connection, until: datetime | None) -> Iterator[Break]:
    loose = (
        select(AUDIT.c.id)
        .outerjoin(AUDIT_SEAL, AUDIT_SEAL.c.audit_id == AUDIT.c.id)
        .where(AUDIT_SEAL.c.seq.is_(None))
        .order_by(AUDIT.c.id)
    )
    if until is not None:
        loose = loose.where(AUDIT.c.at <= until)
    for audit_id in connection.execute(loose).scalars():
        yield Break("unsealed", None, audit_id)


def _broken_events(connection: Connection, until: datetime | None) -> Iterator[Break]:
    """Steps of alerts that are not what their audit record sealed, are gone, or have no record."""
    joined = AUDIT.outerjoin(ALERT_EVENT, ALERT_EVENT.c.id == AUDIT.c.event_id)
    tied = select(AUDIT.c.id.label("audit_id"), AUDIT.c.event_digest, *ALERT_EVENT.c).select_from(joined)
    tied = tied.where(AUDIT.c.event_id.is_not(None))
    unknown = ALERT_EVENT.outerjoin(AUDIT, AUDIT.c.event_id == ALERT_EVENT.c.id)
    loose = select(ALERT_EVENT.c.id).select_from(unknown).where(AUDIT.c.id.is_(None))
    if until is not None:
        tied, loose = tied.where(AUDIT.c.at <= until), loose.where(ALERT_EVENT.c.at <= until)
    for row in connection.execute(tied.execution_options(yield_per=1_000)):
        if row.id is None or event_digest(row) != row.event_digest:
            yield Break("event-removed" if row.id is None else "event-changed", None, row.audit_id)
    for _ in connection.execute(loose):
        yield Break("event-inserted", None, None)
