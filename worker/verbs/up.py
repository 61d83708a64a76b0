"""`ferrule up`: everything on one machine, until Ctrl-C."""

from __future__ import annotations

import typer

from worker import logs
from worker.settings import read_settings
from worker.up import House, alone

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def up() -> None:
    """Run everything on this machine until Ctrl-C: broker, workers, poller, web.

    Example: FERRULE_DATA_DIR=/var/lib/ferrule ferrule up
    """
    settings = read_settings()
    logs.configure(level=settings.log_level, style=settings.log_format)
    with alone(settings):
        house = House(settings)
        try:
            house.start()
            typer.echo(f"Ferrule is up: {house.http}/inbox (Ctrl-C ends it)")
            house.run()
        finally:
            house.stop()
