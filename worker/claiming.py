"""Claiming stored messages to judge: whom they belong to now, and when one is given up.

Attempts are counted before a message runs. One that has failed or killed before is claimed alone, so that the
rest of its batch goes on without it; at the limit it is set aside. What judging does is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, or_, select, tuple_

from worker import metrics
from worker.database import db_now
from worker.quarantine import Aside, set_aside
from worker.quarantine_reasons import QuarantineReason
from worker.tables import MESSAGE

FAILED_REPEATEDLY = Aside.of(QuarantineReason.FAILED_REPEATEDLY, "message")

FIRST_PAUSE_SECONDS = 2
LONGEST_PAUSE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours until its lease ends. `lease` must be shown when its outcome is written."""

    id: int
    lease: int
    attempts: int
    source: str
    format: str
    raw: bytes
    received_at: datetime
    reading: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """How work is claimed: how many together, for how long, and how often one may fail."""

    limit: int
    lease: timedelta
    attempts: int


def claim_rung(connection: Connection, ids: Sequence[int], terms: Terms) -> list[Claimed]:
    """Those of `ids` nobody has claimed yet, or whose lease has ended."""
    now = db_now(connection)
    free = or_(MESSAGE.c.lease == 0, MESSAGE.c.due_at <= now)
    return _claim(connection, MESSAGE.c.id.in_(ids) & free, terms, now)


def claim_due(connection: Connection, terms: Terms) -> list[Claimed]:
    """What nobody has judged in time: not rung for, given back, or left by a worker that died."""
    now = db_now(connection)
    return _claim(connection, MESSAGE.c.due_at <= now, terms, now)


def give_back(connection: Connection, claimed: Claimed, *, blameless: bool) -> None:
    """Let it be claimed again: soon and with no attempt counted when `blameless`, else later."""
    pause = FIRST_PAUSE_SECONDS if blameless else _pause_seconds(claimed.attempts)
    connection.execute(
        MESSAGE.update()
        .where(MESSAGE.c.id == claimed.id, MESSAGE.c.lease == claimed.lease, MESSAGE.c.state == "pending")
        .values(
            due_at=db_now(connection) + timedelta(seconds=pause),
            attempts=MESSAGE.c.attempts - (1 if blameless else 0),
        )
    )


def finish(connection: Connection, claimed: Sequence[Claimed], now: datetime) -> set[int]:
    """Mark them judged; the ids whose lease was still ours. The others are somebody else's by now."""
    if not claimed:
        return set()
    leases = tuple_(MESSAGE.c.id, MESSAGE.c.lease).in_([(message.id, message.lease) for message in claimed])
    judged = (
        MESSAGE.update()
        .where(leases, MESSAGE.c.state == "pending")
        .values(state="judged", finished_at=now)
        .returning(MESSAGE.c.id)
    )
    return set(connection.execute(judged).scalars())


def _claim(connection: Connection, which: ColumnElement[bool], terms: Terms, now: datetime) -> list[Claimed]:
    """Fresh messages together; else one that has been tried before, alone."""
    columns = (MESSAGE.c.id, MESSAGE.c.attempts, MESSAGE.c.source)
    due = (
        select(*columns).where(MESSAGE.c.state == "pending", which).order_by(MESSAGE.c.id).limit(terms.limit)
    )
    found = connection.execute(due.with_for_update(skip_locked=True)).all()
    for row in found:
        if row.attempts >= terms.attempts:
            set_aside(connection, row.id, FAILED_REPEATEDLY, now)
            metrics.count_quarantined(row.source, FAILED_REPEATEDLY.reason)
    fresh = [row.id for row in found if row.attempts == 0]
    tried = [row.id for row in found if 0 < row.attempts < terms.attempts]
    return _take(connection, fresh or tried[:1], now + terms.lease)


def _take(connection: Connection, ids: Sequence[int], until: datetime) -> list[Claimed]:
    if not ids:
        return []
    taken = (
        MESSAGE.update()
        .where(MESSAGE.c.id.in_(ids))
        .values(due_at=until, lease=MESSAGE.c.lease + 1, attempts=MESSAGE.c.attempts + 1)
        .returning(*(MESSAGE.c[name] for name in Claimed.__slots__))
    )
    claimed = [Claimed(*row) for row in connection.execute(taken)]
    return sorted(claimed, key=lambda message: message.id)


def _pause_seconds(attempts: int) -> int:
    pause: int = FIRST_PAUSE_SECONDS * 4 ** max(0, attempts - 1)
    return min(pause, LONGEST_PAUSE_SECONDS)
