"""`ferrule worker`: the Celery pool and the poller of one machine, kept running."""

from __future__ import annotations

import os

import typer
from prometheus_client import CollectorRegistry, start_http_server

from worker import logs, programs
from worker.settings import Settings, read_settings
from worker.supervise import Supervisor

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def worker() -> None:
    """Run the Celery pool and the poller until SIGTERM. Without a broker: the poller alone.

    Example: FERRULE_BROKER_URL=redis://broker/0 FERRULE_DATABASE_URL=postgresql://db/ferrule ferrule worker
    """
    settings = read_settings()
    logs.configure(level=settings.log_level, style=settings.log_format)
    given = programs.environment(settings, "worker", broker_url=settings.broker)
    supervisor = Supervisor()
    try:
        for program in programs.worker_programs(settings, given):
            supervisor.start(program)
        serve_metrics(settings, str(given["PROMETHEUS_MULTIPROC_DIR"]))
        supervisor.run()
    finally:
        supervisor.stop()


def serve_metrics(settings: Settings, directory: str) -> None:
    """What the processes of this service count, on METRICS_LISTEN."""
    if settings.metrics_listen is None:
        return
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    from worker.metrics import EveryFamily

    host, _, port = settings.metrics_listen.rpartition(":")
    registry = CollectorRegistry()
    registry.register(EveryFamily())
    start_http_server(int(port), host.strip("[]"), registry)
