"""Sending what the outbox holds: claimed by lease, in order, with growing waits, under one key each.

A delivery is attempted outside of any transaction and recorded after; a crash between the two repeats it with
the same key (twice rather than never). What an alert has meanwhile become is looked at just before sending.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, exists, func, or_, select

from alerts import destinations, directory, timers
from alerts.channels.channel import Channel, Line, Message, Passing, Refused
from alerts.leases import PENDING, Claimed, claim, database_now, settle, writing
from alerts.people import RECORD_SYSTEM, Address, ferrule
from alerts.reconcile import PATIENT_DECEASED
from alerts.routing import SMS
from alerts.states import ASKING, ENDED, State, Step
from alerts.steps import Cause, Standing, take
from alerts.tables import ALERT, ALERT_EVENT, DELIVERY, NOTICE
from alerts.telling import HELD, HasDied, nobody_died
from rules.findings import Severity

OUTBOX = ferrule("outbox")
LEASE = timedelta(seconds=30)
"""How long the delivery of a sender that died waits. A slower sender only repeats under the same key."""
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=5)
LONGEST_ASKED_WAIT = timedelta(hours=1)
"""A receiver may ask for a longer wait than ours, but not for one that outlives what is told."""
GIVE_UP_AFTER = timedelta(hours=24)
GAVE_UP = "gave-up"
FAULT = "fault"
BUNDLED = "bundled"
ASKS_FOR_AN_ANSWER = (
    Step.RAISE,
    Step.RELEASE,
    Step.WORSEN,
    Step.REASSIGN,
    Step.WAKE,
    Step.LAPSE,
)
ESCALATES = (Step.REMIND, Step.ESCALATE)


class Outcome(StrEnum):
    """What became of an attempt."""

    SENT = "sent"
    RETRIED = "retried"
    FAILED = "failed"
    OVERTAKEN = "overtaken"
    FENCED = "fenced"


@dataclass(slots=True)
class Delivered:
    """What one round did: attempts by (channel, outcome, reason), and how long new alerts took to be told."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    received_to_told_seconds: list[float] = field(default_factory=list)

    @property
    def attempts(self) -> int:
        """How many deliveries were looked at."""
        return self.counts.total()


@dataclass(frozen=True, slots=True)
class _Ready:
    """A claimed delivery and what it would say now (no lines: events have overtaken it).

    `untold` are the alerts on it that were waiting to be told when it was claimed.
    """

    claimed: Claimed
    row: Row[Any]
    message: Message
    event_ids: tuple[int, ...]
    untold: tuple[int, ...]
    silenced: bool = False


def deliver_due(
    engine: Engine,
    channels: Iterable[Channel],
    *,
    limit: int = 100,
    lease: timedelta = LEASE,
    has_died: HasDied = nobody_died,
) -> Delivered:
    """Send what is due, at most `limit` by each channel. A channel that is down ends its own round only."""
    delivered = Delivered()
    for channel in channels:
        deliver = _record_next if channel.instant else _send_next
        for _ in range(limit):
            if not deliver(engine, channel, lease, delivered, has_died):
                break
    return delivered


def wait_after(attempts: int, key: str) -> timedelta:
    """Doubling from FIRST_WAIT to LONGEST_WAIT, less up to half of it: by the key, so that a herd spreads."""
    doubled = timedelta(seconds=FIRST_WAIT.total_seconds() * float(2 ** min(attempts - 1, 16)))
    full = min(doubled, LONGEST_WAIT)
    jitter = int(key[:8], 16) / 0xFFFFFFFF
    return full * (1 - jitter / 2)


def _record_next(
    engine: Engine, channel: Channel, lease: timedelta, delivered: Delivered, has_died: HasDied
) -> bool:
    """One delivery made by being recorded; one a transaction, so that alerts are not locked crosswise."""
    with writing(engine) as connection:
        ready = _claim_next(connection, channel, lease, has_died)
        if ready is None:
            return False
        if ready.message.lines:
            channel.send(ready.message)
        _record(connection, channel, ready, None, delivered)
    return True


def _send_next(
    engine: Engine, channel: Channel, lease: timedelta, delivered: Delivered, has_died: HasDied
) -> bool:
    """One delivery: claimed, sent, recorded. False: there is none, or the channel is down."""
    with writing(engine) as connection:
        ready = _claim_next(connection, channel, lease, has_died)
        if ready is not None and not ready.message.lines:
            _record(connection, channel, ready, None, delivered)
            return True
    if ready is None:
        return False
    problem = _attempt(channel, ready.message)
    with writing(engine) as connection:
        _record(connection, channel, ready, problem, delivered)
    return not (isinstance(problem, Passing) and problem.is_down)


def _attempt(channel: Channel, message: Message) -> Refused | Passing | None:
    try:
        channel.send(message)
    except (Refused, Passing) as problem:
        return problem
    except Exception:
        # A fault of ours in one message: it waits its turn like any other, and is given up in the end.
        return Passing(FAULT)
    return None


def _claim_next(
    connection: Connection, channel: Channel, lease: timedelta, has_died: HasDied
) -> _Ready | None:
    if not channel.instant and destinations.waits(connection, channel.name, database_now(connection)):
        return None
    claimed = claim(connection, DELIVERY, limit=1, lease=lease, where=_next_of_lane(channel.name))
    if not claimed:
        return None
    row = connection.execute(select(DELIVERY).where(DELIVERY.c.id == claimed[0].id)).one()
    if row.lane.endswith(HELD) and claimed[0].attempts == 1 and _is_all_live(connection, row):
        _bundle(connection, row)
    return _ready(connection, claimed[0], row, channel, has_died)


def _bundle(connection: Connection, row: Row[Any]) -> None:
    """What was held for the same person goes out as one message, put together before its first attempt."""
    held = and_(
        DELIVERY.c.channel == row.channel,
        DELIVERY.c.recipient_system == row.recipient_system,
        DELIVERY.c.recipient_ident == row.recipient_ident,
        DELIVERY.c.lane.endswith(HELD, autoescape=True),
        DELIVERY.c.state == PENDING,
        DELIVERY.c.attempts == 0,
        DELIVERY.c.due_at <= database_now(connection),
        DELIVERY.c.id != row.id,
    )
    others = connection.execute(select(DELIVERY).where(held).with_for_update(skip_locked=True)).all()
    # What events have overtaken is looked at by itself: it must not count as told.
    ids = [other.id for other in others if _is_all_live(connection, other)]
    if not ids:
        return
    moved = NOTICE.update().where(NOTICE.c.delivery_id.in_(ids))
    connection.execute(moved.values(delivery_id=row.id))
    done = {"state": BUNDLED, "reason": f"in delivery {row.id}"}
    connection.execute(DELIVERY.update().where(DELIVERY.c.id.in_(ids)).values(**done))


def _next_of_lane(channel: str) -> ColumnElement[bool]:
    """Only the first unfinished delivery of a lane, so that the last notice somebody gets is the truth."""
    earlier = DELIVERY.alias("earlier")
    blocked = exists().where(
        earlier.c.lane == DELIVERY.c.lane, earlier.c.id < DELIVERY.c.id, earlier.c.state == PENDING
    )
    return and_(DELIVERY.c.channel == channel, ~blocked)


def _ready(
    connection: Connection, claimed: Claimed, row: Row[Any], channel: Channel, has_died: HasDied
) -> _Ready:
    to = Address(row.recipient_system, row.recipient_ident)
    said = [n for n in _notices(connection, row) if _still_says(connection, row, n)]
    live = said if channel.instant or to.is_record_system else _pushed(connection, said, has_died)
    live.sort(key=lambda n: Severity(n.severity).rank)
    message = Message(
        key=row.delivery_key,
        to=to,
        email=None if channel.instant else directory.email_of(connection, to),
        phone=directory.phone_of(connection, to) if channel.name == SMS else None,
        created_at=row.created_at,
        lines=tuple(Line(n.alert_id, Step(n.step), Severity(n.severity), n.headline) for n in live),
    )
    # What is written into a record has reached nobody yet.
    untold = () if to.is_record_system else tuple(n.alert_id for n in live if n.alert_state == State.RAISED)
    return _Ready(claimed, row, message, tuple(n.event_id for n in live), untold, bool(said) and not live)


def _pushed(connection: Connection, notices: list[Row[Any]], has_died: HasDied) -> list[Row[Any]]:
    """Without what was to be pushed of somebody who has died since; taking back follows what was told."""
    patients = {n.patient_id for n in notices if n.step != Step.WITHDRAW}
    silenced = {patient for patient in patients if has_died(connection, patient)}
    return [n for n in notices if n.step == Step.WITHDRAW or n.patient_id not in silenced]


def _notices(connection: Connection, row: Row[Any]) -> list[Row[Any]]:
    """The lines of a delivery, each with the state its alert is in now."""
    query = (
        select(NOTICE, ALERT.c.state.label("alert_state"), ALERT.c.patient_id)
        .join(ALERT, ALERT.c.id == NOTICE.c.alert_id)
        .where(NOTICE.c.delivery_id == row.id)
        .order_by(NOTICE.c.position, NOTICE.c.id)
    )
    return list(connection.execute(query).all())


def _is_all_live(connection: Connection, row: Row[Any]) -> bool:
    return all(_still_says(connection, row, notice) for notice in _notices(connection, row))


def _still_says(connection: Connection, row: Row[Any], notice: Row[Any]) -> bool:
    """Taking back is said only where the alert was carried; all else only while the alert is open. A record
    that shows an alert shows its end as well.
    """
    ended = State(notice.alert_state) in ENDED
    if notice.step == Step.WITHDRAW or (ended and row.recipient_system == RECORD_SYSTEM):
        return _carried(connection, row, notice.alert_id)
    if notice.step in ESCALATES:
        return notice.alert_state in ASKING  # whoever answered meanwhile is not to be called up
    return not ended


def _carried(connection: Connection, row: Row[Any], alert_id: int) -> bool:
    """Whether this person was told, or may have been, of the alert by this channel before. In doubt: yes."""
    perhaps = or_(
        DELIVERY.c.state == Outcome.SENT,
        # An attempt before the last may have been made by one who died before recording it.
        and_(DELIVERY.c.state.in_([Outcome.OVERTAKEN, Outcome.FAILED]), DELIVERY.c.attempts > 1),
        and_(DELIVERY.c.state == Outcome.FAILED, DELIVERY.c.reason == GAVE_UP),
        # One that was held may be on its way this moment: its lane is another one.
        and_(DELIVERY.c.state == PENDING, DELIVERY.c.attempts > 0),
    )
    same = and_(
        DELIVERY.c.channel == row.channel,
        DELIVERY.c.recipient_system == row.recipient_system,
        DELIVERY.c.recipient_ident == row.recipient_ident,
    )
    earlier = (
        select(DELIVERY.c.id)
        .join(NOTICE, NOTICE.c.delivery_id == DELIVERY.c.id)
        .where(NOTICE.c.alert_id == alert_id, same, DELIVERY.c.id < row.id, perhaps)
    )
    return connection.execute(earlier.limit(1)).first() is not None


def _record(
    connection: Connection,
    channel: Channel,
    ready: _Ready,
    problem: Refused | Passing | None,
    delivered: Delivered,
) -> None:
    now = database_now(connection)
    outcome, reason, values = _outcome(ready, problem, now)
    if not channel.instant and ready.message.lines:
        _note_destination(connection, channel, problem, now)
    if not settle(connection, DELIVERY, ready.claimed, values):
        outcome, reason = Outcome.FENCED, "lease-lost"
    elif outcome is Outcome.SENT:
        _mark_told(connection, channel, ready, now, delivered)
    elif outcome is Outcome.FAILED and not ready.message.to.is_record_system:
        # This person cannot be reached so: whoever is next in the ladder hears of it at once.
        timers.hurry(connection, [line.alert_id for line in ready.message.lines], now)
    delivered.counts[channel.name, outcome.value, reason] += 1


def _note_destination(
    connection: Connection, channel: Channel, problem: Refused | Passing | None, now: datetime
) -> None:
    if isinstance(problem, Passing) and problem.is_down:
        asked = min(problem.retry_after, LONGEST_ASKED_WAIT) if problem.retry_after else None
        destinations.note_failing(connection, channel.name, problem.reason, now, asked)
    elif problem is None or isinstance(problem, Refused):
        destinations.note_taking(connection, channel.name)


def _outcome(
    ready: _Ready, problem: Refused | Passing | None, now: datetime
) -> tuple[Outcome, str, dict[str, Any]]:
    """The outcome, its reason, and what is written to the row."""
    if not ready.message.lines:
        why = PATIENT_DECEASED if ready.silenced else "alert-ended"
        return Outcome.OVERTAKEN, why, {"state": Outcome.OVERTAKEN, "reason": why}
    if problem is None:
        return Outcome.SENT, "", {"state": Outcome.SENT, "reason": None, "sent_at": now}
    if isinstance(problem, Refused):
        return Outcome.FAILED, problem.reason, {"state": Outcome.FAILED, "reason": problem.reason}
    if now - ready.row.created_at >= GIVE_UP_AFTER:
        return Outcome.FAILED, GAVE_UP, {"state": Outcome.FAILED, "reason": GAVE_UP}
    asked = min(problem.retry_after or timedelta(0), LONGEST_ASKED_WAIT)
    due = now + max(asked, wait_after(ready.claimed.attempts, ready.row.delivery_key))
    return Outcome.RETRIED, problem.reason, {"due_at": due, "reason": problem.reason}


def _mark_told(
    connection: Connection, channel: Channel, ready: _Ready, now: datetime, delivered: Delivered
) -> None:
    """An alert that waited to be told is told now, unless it has become worse since this was written."""
    if not ready.untold:
        return
    asks = select(func.max(ALERT_EVENT.c.id)).where(
        ALERT_EVENT.c.alert_id == ALERT.c.id, ALERT_EVENT.c.step.in_(ASKS_FOR_AN_ANSWER)
    )
    waiting = select(ALERT, asks.scalar_subquery().label("asked_by")).where(
        ALERT.c.id.in_(ready.untold), ALERT.c.state == State.RAISED
    )
    data = {"channel": channel.name, "to": {"system": ready.message.to.system, "id": ready.message.to.id}}
    for row in connection.execute(waiting.order_by(ALERT.c.id).with_for_update(of=ALERT)).all():
        if row.asked_by not in ready.event_ids:
            continue
        standing = Standing(row.id, row.patient_id, State.RAISED, row.version)
        take(connection, standing, Step.TELL, Cause(OUTBOX, now, channel.name, data), {"told_at": now})
        if ready.row.received_at is not None:
            delivered.received_to_told_seconds.append((now - ready.row.received_at).total_seconds())
