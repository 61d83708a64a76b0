"""The web process: the app on HTTP_LISTEN and, when set, the metrics page alone on METRICS_LISTEN."""

from __future__ import annotations

import threading

import uvicorn
from fastapi import FastAPI

from worker import logs
from worker.composition import build
from worker.processes.ending import refuse_if_behind
from worker.processes.ending import run as run_process
from worker.settings import read_settings
from worker.web.app import create_app
from worker.web.metrics_page import create_metrics_app

GRACE_SECONDS = 5


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings()
    logs.configure(level=settings.log_level, style=settings.log_format)
    deps = build(settings)
    refuse_if_behind(deps.engine)
    if settings.metrics_listen:
        beside = _server(create_metrics_app(deps), settings.metrics_listen)
        threading.Thread(target=beside.run, daemon=True, name="metrics").start()
    _server(create_app(deps), settings.http_listen).run()


def _server(app: FastAPI, listen: str) -> uvicorn.Server:
    host, _, port = listen.rpartition(":")
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host.strip("[]"),
            port=int(port),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


if __name__ == "__main__":
    run_process(main)
