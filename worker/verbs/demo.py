"""`ferrule demo`: a synthetic day through the real thing."""

from __future__ import annotations

import typer
from rich.console import Console

from worker import logs
from worker.demo.run import play
from worker.settings import read_settings

app = typer.Typer(rich_markup_mode=None)


@app.command()
def demo() -> None:
    """Send a made-up day of results through queue and workers, show the alerts, then leave the inbox open.

    FERRULE_DEMO_SEED names another day; FERRULE_DEMO_EXIT=1 ends the demo after its summary.

    Example: FERRULE_DEMO_SEED=7 ferrule demo
    """
    settings = read_settings()
    logs.configure(level="error", style=settings.log_format)
    play(settings, Console(highlight=False))
