"""/api/storms, for operators: surges of alerts that are held, and the decision about them. No patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, StringConstraints

from alerts import storms
from alerts.snapshot import time_text
from alerts.storms import NoSuchStorm, Outcome
from worker.database import reading, writing
from worker.web import trail
from worker.web.deps import Have
from worker.web.readers import Operator

router = APIRouter(prefix="/api/storms", tags=["storms"])


class Decision(BaseModel):
    """Why it is decided so, in words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


@router.get("")
def many(_: Operator, have: Have, every: bool = False) -> dict[str, Any]:
    """The storms that wait for a decision, or all of them; the newest first."""
    with reading(have.engine) as connection:
        return {"items": [storm_json(row) for row in storms.listing(connection, every=every)]}


@router.post("/{storm}/{outcome}")
def decide(
    request: Request, reader: Operator, have: Have, storm: int, outcome: Outcome, body: Decision
) -> dict[str, Any]:
    """Release, merge or void what a storm holds; 409 when it does not wait for a decision."""
    by = trail.actor(request, reader)
    try:
        with writing(have.engine) as connection:
            storms.answer(connection, storm, outcome, body.reason, by, have.clock(connection))
    except NoSuchStorm as error:
        raise HTTPException(409, str(error)) from None
    return {"id": storm, "outcome": outcome, "reason": body.reason}


def storm_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """One storm: counts and keys."""
    names = ("id", "kind", "key", "held", "raised", "limit", "outcome", "reason")
    times = ("started_at", "subsided_at", "answered_at")
    return {**{name: row[name] for name in names}, **{name: time_text(row[name]) for name in times}}
