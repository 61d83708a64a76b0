"""/governance, for the owners of the rules: what each rule raised, how it was answered, how long that took.

Counts, times and comments; no name, no value. A comment is free text that may name somebody: that it was
shown is kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection, Row, func, select

from alerts.follow_up import Expectation
from alerts.silent import fared
from alerts.states import OPEN, Step
from alerts.tables import ALERT, ALERT_EVENT, FOLLOW_UP
from worker.database import db_now, writing
from worker.web import trail, words
from worker.web.deps import Have
from worker.web.frame import frame_of
from worker.web.pages import page
from worker.web.readers import RuleOwner
from worker.web.silent_findings import fared_words

router = APIRouter(include_in_schema=False)

ANSWERS = (Step.ACKNOWLEDGE, Step.DISMISS, Step.RESOLVE, Step.SNOOZE)
DAYS = (7, 30, 90, 365)
MOST_COMMENTS = 20


@router.get("/governance")
def show(
    request: Request, reader: RuleOwner, have: Have, days: Annotated[int, Query(ge=1, le=3650)] = 30
) -> Response:
    """Each rule that raised an alert in the last days, the most frequent first."""
    with writing(have.engine) as connection:
        now = db_now(connection)
        rules = _rules(connection, now - timedelta(days=days), now)
        said = [row for rule in rules for row, _ in rule["comments"]]
        alerts, patients = [row.id for row in said], [row.patient_id for row in said]
        trail.note_list(connection, now, trail.actor(request, reader), alerts, patients)
        quiet = [fared_words(one) for one in fared(connection)]
    context: dict[str, Any] = {"rules": rules, "silent": quiet, "days": days, "choices": DAYS}
    return page(request, "governance.html", reader=frame_of(reader), **context)


def _rules(connection: Connection, since: datetime, now: datetime) -> list[dict[str, Any]]:
    query = select(ALERT.c.id, ALERT.c.patient_id, ALERT.c.rule, ALERT.c.raised_at).where(
        ALERT.c.raised_at >= since
    )
    raised: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(query):
        raised[row.rule].append(row)
    first = _first_answers(connection, since)
    late = _overdue(connection, now)
    found = [_rule(rule, rows, first, late[rule], now) for rule, rows in raised.items()]
    return sorted(found, key=lambda one: (-one["raised"], one["rule"]))


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


def _rule(
    rule: str, rows: Sequence[Any], first: dict[int, Row[Any]], overdue: int, now: datetime
) -> dict[str, Any]:
    answers = [(row, first[row.id]) for row in rows if row.id in first]
    waits = [(answer.at - row.raised_at).total_seconds() for row, answer in answers]
    dismissed = Counter(answer.reason for _, answer in answers if answer.step == Step.DISMISS)
    typical = now - timedelta(seconds=median(waits)) if waits else None
    return {
        "rule": rule,
        "raised": len(rows),
        "answered": len(answers),
        "dismissed": [(words.DISMISS_REASONS.get(why, why), count) for why, count in dismissed.most_common()],
        "time": words.wait(typical, now) if typical else "no answer yet",
        "overdue": overdue,
        "comments": [(row, text) for row, answer in answers if (text := answer.data.get("comment"))][
            :MOST_COMMENTS
        ],
    }
