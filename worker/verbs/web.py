"""`ferrule web`: the clinician's pages and the API of one machine."""

from __future__ import annotations

import typer

from worker import logs, programs
from worker.settings import read_settings
from worker.supervise import Supervisor

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def web() -> None:
    """Serve the pages and the API on HTTP_LISTEN until SIGTERM.

    Example: FERRULE_HTTP_LISTEN=127.0.0.1:8000 ferrule web
    """
    settings = read_settings()
    logs.configure(level=settings.log_level, style=settings.log_format)
    supervisor = Supervisor()
    try:
        given = programs.environment(settings, "web", broker_url=settings.broker)
        supervisor.start(programs.web_program(given))
        supervisor.run()
    finally:
        supervisor.stop()
