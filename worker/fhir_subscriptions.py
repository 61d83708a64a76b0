"""The numbering of FHIR subscriptions: which events were told, which are missing and have to be fetched.

An event without its resource (id-only, empty) is missing too. Nothing is fetched here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from alerts import audit
from alerts.people import Actor
from worker.database import db_now, is_sqlite
from worker.intake.fhir_notification import Notification
from worker.intake.fhir_package import Package
from worker.tables import FHIR_GAP, FHIR_SUBSCRIPTION

MOST_GAPS = 1_000
"""Of more missing events the newest are fetched; the rest is for a bulk load."""

PAUSES = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5), timedelta(minutes=30))


@dataclass(frozen=True, slots=True)
class Gap:
    """A missing event: its number, and what it is about when that was told."""

    id: int
    number: int
    focus: str | None


@dataclass(frozen=True, slots=True)
class Missing:
    """Missing events of one subscription of one sender."""

    source: str
    subscription: str
    gaps: tuple[Gap, ...]


def told_by(package: Package) -> set[int]:
    """The numbers of the events whose resource came with the notification."""
    if package.notification is None:
        return set()
    present = {part.full_url for part in package.parts}
    present |= {f"{part.type}/{part.json.get('id')}" for part in package.parts}
    return {
        one.number
        for one in package.notification.happenings
        if one.focus is not None and (one.focus in present or address_in(one.focus) in present)
    }


def address_in(focus: str) -> str:
    """`Type/id` at the end of an address, whatever server it names."""
    return "/".join(focus.partition("/_history/")[0].rsplit("/", 2)[-2:])


def note(connection: Connection, source: str, notification: Notification, told: Collection[int]) -> int:
    """Write down what a notification says of the numbering; how many events are newly missing."""
    now = db_now(connection)
    row, before = _subscription(connection, source, notification.subscription, now)
    foci = {one.number: one.focus for one in notification.happenings}
    newest = max([before, *foci, notification.events_so_far or 0])
    # A query answers about the past: it says nothing of what came in between.
    reached = newest if not notification.kind.startswith("query") else before
    missing = {
        n: foci.get(n) for n in range(max(before + 1, reached - MOST_GAPS), reached + 1) if n not in told
    }
    missing |= {number: focus for number, focus in foci.items() if number not in told}
    found = _open(connection, row, missing, now)
    _close(connection, row, told, now)
    table = FHIR_SUBSCRIPTION
    connection.execute(table.update().where(table.c.id == row).values(newest=reached, heard_at=now))
    return found


def claim_missing(connection: Connection, sources: Collection[str]) -> Missing | None:
    """The due missing events of one subscription, nobody else's until a pause has passed."""
    now = db_now(connection)
    gap, subscription = FHIR_GAP, FHIR_SUBSCRIPTION
    due = (
        select(gap, subscription.c.source, subscription.c.address)
        .join(subscription, subscription.c.id == gap.c.subscription_id)
        .where(gap.c.closed_at.is_(None), gap.c.due_at <= now, subscription.c.source.in_(sources))
        .order_by(gap.c.subscription_id, gap.c.number)
        .limit(MOST_GAPS)
        .with_for_update(of=gap, skip_locked=True)
    )
    rows = connection.execute(due).all()
    rows = [row for row in rows if row.subscription_id == rows[0].subscription_id]
    for row in rows:
        pause = PAUSES[min(row.attempts, len(PAUSES) - 1)]
        again = {"due_at": now + pause, "attempts": row.attempts + 1}
        connection.execute(gap.update().where(gap.c.id == row.id).values(again))
    if not rows:
        return None
    gaps = tuple(Gap(row.id, row.number, row.focus) for row in rows)
    return Missing(rows[0].source, rows[0].address, gaps)


def listing(connection: Connection, *, every: bool = False) -> list[dict[str, Any]]:
    """The missing events (or all that ever were), oldest first: no address of a resource, which may name
    somebody.
    """
    gap, subscription = FHIR_GAP, FHIR_SUBSCRIPTION
    columns = (
        gap.c.id,
        subscription.c.source,
        subscription.c.address.label("subscription"),
        gap.c.number,
        gap.c.found_at,
        gap.c.attempts,
        gap.c.closed_at,
        gap.c.reason,
    )
    asked = select(*columns).join(subscription, subscription.c.id == gap.c.subscription_id)
    rows = connection.execute((asked if every else asked.where(gap.c.closed_at.is_(None))).order_by(gap.c.id))
    return [dict(row._mapping) for row in rows]


def missing_by_source(connection: Connection) -> dict[str, tuple[int, datetime]]:
    """How many events of each sender are missing, and since when."""
    gap, subscription = FHIR_GAP, FHIR_SUBSCRIPTION
    counted = (
        select(subscription.c.source, func.count(), func.min(gap.c.found_at))
        .join(subscription, subscription.c.id == gap.c.subscription_id)
        .where(gap.c.closed_at.is_(None))
        .group_by(subscription.c.source)
    )
    return {source: (count, since) for source, count, since in connection.execute(counted)}


def close_by_hand(connection: Connection, gap: int, reason: str, by: Actor) -> bool:
    """Nobody looks for this event any longer; False when it is missing no more. Raises ValueError."""
    if not reason.strip():
        raise ValueError("reason: say why, in words")
    now, table = db_now(connection), FHIR_GAP
    waiting = table.update().where(table.c.id == gap, table.c.closed_at.is_(None))
    if connection.execute(waiting.values(closed_at=now, reason="by-hand")).rowcount != 1:
        return False
    data = {"reason": reason.strip()[:1000]}
    entry = audit.Entry(
        action="fhir-gap.close", by=by, object_kind="fhir-gap", object_id=str(gap), at=now, data=data
    )
    audit.record(connection, [entry])
    return True


def close(connection: Connection, gaps: Sequence[int], reason: str) -> None:
    """These events are missing no longer."""
    table = FHIR_GAP
    closed = table.update().where(table.c.id.in_(gaps), table.c.closed_at.is_(None))
    connection.execute(closed.values(closed_at=db_now(connection), reason=reason))


def _subscription(connection: Connection, source: str, address: str, now: datetime) -> tuple[int, int]:
    """The subscription's row, held until the end of the transaction, and its newest number."""
    table = FHIR_SUBSCRIPTION
    dialect = sqlite if is_sqlite(connection) else postgresql
    row = {"source": source, "address": address, "newest": 0, "heard_at": now}
    connection.execute(dialect.insert(table).values(row).on_conflict_do_nothing())
    same = (table.c.source == source, table.c.address == address)
    found = connection.execute(select(table.c.id, table.c.newest).where(*same).with_for_update()).one()
    return found.id, found.newest


def _open(connection: Connection, row: int, missing: Mapping[int, str | None], now: datetime) -> int:
    if not missing:
        return 0
    dialect = sqlite if is_sqlite(connection) else postgresql
    rows = [
        {"subscription_id": row, "number": number, "focus": focus, "found_at": now, "due_at": now,
         "attempts": 0, "lease": 0}
        for number, focus in sorted(missing.items())
    ]  # fmt: skip
    statement = dialect.insert(FHIR_GAP).on_conflict_do_nothing().returning(FHIR_GAP.c.id)
    return len(connection.execute(statement, rows).all())


def _close(connection: Connection, row: int, told: Collection[int], now: datetime) -> None:
    table = FHIR_GAP
    same = (table.c.subscription_id == row, table.c.number.in_(told), table.c.closed_at.is_(None))
    connection.execute(table.update().where(*same).values(closed_at=now, reason="told"))
