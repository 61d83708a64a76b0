"""The four tabs of the inbox: which alerts belong to each, in which order, and why one may be empty."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, case, or_

from alerts.states import State
from alerts.tables import ALERT
from rules.findings import Severity


class Tab(StrEnum):
    """The tabs, in order. The badge counts the first alone: low is shown, never pushed."""

    ANSWER = "answer"
    FOLLOWING = "following"
    INFORMATION = "information"
    ANSWERED = "answered"


EMPTY: dict[Tab, tuple[str, str]] = {
    Tab.ANSWER: (
        "Nothing needs your answer.",
        "New alerts appear here by themselves, the most severe first. "
        "Those of low severity are under “For information”.",
    ),
    Tab.FOLLOWING: (
        "Nothing is being followed up.",
        "An alert comes here when you acknowledge or snooze it, and leaves when the matter is settled.",
    ),
    Tab.INFORMATION: (
        "Nothing for information.",
        "Findings of low severity are listed here. They are not e-mailed and need no answer.",
    ),
    Tab.ANSWERED: (
        "No alert has ended yet.",
        "Dismissed, closed and withdrawn alerts are kept here, the latest first.",
    ),
}

FIRST = (State.RAISED, State.TOLD)
LOW = ALERT.c.severity == Severity.LOW.value

SEVERITY_RANK = case({s.value: s.rank for s in Severity}, value=ALERT.c.severity)


def belongs(tab: Tab, now: datetime) -> ColumnElement[bool]:
    """The condition on `alert`; every alert belongs to exactly one tab."""
    unanswered = or_(
        ALERT.c.state.in_(FIRST), and_(ALERT.c.state == State.SNOOZED, ALERT.c.snoozed_until <= now)
    )
    match tab:
        case Tab.ANSWER:
            return and_(unanswered, ~LOW)
        case Tab.INFORMATION:
            return and_(unanswered, LOW)
        case Tab.FOLLOWING:
            snoozed = and_(
                ALERT.c.state == State.SNOOZED,
                or_(ALERT.c.snoozed_until > now, ALERT.c.snoozed_until.is_(None)),
            )
            return or_(ALERT.c.state.in_((State.ACKNOWLEDGED, State.FOLLOWING_UP)), snoozed)
        case Tab.ANSWERED:
            return ALERT.c.state.in_((State.CLOSED, State.DISMISSED, State.WITHDRAWN))


def order(tab: Tab) -> tuple[ColumnElement[object], ...]:
    """Severity, then the longest wait; what has ended, the latest first."""
    if tab is Tab.ANSWERED:
        return (ALERT.c.updated_at.desc(), ALERT.c.id.desc())
    return (SEVERITY_RANK, ALERT.c.raised_at, ALERT.c.id)


def tab_of(state: State, severity: Severity, snoozed_until: datetime | None, now: datetime) -> Tab:
    """The tab an alert lies under, as `belongs` says."""
    asleep = state is State.SNOOZED and not (snoozed_until and snoozed_until <= now)
    if state in (State.CLOSED, State.DISMISSED, State.WITHDRAWN):
        return Tab.ANSWERED
    if asleep or state in (State.ACKNOWLEDGED, State.FOLLOWING_UP):
        return Tab.FOLLOWING
    return Tab.INFORMATION if severity is Severity.LOW else Tab.ANSWER
