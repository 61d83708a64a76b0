"""The storm brake: when a rule or a source surges, its new alerts are held until a person has looked.

Counted by rows in the database, in the transaction that raises, so that any number of workers brake together.
What held alerts become is done a batch at a time by `settle`, which also finds those that were held while
their storm was being answered: none is lost. A critical alert is never held (`alerts.holding`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from alerts import audit, directory, follow_up
from alerts.addressing import addressees
from alerts.answers import cleaned
from alerts.due import Reach
from alerts.holding import HeldFor, Surge
from alerts.people import Actor
from alerts.reconcile import Reason
from alerts.routing import INBOX, Lane
from alerts.snapshot import follow_ups_of
from alerts.states import State, Step
from alerts.steps import Cause, Standing, take
from alerts.tables import ALERT, STORM
from alerts.telling import News, enqueue
from rules.findings import Severity

USUAL_DAYS = 7
SOURCE_TIMES = 5
"""A source feeds many rules: its floor is so many times a rule's."""
BATCH = 200
COLUMN = {Surge.RULE: ALERT.c.rule, Surge.SOURCE: ALERT.c.source}


class Outcome(StrEnum):
    """What a person decides about what a storm held."""

    RELEASE = "release"
    MERGE = "merge"
    VOID = "void"


class NoSuchStorm(Exception):
    """No storm of this number waits for an answer."""


@dataclass(frozen=True, slots=True)
class Terms:
    """When a surge is a storm: more than `floor` alerts of one rule within `window`, and more than `factor`
    times what was usual in an hour. `floor` 0 switches the brake off.
    """

    floor: int
    factor: int
    window: timedelta


def in_force(connection: Connection) -> dict[tuple[str, str], int]:
    """The storms that hold new alerts: (kind, key) → its number."""
    rows = connection.execute(
        select(STORM).where(STORM.c.answered_at.is_(None), STORM.c.subsided_at.is_(None))
    )
    return {(row.kind, row.key): row.id for row in rows}


def watch(
    connection: Connection, raised: Iterable[tuple[str, str | None]], terms: Terms, now: datetime
) -> list[int]:
    """Look whether these (rule, source) that just raised alerts surge; the storms that began, by number."""
    if not terms.floor:
        return []
    raised = list(raised)
    keys = {(Surge.RULE, rule) for rule, _ in raised}
    keys |= {(Surge.SOURCE, source) for _, source in raised if source}
    known = in_force(connection) if keys else {}
    # In one order, so that two workers cannot wait for each other's storm crosswise.
    begun = [
        _look(connection, kind, key, terms, now) for kind, key in sorted(keys) if (kind, key) not in known
    ]
    return [storm for storm in begun if storm is not None]


def subside(connection: Connection, terms: Terms, now: datetime) -> int:
    """Storms whose surge is over hold nothing new; what they held still waits for a person. How many."""
    waiting = select(STORM).where(STORM.c.answered_at.is_(None), STORM.c.subsided_at.is_(None))
    over = [
        row.id
        for row in connection.execute(waiting).all()
        if _count(connection, Surge(row.kind), row.key, now - terms.window, now, row.limit) <= row.limit
        and row.started_at <= now - terms.window
    ]
    if over:
        connection.execute(STORM.update().where(STORM.c.id.in_(over)).values(subsided_at=now))
    return len(over)


def listing(connection: Connection, *, every: bool = False) -> list[dict[str, Any]]:
    """The storms that wait for an answer (or all), the newest first, with how many alerts each holds."""
    held = (
        select(func.count())
        .where(ALERT.c.storm_id == STORM.c.id, ALERT.c.state == State.HELD)
        .scalar_subquery()
    )
    query = select(STORM, held.label("held")).order_by(STORM.c.id.desc())
    rows = connection.execute(query if every else query.where(or_(STORM.c.answered_at.is_(None), held > 0)))
    return [dict(row._mapping) for row in rows]


def answer(
    connection: Connection, storm: int, outcome: Outcome, reason: str, by: Actor, now: datetime
) -> None:
    """Decide what its held alerts become. Raises NoSuchStorm, ValueError for an empty reason."""
    reason = cleaned("reason", reason) or ""
    if not reason:
        raise ValueError("reason: say why, in words")
    values = {
        "outcome": outcome,
        "reason": reason[:1000],
        "answered_at": now,
        "answered_by_system": by.system,
        "answered_by_ident": by.id,
    }
    waiting = (STORM.c.id == storm) & STORM.c.answered_at.is_(None)
    if connection.execute(STORM.update().where(waiting).values(**values)).rowcount != 1:
        raise NoSuchStorm(f"no storm {storm} waits for an answer")
    entry = audit.Entry(
        action=f"storm.{outcome}",
        by=by,
        object_kind="storm",
        object_id=str(storm),
        at=now,
        data={"reason": reason},
    )
    audit.record(connection, [entry])


def settle(connection: Connection, reach: Reach, now: datetime, *, limit: int = BATCH) -> int:
    """Do to a batch of held alerts what was decided about their storm; how many there were."""
    answered = (
        select(ALERT, STORM.c.outcome, STORM.c.answered_by_system, STORM.c.answered_by_ident)
        .join(STORM, STORM.c.id == ALERT.c.storm_id)
        .where(ALERT.c.state == State.HELD, STORM.c.answered_at.is_not(None))
        .order_by(STORM.c.id, ALERT.c.patient_id, ALERT.c.id)
        .limit(limit)
    )
    rows = connection.execute(answered.with_for_update(of=ALERT, skip_locked=True)).all()
    for row in rows:
        if row.outcome == Outcome.VOID:
            _void(connection, row, now)
    released = [row for row in rows if row.outcome != Outcome.VOID]
    news = [(row, _release(connection, row, reach, now)) for row in released]
    for patient in dict.fromkeys(row.patient_id for row in released):
        own = [(row, told) for row, told in news if row.patient_id == patient]
        enqueue(connection, patient, [_lanes(told, row.outcome, inbox=True) for row, told in own])
    merged = [told for row, told in news if row.outcome == Outcome.MERGE]
    if merged:
        first = next(row for row in released if row.outcome == Outcome.MERGE)
        enqueue(connection, first.patient_id, [_lanes(told, Outcome.MERGE, inbox=False) for told in merged])
    return len(rows)


def _look(connection: Connection, kind: Surge, key: str, terms: Terms, now: datetime) -> int | None:
    """A storm, if there are too many: cheap while there are few, which is nearly always."""
    floor = terms.floor * (SOURCE_TIMES if kind is Surge.SOURCE else 1)
    since = max(now - terms.window, _last_answer(connection, kind, key) or now - terms.window)
    if _count(connection, kind, key, since, now, floor) <= floor:
        return None
    limit = max(floor, terms.factor * _usual_in_an_hour(connection, kind, key, since))
    raised = _count(connection, kind, key, since, now, limit)
    return _begin(connection, kind, key, raised, limit, now) if raised > limit else None


def _count(connection: Connection, kind: Surge, key: str, since: datetime, to: datetime, limit: int) -> int:
    """Alerts raised in a time, counted no further than one past `limit`."""
    some = select(ALERT.c.id).where(*_of(kind, key), ALERT.c.raised_at > since, ALERT.c.raised_at <= to)
    counted = select(func.count()).select_from(some.limit(limit + 1).subquery())
    found: int = connection.execute(counted).scalar_one()
    return found


def _usual_in_an_hour(connection: Connection, kind: Surge, key: str, before: datetime) -> int:
    """The mean of the last days, storms left out: a surge must not make the next one usual."""
    start = before - timedelta(days=USUAL_DAYS)
    ordinary = (ALERT.c.storm_id.is_(None), ALERT.c.raised_at > start, ALERT.c.raised_at <= before)
    query = select(func.count(), func.min(ALERT.c.raised_at)).where(*_of(kind, key), *ordinary)
    count, first = connection.execute(query).one()
    if not first:
        return 0
    hours: float = max((before - first).total_seconds() / 3600, 24.0)
    usual: int = round(count / hours)
    return usual


def _of(kind: Surge, key: str) -> tuple[ColumnElement[bool], ...]:
    before_go_live = func.coalesce(ALERT.c.held_for, "") == HeldFor.BEFORE_GO_LIVE
    of_key: ColumnElement[bool] = COLUMN[kind] == key
    # A released alert counts from its storm, not again from its release.
    answered = select(STORM.c.id).where(STORM.c.answered_at.is_not(None))
    return of_key, ~before_go_live, func.coalesce(ALERT.c.storm_id, 0).not_in(answered)


def _last_answer(connection: Connection, kind: Surge, key: str) -> datetime | None:
    """What a person has looked at does not count again."""
    query = select(func.max(STORM.c.answered_at)).where(STORM.c.kind == kind, STORM.c.key == key)
    found: datetime | None = connection.execute(query).scalar()
    return found


def _begin(
    connection: Connection, kind: Surge, key: str, raised: int, limit: int, now: datetime
) -> int | None:
    """The storm, unless another worker has begun it. One that had subsided holds again."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {"kind": kind, "key": key, "raised": raised, "limit": limit, "started_at": now}
    insert = dialect.insert(STORM).values(**row).on_conflict_do_nothing().returning(STORM.c.id)
    storm: int | None = connection.execute(insert).scalar_one_or_none()
    if storm is None:
        again = (STORM.c.kind == kind) & (STORM.c.key == key) & STORM.c.answered_at.is_(None)
        values = {"subsided_at": None, "started_at": now}
        connection.execute(STORM.update().where(again, STORM.c.subsided_at.is_not(None)).values(**values))
    return storm


def _release(connection: Connection, row: Row[Any], reach: Reach, now: datetime) -> News:
    cause = Cause(_by(row), now, f"storm-{row.outcome}d", {"storm": row.storm_id})
    taken = take(connection, _standing(row), Step.RELEASE, cause, {"raised_at": now})
    follow_up.expect(connection, row.id, row.patient_id, follow_ups_of(row.follow_up), now)
    to = addressees(connection, row.id)
    severity = Severity(row.severity)
    push = () if reach.has_died(connection, row.patient_id) else reach.push
    router = directory.router(connection, {}, to, now=now, push=push, fallback=reach.fallback)
    return News(taken, severity, row.headline, router.lanes(to, severity))


def _lanes(news: News, outcome: str, *, inbox: bool) -> News:
    """Released: every lane of its own. Merged: the inbox and the record of its own, the rest in one message
    for each person.
    """
    if outcome != Outcome.MERGE:
        return news
    kept = tuple(lane for lane in news.lanes if _is_its_own(lane) is inbox)
    return News(news.taken, news.severity, news.headline, kept)


def _is_its_own(lane: Lane) -> bool:
    return lane.channel == INBOX or lane.address.is_record_system


def _void(connection: Connection, row: Row[Any], now: datetime) -> None:
    cause = Cause(_by(row), now, Reason.VOIDED, {"storm": row.storm_id})
    take(connection, _standing(row), Step.CLOSE, cause)


def _by(row: Row[Any]) -> Actor:
    return Actor(row.answered_by_system, row.answered_by_ident)


def _standing(row: Row[Any]) -> Standing:
    return Standing(row.id, row.patient_id, State(row.state), row.version)
