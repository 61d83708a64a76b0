"""/quarantine, for operators: what could not be understood, and the answers to it. Queue state, no values.

A message itself is shown only to who says why, which is kept. What is done is done by `worker.quarantine`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection, RowMapping

from worker.apart import counted_apart
from worker.composition import Deps
from worker.database import db_now, reading, writing
from worker.quarantine import (
    NotInQuarantine,
    Only,
    age_text,
    bytes_of,
    discard,
    heaps,
    most_urgent,
    release,
    the_item,
)
from worker.quarantine_reasons import QuarantineReason
from worker.releasing import sources_named
from worker.sources import Sources
from worker.web.deps import Have, zone_of
from worker.web.examples import QUARANTINE, answered_with
from worker.web.frame import frame_of
from worker.web.operator_forms import OperatorForm, Why
from worker.web.pages import page
from worker.web.queue_marks import mark_of
from worker.web.readers import Operator, Reader
from worker.web.step_up import KnownSurely
from worker.web.trail import actor
from worker.web.visible import Number

router = APIRouter()

PAGE = 200


@router.get("/quarantine", include_in_schema=False)
def list_page(
    request: Request,
    have: Have,
    reader: Operator,
    reason: Annotated[str | None, Query(max_length=80)] = None,
    source: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """The work-list: heaps first, then items; what may hold a critical value first, then the oldest."""
    listed = _listed(have, reason, source)
    return page(request, "quarantine.html", reader=frame_of(reader), listed=listed, shown=None)


@router.get("/api/quarantine", responses=answered_with(QUARANTINE))
def list_items(
    have: Have,
    reader: Operator,
    reason: Annotated[str | None, Query(max_length=80)] = None,
    source: Annotated[str | None, Query(max_length=500)] = None,
) -> dict[str, Any]:
    """What waits in quarantine: heaps by reason and source, and items: what may hold a critical value
    first (null: not looked at yet), then the oldest. No values."""
    listed = _listed(have, reason, source)
    return {name: listed[name] for name in ("heaps", "items", "apart")}


@router.post("/api/quarantine/{item}/release", responses=answered_with({"message": 40}))
def release_item(item: Number, request: Request, have: Have, reader: Operator) -> dict[str, int]:
    """Read the item's message again and judge it, by the mapping in force. 404: it waits no longer."""
    return {"message": _released(item, request, have, reader)}


@router.post("/quarantine/{item}/release", include_in_schema=False)
def release_form(item: Number, request: Request, have: Have, reader: OperatorForm) -> Response:
    """The same, from the page."""
    _released(item, request, have, reader)
    return RedirectResponse("/quarantine", 303)


@router.post("/quarantine/{item}/discard", include_in_schema=False, dependencies=[KnownSurely])
def discard_form(
    item: Number, request: Request, have: Have, reader: OperatorForm, because: Why = ""
) -> Response:
    """Take an item off the list for good, saying why."""
    _refuse_without(because)
    with writing(have.engine) as connection:
        try:
            discard(connection, item, actor(request, reader), because)
        except NotInQuarantine:
            raise HTTPException(404) from None
    return RedirectResponse("/quarantine", 303)


@router.post("/quarantine/{item}/message", include_in_schema=False)
def message_page(
    item: Number, request: Request, have: Have, reader: OperatorForm, because: Why = ""
) -> Response:
    """The message as it came, to an operator who says why."""
    _refuse_without(because)
    with writing(have.engine) as connection:
        try:
            row = the_item(connection, item)
            raw = bytes_of(connection, item, actor(request, reader), because.strip())
        except NotInQuarantine:
            raise HTTPException(404) from None
    text = raw.decode("utf-8", "backslashreplace").replace("\r", "\n")
    listed = _listed(have, row["reason"], row["source"])
    shown = {"item": item, "text": text}
    return page(request, "quarantine.html", reader=frame_of(reader), listed=listed, shown=shown)


def _released(item: int, request: Request, have: Deps, reader: Reader) -> int:
    with writing(have.engine) as connection:
        try:
            message = release(connection, item, actor(request, reader))
        except NotInQuarantine as error:
            raise HTTPException(404 if "no item" in str(error) else 409, str(error)) from None
    have.publish([message])
    return message


def _refuse_without(because: str) -> None:
    if not because.strip():
        raise HTTPException(422, "say why; it is kept")


def _listed(have: Deps, reason: str | None, source: str | None) -> dict[str, Any]:
    sources = have.sources()
    with reading(have.engine) as connection:
        only = Only(reason, sources_named(connection, sources, source))
        asked = {"reason": reason, "source": source, "mark": mark_of(connection, "quarantine", have)}
        return _found(connection, only, sources, have) | asked


def _found(connection: Connection, only: Only, sources: Sources, have: Deps) -> dict[str, Any]:
    now, zone = db_now(connection), zone_of(have.settings)
    items = most_urgent(connection, only, PAGE)
    return {
        "heaps": [_heap(row, sources, now) for row in heaps(connection, only)],
        "items": [
            _item(row, sources, now) | {"at": row["created_at"].astimezone(zone).strftime("%Y-%m-%d %H:%M")}
            for row in items
        ],
        "more": len(items) == PAGE,
        "reasons": sorted(QuarantineReason),
        "apart": [_apart(row, sources, now) for row in counted_apart(connection, only.sources)],
    }


def _apart(row: RowMapping, sources: Sources, now: datetime) -> dict[str, Any]:
    return {
        "reason": row["reason"],
        "source": _name(row["source"], sources),
        "count": row["count"],
        "age": age_text(row["newest"], now),
    }


def _heap(row: RowMapping, sources: Sources, now: datetime) -> dict[str, Any]:
    return {
        "reason": row["reason"],
        "source": _name(row["source"], sources),
        "count": row["count"],
        "critical": row["critical"],
        "age": age_text(row["oldest"], now),
    }


def _item(row: RowMapping, sources: Sources, now: datetime) -> dict[str, Any]:
    return {
        "item": row["id"],
        "message": row["message_id"],
        "source": _name(row["source"], sources),
        "format": row["format"],
        "reason": row["reason"],
        "place": row["place"],
        "remedy": row["remedy"],
        "may_be_critical": row["may_be_critical"],
        "age": age_text(row["created_at"], now),
        "whole": row["state"] == "quarantined",
    }


def _name(source: str, sources: Sources) -> str:
    sender = sources.of(source)
    return sender.name if sender else source
