"""/metrics: on the main listener for this machine alone, or alone on a listener of its own."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from worker.composition import Deps
from worker.exposition import render
from worker.intake_gauges import IntakeGauges
from worker.sources import InForce
from worker.web.deps import Have

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
def page(request: Request, have: Have) -> Response:
    """All families. 404 to anyone who is not on this machine, or who comes through a proxy that is."""
    if not (request.app.state.metrics_for_all or _is_local(request)):
        raise HTTPException(404)
    page = render(have.engine, _intake_gauges(have.sources))
    return Response(page, media_type=CONTENT_TYPE_LATEST)


@lru_cache(maxsize=4)
def _intake_gauges(sources: InForce) -> IntakeGauges:
    """Kept between scrapes: it remembers when the unit watch looked last."""
    return IntakeGauges(sources)


def create_metrics_app(deps: Deps) -> FastAPI:
    """The app for METRICS_LISTEN: /metrics for whoever reaches that address, and nothing else."""
    app = FastAPI(title="Ferrule metrics", openapi_url=None)
    app.state.deps = deps
    app.state.metrics_for_all = True
    app.include_router(router)
    return app


def _is_local(request: Request) -> bool:
    if request.client is None or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
