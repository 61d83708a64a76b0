"""One alert of somebody's scope, as a row; what is not theirs looks just like what is not there."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import HTTPException, Path, Request
from sqlalchemy import Connection, Row, select

from alerts.tables import ALERT
from worker.database import writing
from worker.web import trail
from worker.web.deps import Have
from worker.web.readers import Reader
from worker.web.scope import Scope

LARGEST_ID = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=LARGEST_ID, examples=[1])]
"""What a path names a row by: no database takes a larger one."""


def visible_alert(connection: Connection, scope: Scope, alert: int) -> Row[Any] | None:
    """The alert's row when the scope holds it, or its patient was opened by break-glass."""
    if not 0 < alert <= LARGEST_ID:
        return None
    return connection.execute(select(ALERT).where(ALERT.c.id == alert, scope.may_open())).first()


def refuse(
    have: Have, request: Request, reader: Reader, action: str, alert: int, now: datetime
) -> HTTPException:
    """The 404 to raise, after a record of who asked for what."""
    with writing(have.engine) as connection:
        trail.note_denied(
            connection, now, trail.actor(request, reader), action, min(max(alert, 0), LARGEST_ID)
        )
    return HTTPException(404, "no such alert")
