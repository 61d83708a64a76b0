"""/governance and /api/governance, for the owners of the rules: how each rule is used and answered.

Counts, times and comments; no name, no value. A comment is free text that may name somebody: that it was
shown is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from alerts.people import Actor
from alerts.rule_use import RuleUse, rule_use
from alerts.silent import Fared, fared
from worker.database import db_now, writing
from worker.web import trail, words
from worker.web.deps import Have
from worker.web.examples import GOVERNANCE, answered_with
from worker.web.frame import frame_of
from worker.web.pages import page
from worker.web.readers import RuleOwner
from worker.web.silent_findings import fared_json, fared_words

router = APIRouter(tags=["governance"])

CHOICES = (7, 30, 90, 365)
Days = Annotated[int, Query(ge=1, le=3650, description="Of alerts raised in the last so many days.")]


@router.get("/api/governance", responses=answered_with(GOVERNANCE))
def counts(request: Request, reader: RuleOwner, have: Have, days: Days = 30) -> dict[str, Any]:
    """Each rule that raised an alert in the last days, the most frequent first; how silent rules fared."""
    with writing(have.engine) as connection:
        now = db_now(connection)
        used = governed(connection, trail.actor(request, reader), days, now)
        return governance_json(days, used, fared(connection))


@router.get("/governance", include_in_schema=False)
def show(request: Request, reader: RuleOwner, have: Have, days: Days = 30) -> Response:
    """The same, to read."""
    with writing(have.engine) as connection:
        now = db_now(connection)
        rules = [_words(one, now) for one in governed(connection, trail.actor(request, reader), days, now)]
        quiet = [fared_words(one) for one in fared(connection)]
    context: dict[str, Any] = {"rules": rules, "silent": quiet, "days": days, "choices": CHOICES}
    return page(request, "governance.html", reader=frame_of(reader), **context)


def governed(connection: Connection, by: Actor, days: int, now: datetime) -> list[RuleUse]:
    """How the rules were used; whose comments are among it is recorded."""
    used = rule_use(connection, now - timedelta(days=days), now)
    said = [comment for one in used for comment in one.comments]
    alerts, patients = [one.alert_id for one in said], [one.patient_id for one in said]
    trail.note_list(connection, now, by, alerts, patients)
    return used


def governance_json(days: int, used: Sequence[RuleUse], silent: Sequence[Fared]) -> dict[str, Any]:
    """Counts; `half_answered_seconds` is null before the first answer."""
    return {
        "days": days,
        "rules": [_json(one) for one in used],
        "silent": [fared_json(one) for one in silent],
    }


def time_words(one: RuleUse, now: datetime) -> str:
    """Within which time half were answered."""
    within = one.half_answered_within
    return "no answer yet" if within is None else words.wait(now - within, now)


def _json(one: RuleUse) -> dict[str, Any]:
    within = one.half_answered_within
    return {
        "rule": one.rule,
        "raised": one.raised,
        "answered": one.answered,
        "dismissed": dict(one.dismissed),
        "half_answered_seconds": None if within is None else round(within.total_seconds()),
        "overdue": one.overdue,
        "comments": [comment.text for comment in one.comments],
    }


def _words(one: RuleUse, now: datetime) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "raised": one.raised,
        "answered": one.answered,
        "dismissed": [(words.DISMISS_REASONS.get(why, why), count) for why, count in one.dismissed],
        "time": time_words(one, now),
        "overdue": one.overdue,
        "comments": [comment.text for comment in one.comments],
    }
