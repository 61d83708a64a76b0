"""GET /queues/{queue}/mark: whether an operator's open page still shows what there is. No patient, no value.

An open page asks for the mark every few seconds, and for itself only once the mark is another one: that is
then a look at the list like any other, and kept as one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, HTTPException
from sqlalchemy import Connection

from alerts import calls, storms
from alerts.missed import missed
from alerts.unaddressed import unaddressed
from worker.composition import Deps
from worker.database import db_now, reading
from worker.quarantine import heaps
from worker.web.deps import Have, zone_of
from worker.web.readers import Operator

router = APIRouter(include_in_schema=False)


def _calls(connection: Connection, _: Deps) -> list[Any]:
    return [(row.id, row.version) for row in calls.waiting(connection)]


def _unaddressed(connection: Connection, _: Deps) -> list[Any]:
    return [row.id for row in unaddressed(connection)]


def _storms(connection: Connection, _: Deps) -> list[Any]:
    names = ("id", "held", "outcome")
    return [[row[name] for name in names] for row in storms.listing(connection)]


def _overdue(connection: Connection, have: Deps) -> list[Any]:
    today = db_now(connection).astimezone(zone_of(have.settings)).date()
    return [row.id for row in missed(connection, today)]


def _quarantine(connection: Connection, _: Deps) -> list[Any]:
    return [[row["reason"], row["source"], row["count"], row["critical"]] for row in heaps(connection)]


QUEUES: Mapping[str, Callable[[Connection, Deps], list[Any]]] = {
    "calls": _calls,
    "overdue": _overdue,
    "quarantine": _quarantine,
    "storms": _storms,
    "unaddressed": _unaddressed,
}


def mark_of(connection: Connection, queue: str, have: Deps) -> str:
    """The same as long as the queue holds the same."""
    return hashlib.sha256(json.dumps(QUEUES[queue](connection, have)).encode()).hexdigest()[:16]


@router.get("/queues/{queue}/mark")
def mark(_: Operator, have: Have, queue: str) -> dict[str, str]:
    """The mark as of now."""
    if queue not in QUEUES:
        raise HTTPException(404)
    with reading(have.engine) as connection:
        return {"mark": mark_of(connection, queue, have)}
