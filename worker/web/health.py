"""Is it alive, can it serve. Open to everyone, and it says nothing more."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from worker.database import reading
from worker.tables import PATIENT
from worker.web.deps import Have
from worker.web.examples import answered_with

router = APIRouter(tags=["health"])

WELL = answered_with({"status": "ok"})


@router.get("/healthz", responses=WELL)
def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses=WELL)
def ready(have: Have, response: Response) -> dict[str, str]:
    """The database answers and has our tables. The broker is not asked: all works without it."""
    try:
        with reading(have.engine) as connection:
            connection.execute(select(PATIENT.c.id).limit(1)).first()
    except SQLAlchemyError:
        response.status_code = 503
        return {"status": "no database"}
    return {"status": "ok"}
