"""/storms and /api/storms, for operators: surges of alerts that are held, and the decision about them.

Counts and keys, no patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from alerts import storms
from alerts.snapshot import time_text
from alerts.storms import NoSuchStorm, Outcome
from worker.database import reading, writing
from worker.web import trail, words
from worker.web.deps import Have, zone_of
from worker.web.examples import DECISION, STORMS, answered_with
from worker.web.frame import frame_of
from worker.web.operator_forms import OperatorForm, Why
from worker.web.pages import page
from worker.web.queue_marks import mark_of
from worker.web.readers import Operator, Reader
from worker.web.step_up import known_surely
from worker.web.strict_json import StrictJson
from worker.web.visible import Number

router = APIRouter(tags=["storms"], route_class=StrictJson)

OUTCOMES: dict[str, tuple[str, str]] = {
    Outcome.RELEASE: ("Release", "Tell every held alert as if it were raised now."),
    Outcome.MERGE: ("Merge", "Show each in its inbox, and send everybody one message about all of theirs."),
    Outcome.VOID: ("Void", "Close them untold. A new or corrected result raises one again."),
}
"""What may be decided, and what it does."""


class Decision(BaseModel):
    """Why it is decided so, in words."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [DECISION]})

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


@router.get("/api/storms", responses=answered_with(STORMS))
def many(_: Operator, have: Have, every: bool = False) -> dict[str, Any]:
    """The storms that wait for a decision, or all of them; the newest first."""
    with reading(have.engine) as connection:
        return {"items": [storm_json(row) for row in storms.listing(connection, every=every)]}


@router.post(
    "/api/storms/{storm}/{outcome}", responses=answered_with({"id": 3, "outcome": "release", **DECISION})
)
def decide(
    request: Request, reader: Operator, have: Have, storm: Number, outcome: Outcome, body: Decision
) -> dict[str, Any]:
    """Release, merge or void what a storm holds; 409 when it does not wait for a decision."""
    by = trail.actor(request, reader)
    try:
        with writing(have.engine) as connection:
            storms.answer(connection, storm, outcome, body.reason, by, have.clock(connection))
    except NoSuchStorm as error:
        raise HTTPException(409, str(error)) from None
    return {"id": storm, "outcome": outcome, "reason": body.reason}


@router.get("/storms", include_in_schema=False)
def list_page(
    request: Request, reader: Operator, have: Have, every: Annotated[bool, Query()] = False
) -> Response:
    """The storms that wait for a decision, or all of them."""
    return _page(request, reader, have, every=every)


@router.post("/storms/{storm}/{outcome}", include_in_schema=False)
def decide_form(
    request: Request, reader: OperatorForm, have: Have, storm: Number, outcome: Outcome, because: Why = ""
) -> Response:
    """The decision, from the page; one that cannot be taken is said there."""
    if outcome is Outcome.VOID:
        known_surely(reader, have)
    by = trail.actor(request, reader)
    try:
        with writing(have.engine) as connection:
            storms.answer(connection, storm, outcome, because, by, have.clock(connection))
    except NoSuchStorm:
        return _page(request, reader, have, status=409, wrong="This storm waits for no decision any more.")
    except ValueError:
        return _page(request, reader, have, status=422, wrong="Please say why. It is kept.")
    return RedirectResponse("/storms?every=1", 303)


def _page(
    request: Request, reader: Reader, have: Have, *, every: bool = False, status: int = 200, wrong: str = ""
) -> Response:
    with reading(have.engine) as connection:
        now = have.clock(connection)
        found = [_shown(row, now, have) for row in storms.listing(connection, every=every)]
        mark = mark_of(connection, "storms", have)
    context = {"storms": found, "every": every, "outcomes": OUTCOMES, "wrong": wrong, "mark": mark}
    return page(request, "storms.html", status, reader=frame_of(reader), **context)


def _shown(row: Mapping[str, Any], now: datetime, have: Have) -> dict[str, Any]:
    sender = have.sources().of(row["key"]) if row["kind"] == "source" else None
    zone = zone_of(have.settings)
    ended = row["subsided_at"]
    return {
        "id": row["id"],
        "of": f"rule {row['key']}"
        if row["kind"] == "rule"
        else f"source {sender.name if sender else row['key']}",
        "held": row["held"],
        "raised": row["raised"],
        "limit": row["limit"],
        "since": words.clock_time(row["started_at"], now, zone),
        "subsided": words.clock_time(ended, now, zone) if ended else "",
        "outcome": row["outcome"] or "",
        "reason": row["reason"] or "",
        "answered": words.clock_time(row["answered_at"], now, zone) if row["answered_at"] else "",
    }


def storm_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """One storm: counts and keys."""
    names = ("id", "kind", "key", "held", "raised", "limit", "outcome", "reason")
    times = ("started_at", "subsided_at", "answered_at")
    return {**{name: row[name] for name in names}, **{name: time_text(row[name]) for name in times}}
