"""GET /api/stream: each new step of the reader's alerts as a server-sent event, while they are signed in.

One cheap question a half second for all streams of a process: has any alert taken a step? Only then is each
reader's own part read. A browser that comes back asks from the last event it saw.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from sqlalchemy import func, select
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from alerts.people import Actor
from alerts.tables import ALERT, ALERT_EVENT
from worker import clock
from worker.composition import Deps
from worker.database import reading, writing
from worker.web import trail
from worker.web.deps import Have
from worker.web.examples import STREAM, answered_with
from worker.web.listing import newest_step
from worker.web.readers import Clinician, Reader, is_still_signed_in
from worker.web.scope import scope_of

router = APIRouter(tags=["alerts"])

LOOK_SECONDS = 0.5
STILL_SIGNED_IN_SECONDS = 20.0
PING_SECONDS = 15
OVERLAP = 256
"""A step's id is given before its commit: the newest so many are looked at again, and each is sent once."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How the steps stand: the newest id, and how many of the newest ids are there."""

    newest: int
    present: int


@dataclass
class Watch:
    """The mark, asked for at most once in `LOOK_SECONDS` whatever the number of streams."""

    asked_at: float = field(default=-1.0)
    mark: Mark = field(default=Mark(0, 0))
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def look(self, deps: Deps) -> Mark:
        """The mark, at most `LOOK_SECONDS` old."""
        async with self.lock:
            if clock.monotonic_seconds() - self.asked_at >= LOOK_SECONDS:
                self.mark = await run_in_threadpool(_mark, deps)
                self.asked_at = clock.monotonic_seconds()
        return self.mark


@router.get(
    "/api/stream",
    response_class=EventSourceResponse,
    responses=answered_with(STREAM, media="text/event-stream"),
)
async def stream(
    request: Request, reader: Clinician, have: Have, last_event_id: Annotated[str | None, Header()] = None
) -> EventSourceResponse:
    """Events named `alert`, from the one named `listening` on, or from the one after `Last-Event-ID`."""
    watch: Watch = request.app.state.watch
    after = int(last_event_id) if last_event_id and re.fullmatch(r"[0-9]{1,18}", last_event_id) else None
    events = _events(have, watch, reader, trail.actor(request, reader), after)
    return EventSourceResponse(events, ping=PING_SECONDS)


async def _events(
    deps: Deps, watch: Watch, reader: Reader, by: Actor, after: int | None
) -> AsyncIterator[ServerSentEvent]:
    mark = await watch.look(deps)
    sent = await run_in_threadpool(_ids_before, deps, after)
    # A page that was read before this moment asks once for what came between.
    yield ServerSentEvent("now", event="listening")
    asked, checked = Mark(-1, -1) if after is not None else mark, clock.monotonic_seconds()
    while True:
        if clock.monotonic_seconds() - checked > STILL_SIGNED_IN_SECONDS:
            checked = clock.monotonic_seconds()
            if not await run_in_threadpool(_may_go_on, deps, reader):
                return
        mark = await watch.look(deps)
        if mark != asked:
            asked = mark
            for step in await run_in_threadpool(_steps, deps, reader, by, sent):
                yield ServerSentEvent(json.dumps(step), event="alert", id=str(step["step"]))
        await asyncio.sleep(LOOK_SECONDS)


def _mark(deps: Deps) -> Mark:
    with reading(deps.engine) as connection:
        newest = newest_step(connection)
        recent = select(func.count()).where(ALERT_EVENT.c.id > newest - OVERLAP)
        return Mark(newest, connection.execute(recent).scalar_one())


def _may_go_on(deps: Deps, reader: Reader) -> bool:
    with reading(deps.engine) as connection:
        return is_still_signed_in(connection, reader)


def _ids_before(deps: Deps, after: int | None) -> set[int]:
    """The recent steps that count as sent: all there are, or those up to `after`."""
    with reading(deps.engine) as connection:
        upto = newest_step(connection) if after is None else after
        recent = select(ALERT_EVENT.c.id).where(ALERT_EVENT.c.id <= upto, ALERT_EVENT.c.id > upto - OVERLAP)
        return {0, *connection.execute(recent).scalars()}


def _steps(deps: Deps, reader: Reader, by: Actor, sent: set[int]) -> list[dict[str, Any]]:
    """The reader's steps that are not in `sent`, which they then are; what is shown is recorded."""
    now = clock.now()
    with reading(deps.engine) as connection:
        query = (
            select(ALERT_EVENT.c.id.label("step"), ALERT_EVENT.c.step.label("what"), ALERT)
            .join(ALERT, ALERT.c.id == ALERT_EVENT.c.alert_id)
            .where(ALERT_EVENT.c.id > max(sent) - OVERLAP, scope_of(connection, reader, now).visible())
            .order_by(ALERT_EVENT.c.id)
        )
        rows = [row for row in connection.execute(query) if row.step not in sent]
        newest = newest_step(connection)
    if rows:
        with writing(deps.engine) as connection:
            trail.note_list(connection, now, by, [row.id for row in rows], [row.patient_id for row in rows])
    sent |= {newest, *(row.step for row in rows)}
    sent -= {step for step in sent if step < newest - 2 * OVERLAP}
    names = ("step", "what", "id", "rule", "severity", "state", "headline")
    return [{name: getattr(row, name) for name in names} for row in rows]
