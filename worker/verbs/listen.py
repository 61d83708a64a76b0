"""`ferrule listen`: the HL7 door of one machine."""

from __future__ import annotations

import typer

from worker import logs, programs
from worker.mllp.tls import server_context
from worker.settings import read_settings
from worker.supervise import Supervisor
from worker.verbs.worker import serve_metrics

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def listen() -> None:
    """Take HL7 v2 over MLLP on MLLP_LISTEN until SIGTERM; each message is answered once it is stored.

    Example: FERRULE_MLLP_LISTEN=0.0.0.0:2575 ferrule listen
    """
    settings = read_settings()
    server_context(settings)
    logs.configure(level=settings.log_level, style=settings.log_format)
    supervisor = Supervisor()
    try:
        given = programs.environment(settings, "listen", broker_url=settings.broker)
        supervisor.start(programs.listen_program(given))
        serve_metrics(settings, str(given["PROMETHEUS_MULTIPROC_DIR"]))
        supervisor.run()
    finally:
        supervisor.stop()
