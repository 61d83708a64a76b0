"""What happens next, said on the alert's page once it has been answered or has ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from alerts.answers import DismissReason
from alerts.follow_up import Expectation
from alerts.reconcile import ANSWERED
from alerts.states import State, Step
from alerts.tables import FOLLOW_UP
from worker.web import words
from worker.web.evidence import concept_words
from worker.web.supplement import can_explain, explained_until
from worker.web.timeline import WHY


def expected_of(connection: Connection, alert: int) -> list[tuple[str, date]]:
    """What is still expected to arrive, by which day."""
    query = select(FOLLOW_UP.c.expect, FOLLOW_UP.c.due).where(
        FOLLOW_UP.c.alert_id == alert, FOLLOW_UP.c.state == Expectation.EXPECTED
    )
    return [
        (row.expect, row.due) for row in connection.execute(query.order_by(FOLLOW_UP.c.due, FOLLOW_UP.c.id))
    ]


def what_next(
    row: Row[Any], expected: Sequence[tuple[str, date]], last: Row[Any] | None, now: datetime, zone: ZoneInfo
) -> tuple[str, ...]:
    """A heading and the lines below it; nothing for an alert that still waits for its answer."""
    match State(row.state):
        case State.ACKNOWLEDGED | State.FOLLOWING_UP:
            at = row.acknowledged_at or row.updated_at
            return (
                f"You have it: acknowledged {words.clock_time(at, now, zone)}",
                *_awaited(expected, now, zone),
            )
        case State.SNOOZED if row.snoozed_until is not None:
            return (
                f"Snoozed until {words.clock_time(row.snoozed_until, now, zone)}",
                "It comes back to “Needs an answer” then, or sooner if a worse value arrives.",
            )
        case State.DISMISSED:
            why = words.DISMISS_REASONS.get(row.reason, row.reason)
            return (
                f"Dismissed: {why}",
                *_put_on_record(row, last, zone),
                "This pattern stays quiet for this patient for some time, unless it becomes more severe.",
            )
        case State.CLOSED:
            return ("Closed", _closed(row, last))
        case State.WITHDRAWN:
            return (
                f"Withdrawn {words.clock_time(row.updated_at, now, zone)}",
                "A result it rested on was corrected or taken back. Please do not act on what is below.",
                *_read_before(last),
            )
    return ()


def _put_on_record(row: Row[Any], last: Row[Any] | None, zone: ZoneInfo) -> tuple[str, ...]:
    if row.reason != DismissReason.EXPLAINED_BY_SUPPLEMENT or last is None or not can_explain(row.evidence):
        return ()
    until = words.full_day(explained_until(last.at), zone)
    return (f"A B12 product stands on the record until {until}, and the results are judged again with it.",)


def _awaited(expected: Sequence[tuple[str, date]], now: datetime, zone: ZoneInfo) -> tuple[str, ...]:
    if not expected:
        return (
            "Nothing more is expected. The alert closes when newer results settle it, or when you close it.",
        )
    by_day: dict[date, list[str]] = {}
    for expect, due in expected:
        by_day.setdefault(due, []).append(concept_words(expect))
    lines = [
        _line(list(dict.fromkeys(names)), words.day(due, now, zone)) for due, names in sorted(by_day.items())
    ]
    one = "one of them" if len(expected) > 1 else "it"
    return (*lines, f"You will hear from us only if {one} does not arrive.")


def _line(names: list[str], day: str) -> str:
    said = words.joined([words.in_sentence(name) for name in names])
    return f"{said[0].upper()}{said[1:]} {'is' if len(names) == 1 else 'are'} expected by {day}."


def _closed(row: Row[Any], last: Row[Any] | None) -> str:
    if row.reason == "superseded-by" and row.superseded_by:
        return f"A stronger finding covers it: {row.superseded_by}."
    if row.reason == ANSWERED and last is not None and last.step == Step.ACKNOWLEDGE:
        return "What was waited for has come."
    why = WHY.get(row.reason, "")
    return f"{why[0].upper()}{why[1:]}." if why else "It was answered and needs nothing more."


def _read_before(last: Row[Any] | None) -> tuple[str, ...]:
    return ("It had been answered before it was withdrawn.",) if last is not None else ()
