"""Which timers a step of an alert starts and stops. Pure: the policy and the moment are handed in.

What asks for an answer starts a ladder (reminder, cover, pool, call list); an answer ends it, and has a
clock of its own. How timers are kept is `alerts.timers`, what happens when one is due `alerts.due`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from alerts.policy import EscalationPolicy, ends
from alerts.states import Step
from rules.findings import Severity


class Timer(StrEnum):
    """What a timer is for."""

    REMIND = "remind"
    COVER = "cover"
    POOL = "pool"
    CALL = "call"
    LAPSE = "lapse"
    FOLLOW_UP = "follow-up"
    FOLLOW_UP_POOL = "follow-up-pool"
    EXPLAIN = "explain"
    UNEXPLAIN = "unexplain"


LADDER = (Timer.REMIND, Timer.COVER, Timer.POOL, Timer.CALL)
OF_ANSWER = (*LADDER, Timer.LAPSE)
"""The timers about an answer; the others are about what is expected to arrive."""

ASKS = (Step.RAISE, Step.RELEASE, Step.WORSEN, Step.WAKE, Step.REASSIGN, Step.REOPEN, Step.LAPSE)
"""Steps after which an alert waits for an answer, with a whole ladder before it."""
STOPS = (Step.ACKNOWLEDGE, Step.SNOOZE, Step.DISMISS, Step.RESOLVE, Step.CLOSE, Step.WITHDRAW)
"""Steps after which nobody is asked."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One timer and when it is due."""

    kind: Timer
    due_at: datetime


def ladder(policy: EscalationPolicy, severity: Severity, since: datetime) -> tuple[Planned, ...]:
    """The plan of an alert that asks since `since`; none for low, which is never pushed."""
    found = policy.ladder(severity)
    if found is None:
        return ()
    waits = found.steps.items()
    return tuple(Planned(Timer(kind), ends(policy.calendar, wait, since)) for kind, wait in waits)


def lapse(policy: EscalationPolicy, severity: Severity, since: datetime) -> tuple[Planned, ...]:
    """When an acknowledgement of `since` is no longer enough; never for low."""
    found = policy.ladder(severity)
    return (Planned(Timer.LAPSE, ends(policy.calendar, found.acknowledged_for, since)),) if found else ()


def call_again(policy: EscalationPolicy, severity: Severity, since: datetime) -> tuple[Planned, ...]:
    """A call with read-back is good for as long as an acknowledgement is; then somebody calls again."""
    return tuple(Planned(Timer.CALL, planned.due_at) for planned in lapse(policy, severity, since))


def overdue(policy: EscalationPolicy, due: date) -> tuple[Planned, ...]:
    """What is expected by the end of `due` is missed when the next day starts; the pool hears of it later."""
    calendar = policy.calendar
    day_after = datetime.combine(due, time(0), calendar.tz) + timedelta(days=1)
    missed = datetime.combine(day_after.date(), calendar.day_starts, calendar.tz)
    return (
        Planned(Timer.FOLLOW_UP, missed),
        Planned(Timer.FOLLOW_UP_POOL, ends(calendar, policy.follow_ups.pool, missed)),
    )
