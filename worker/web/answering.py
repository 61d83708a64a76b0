"""Taking a clinician's answer to one alert, for the API and the forms: is it theirs? then `alerts.answers`.

One transaction holds the check, the step and its audit record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict, assert_never

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy import Connection

from alerts import answers
from alerts.answers import Invalid
from alerts.people import Actor, Address
from worker import metrics
from worker.channels import push_channels
from worker.database import db_now, writing
from worker.telling import has_died
from worker.web import trail
from worker.web.bodies import (
    SNOOZE_AT_MOST,
    Acknowledge,
    Answer,
    Dismiss,
    Reassign,
    Reopen,
    Resolve,
    Snooze,
    is_too_far,
)
from worker.web.deps import Have
from worker.web.readers import Reader
from worker.web.scope import scope_of
from worker.web.visible import refuse, visible_alert


class At(TypedDict):
    """When an answer is given, and which version of the alert was seen."""

    now: datetime
    if_match: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Which alert somebody answers, and as they saw it."""

    alert: int
    by: Actor
    at: At


def give(
    have: Have, request: Request, reader: Reader, alert: int, answer: Answer, if_match: int | None
) -> None:
    """Write the answer down.

    Raises HTTPException 404, RequestValidationError (422, with the field), `alerts.states.NotAllowed` or
    `alerts.steps.Conflict` (it is not what was seen).
    """
    with writing(have.engine) as connection:
        now = db_now(connection)
        row = visible_alert(connection, scope_of(connection, reader, now), alert)
        if row is not None:
            seen = Seen(alert, trail.actor(request, reader), {"now": now, "if_match": if_match})
            _take(connection, seen, answer, push=push_channels(have.settings))
    if row is None:
        raise refuse(have, request, reader, type(answer).__name__.lower(), alert, now)
    metrics.ALERTS_ANSWERED.labels(row.rule, _label(answer)).inc()


def _take(connection: Connection, seen: Seen, answer: Answer, *, push: Sequence[str]) -> None:
    try:
        _step(connection, seen, answer, push)
    except Invalid as wrong:
        raise invalid(wrong.field, f"expected {wrong.expected}") from None


def _step(connection: Connection, seen: Seen, answer: Answer, push: Sequence[str]) -> None:
    alert, by, at = seen.alert, seen.by, seen.at
    match answer:
        case Acknowledge(comment=comment, follow_ups=follow_ups):
            answers.acknowledge(connection, alert, by, comment=comment, follow_ups=follow_ups, **at)
        case Dismiss(reason=reason, comment=comment):
            answers.dismiss(connection, alert, by, reason=reason, comment=comment, **at)
        case Snooze(until=until, reason=reason):
            if is_too_far(until, at["now"]):
                raise Invalid("until", f"a time within {SNOOZE_AT_MOST.days} days")
            answers.snooze(connection, alert, by, until=until, reason=reason, **at)
        case Resolve(reason=reason):
            answers.resolve(connection, alert, by, reason=reason, **at)
        case Reassign(to=to, reason=reason):
            answers.reassign(
                connection,
                alert,
                by,
                to=Address(to.system, to.id),
                reason=reason,
                push=push,
                has_died=has_died,
                **at,
            )
        case Reopen(reason=reason):
            answers.reopen(connection, alert, by, reason=reason, **at)
        case _:
            assert_never(answer)


def _label(answer: Answer) -> str:
    return answer.reason if isinstance(answer, Dismiss) else type(answer).__name__.lower()


def invalid(field: str, problem: str) -> RequestValidationError:
    """The 422 that names a field."""
    return RequestValidationError([{"loc": ("body", field), "msg": problem, "type": "value_error"}])
