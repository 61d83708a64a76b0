"""How each rule is used: what it raised, how people answered first, how long that took. Reads only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import Connection, Row, func, select

from alerts.follow_up import Expectation
from alerts.states import OPEN, Step
from alerts.tables import ALERT, ALERT_EVENT, FOLLOW_UP

ANSWERS = (Step.ACKNOWLEDGE, Step.DISMISS, Step.RESOLVE, Step.SNOOZE)
MOST_COMMENTS = 20


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote beside an answer: free text, which may name a person."""

    alert_id: int
    patient_id: int
    text: str


@dataclass(frozen=True, slots=True)
class RuleUse:
    """One rule's alerts since a moment. `dismissed` counts coded reasons, the most frequent first."""

    rule: str
    raised: int
    answered: int
    dismissed: tuple[tuple[str, int], ...]
    half_answered_within: timedelta | None
    overdue: int
    comments: tuple[Comment, ...]


def rule_use(connection: Connection, since: datetime, now: datetime) -> list[RuleUse]:
    """Each rule that raised an alert since then, the most frequent first."""
    query = select(ALERT.c.id, ALERT.c.patient_id, ALERT.c.rule, ALERT.c.raised_at)
    raised: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(query.where(ALERT.c.raised_at >= since)):
        raised[row.rule].append(row)
    first, late = _first_answers(connection, since), _overdue(connection, now)
    found = [_of(rule, rows, first, late[rule]) for rule, rows in raised.items()]
    return sorted(found, key=lambda one: (-one.raised, one.rule))


def _first_answers(connection: Connection, since: datetime) -> dict[int, Row[Any]]:
    """The first answer of a person to each alert raised since."""
    query = (
        select(ALERT_EVENT)
        .join(ALERT, ALERT.c.id == ALERT_EVENT.c.alert_id)
        .where(ALERT.c.raised_at >= since, ALERT_EVENT.c.step.in_(ANSWERS))
    )
    rows = connection.execute(query.order_by(ALERT_EVENT.c.alert_id, ALERT_EVENT.c.seq.desc()))
    return {row.alert_id: row for row in rows}


def _overdue(connection: Connection, now: datetime) -> Counter[str]:
    query = (
        select(ALERT.c.rule, func.count())
        .join(FOLLOW_UP, FOLLOW_UP.c.alert_id == ALERT.c.id)
        .where(FOLLOW_UP.c.state == Expectation.EXPECTED, FOLLOW_UP.c.due < now.date())
        .where(ALERT.c.state.in_(sorted(OPEN)))
        .group_by(ALERT.c.rule)
    )
    return Counter({row[0]: row[1] for row in connection.execute(query)})


def _of(rule: str, rows: Sequence[Any], first: dict[int, Row[Any]], overdue: int) -> RuleUse:
    answers = [(row, first[row.id]) for row in rows if row.id in first]
    waits = [(answer.at - row.raised_at).total_seconds() for row, answer in answers]
    dismissed = Counter(answer.reason for _, answer in answers if answer.step == Step.DISMISS)
    said = [
        Comment(row.id, row.patient_id, text)
        for row, answer in answers
        if (text := answer.data.get("comment"))
    ]
    return RuleUse(
        rule=rule,
        raised=len(rows),
        answered=len(answers),
        dismissed=tuple(dismissed.most_common()),
        half_answered_within=timedelta(seconds=median(waits)) if waits else None,
        overdue=overdue,
        comments=tuple(said[:MOST_COMMENTS]),
    )
