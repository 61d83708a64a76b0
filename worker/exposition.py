"""The metrics page as Prometheus reads it: what processes have counted, and what the database knows now."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Engine

from worker.gauges import DatabaseGauges
from worker.intake_gauges import IntakeGauges
from worker.metrics import EveryFamily, source_name


def render(engine: Engine | None = None, intake: IntakeGauges | None = None) -> bytes:
    """The metrics page; with `engine`, also the gauges that come from the database."""
    registry = CollectorRegistry()
    registry.register(EveryFamily())
    if engine is not None:
        registry.register(DatabaseGauges(engine, source_name, intake))
    return generate_latest(registry)
