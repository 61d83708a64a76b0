"""`ferrule db`: bring the schema up to date, or say whether it is."""

from __future__ import annotations

import typer

from worker.database import make_engine
from worker.failures import NO, Failure
from worker.schema import is_current, upgrade
from worker.settings import read_settings

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="The database's schema."
)


@app.command("upgrade")
def upgrade_schema() -> None:
    """Bring the schema up to date. Example: ferrule db upgrade"""
    upgrade(make_engine(read_settings().database))
    typer.echo("the schema is up to date")


@app.command()
def check() -> None:
    """Say whether the schema is up to date (exit 1: it is not). Example: ferrule db check"""
    if not is_current(make_engine(read_settings().database)):
        raise Failure("the schema is not up to date: ferrule db upgrade", NO)
    typer.echo("the schema is up to date")
