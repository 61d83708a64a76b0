"""What happens when a timer is due: reminded, escalated, called, asked again. Each in a transaction of its
own.

A timer is claimed by lease; the alert is locked before the timer is settled, as every answer does, so that
of an answer and an escalation at one moment exactly one comes first and the other sees it. Nothing is sent
here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from alerts import directory
from alerts.addressing import address, addressees
from alerts.escalation import Timer
from alerts.follow_up import Expectation
from alerts.leases import Claimed, claim, database_now, settle, writing
from alerts.people import UNADDRESSED, Address, ferrule
from alerts.reconcile import PATIENT_DECEASED
from alerts.routing import Addressee, Why
from alerts.snapshot import time_text
from alerts.states import ASKING, OPEN, TAKEN_ON, State, Step, Taken
from alerts.steps import Cause, Standing, take
from alerts.tables import ALERT, FOLLOW_UP, TIMER
from alerts.telling import HasDied, nobody_died, tell
from rules.findings import Severity

TIMERS = ferrule("timer")
LEASE = timedelta(seconds=30)
BATCH = 20

Clock = Callable[[Connection], datetime]

TOLD = "told"
OVERTAKEN = "overtaken"
FENCED = "fenced"
FAILED = "failed"


def _nobody_asks(_error: Exception) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Reach:
    """By what this site tells people: the channels that are switched on, and the pool that gets what is
    left. `has_died` asks the floor above about a patient, of whom then nothing is pushed.
    """

    push: tuple[str, ...] = ()
    fallback: Address = UNADDRESSED
    has_died: HasDied = nobody_died


@dataclass(frozen=True, slots=True)
class _Ring:
    """One timer that is due, and its alert, locked."""

    connection: Connection
    reach: Reach
    timer: Row[Any]
    alert: Row[Any]
    now: datetime

    @property
    def silenced(self) -> bool:
        """Of somebody who has died everything is shown still, and nothing pushed."""
        return self.reach.has_died(self.connection, self.alert.patient_id)

    @property
    def state(self) -> State:
        return State(self.alert.state)

    @property
    def owner(self) -> Address:
        return Address(self.alert.recipient_system, self.alert.recipient_ident)


def run_due(
    engine: Engine,
    reach: Reach,
    *,
    now: Clock = database_now,
    limit: int = BATCH,
    failed: Callable[[Exception], None] = _nobody_asks,
) -> Counter[tuple[str, str]]:
    """Do what is due, at most `limit` timers; how many by (kind, outcome). Any number may run at once.

    `failed` is told why a timer could not be handled.
    """
    with writing(engine) as connection:
        # What is done on the floor above has a claimer of its own there.
        ours = TIMER.c.kind.not_in([Timer.EXPLAIN, Timer.UNEXPLAIN])
        claimed = claim(connection, TIMER, limit=limit, lease=LEASE, where=ours, now=now(connection))
    done: Counter[tuple[str, str]] = Counter()
    for one in claimed:
        done[_do(engine, reach, one, now, failed)] += 1
    return done


def _do(
    engine: Engine, reach: Reach, claimed: Claimed, now: Clock, failed: Callable[[Exception], None]
) -> tuple[str, str]:
    kind = "unknown"
    try:
        with writing(engine) as connection:
            timer = connection.execute(select(TIMER).where(TIMER.c.id == claimed.id)).one()
            kind = timer.kind
            alert = connection.execute(
                select(ALERT).where(ALERT.c.id == timer.alert_id).with_for_update()
            ).one()
            at = now(connection)
            if not settle(connection, TIMER, claimed, {"state": "done", "reason": None, "ended_at": at}):
                return kind, FENCED
            outcome = _HAPPENS[Timer(kind)](_Ring(connection, reach, timer, alert, at))
            connection.execute(TIMER.update().where(TIMER.c.id == timer.id).values(reason=outcome))
            return kind, outcome
    except Exception as error:
        failed(error)
        # One timer that cannot be handled must not hold up the others; it comes again when its lease ends,
        # and `ferrule_timers_late_seconds` shows it.
        return kind, FAILED


def _remind(ring: _Ring) -> str:
    if ring.state not in ASKING:
        return OVERTAKEN
    taken = _step(ring, Step.REMIND, "unanswered")
    return _tell(ring, taken, *addressees(ring.connection, ring.alert.id))


def _to_cover(ring: _Ring) -> str:
    """Everybody who covers the owner now; nobody does: the pool, at once."""
    if ring.state not in ASKING:
        return OVERTAKEN
    covering = directory.covering(ring.connection, ring.owner, ring.now)
    return _escalate(ring, covering or (ring.reach.fallback,), "cover" if covering else "cover-gap")


def _to_pool(ring: _Ring) -> str:
    return _escalate(ring, (ring.reach.fallback,), "pool") if ring.state in ASKING else OVERTAKEN


def _to_call_list(ring: _Ring) -> str:
    if ring.state not in ASKING:
        return OVERTAKEN
    changes = {"call_list_since": ring.now}
    return _escalate(ring, (ring.reach.fallback,), "call-list", changes)


def _ask_again(ring: _Ring) -> str:
    if ring.state not in TAKEN_ON:
        return OVERTAKEN
    taken = _step(ring, Step.LAPSE, "acknowledgement-lapsed")
    return _tell(ring, taken, *addressees(ring.connection, ring.alert.id))


def _miss(ring: _Ring) -> str:
    """What was expected has not come: its owner hears of it."""
    missed = _missed(ring)
    if missed is None:
        return OVERTAKEN
    taken = _step(ring, Step.OVERDUE, "follow-up-overdue", missed)
    return _tell(ring, taken, ring.owner)


def _miss_for_long(ring: _Ring) -> str:
    """The owner has done nothing about it: the pool hears of it, and the alert asks for an answer again."""
    missed = _missed(ring)
    if missed is None:
        return OVERTAKEN
    if Severity(ring.alert.severity) is Severity.LOW:
        return "low"
    step = Step.LAPSE if ring.state in TAKEN_ON else Step.OVERDUE
    taken = _step(ring, step, "follow-up-overdue", missed)
    address(ring.connection, ring.alert.id, [Addressee(ring.reach.fallback, Why.ESCALATED)], ring.now)
    return _tell(ring, taken, ring.owner, ring.reach.fallback)


_HAPPENS: Mapping[Timer, Callable[[_Ring], str]] = {
    Timer.REMIND: _remind,
    Timer.COVER: _to_cover,
    Timer.POOL: _to_pool,
    Timer.CALL: _to_call_list,
    Timer.LAPSE: _ask_again,
    Timer.FOLLOW_UP: _miss,
    Timer.FOLLOW_UP_POOL: _miss_for_long,
}


def _missed(ring: _Ring) -> dict[str, Any] | None:
    """What is still expected; None: it came, or nobody waits for it any more."""
    kept = select(FOLLOW_UP).where(FOLLOW_UP.c.id == ring.timer.follow_up_id)
    row = ring.connection.execute(kept).one_or_none()
    if row is None or row.state != Expectation.EXPECTED or ring.state not in OPEN:
        return None
    return {"expect": row.expect, "due": row.due.isoformat()}


def _escalate(
    ring: _Ring, to: tuple[Address, ...], reason: str, changes: Mapping[str, Any] | None = None
) -> str:
    data = {"to": [{"system": a.system, "id": a.id} for a in to]}
    taken = _step(ring, Step.ESCALATE, reason, data, changes)
    address(ring.connection, ring.alert.id, [Addressee(a, Why.ESCALATED) for a in to], ring.now)
    _tell(ring, taken, *to)
    return reason


def _step(
    ring: _Ring,
    step: Step,
    reason: str,
    data: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Taken:
    alert = ring.alert
    standing = Standing(alert.id, alert.patient_id, ring.state, alert.version)
    data = {**(data or {}), "planned_at": time_text(ring.timer.planned_at)}
    if ring.silenced:
        data["not_pushed"] = PATIENT_DECEASED
    return take(ring.connection, standing, step, Cause(TIMERS, ring.now, reason, data), changes)


def _tell(ring: _Ring, taken: Taken, *to: Address) -> str:
    tell(ring.connection, taken, to, ring.now, ring.reach.push, ring.reach.has_died)
    return TOLD
