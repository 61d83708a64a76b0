"""`ferrule storms`: surges that the brake has caught, and the decision about the alerts they hold."""

from __future__ import annotations

import getpass
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from alerts import storms
from alerts.people import SELF_SYSTEM, Actor
from alerts.storms import NoSuchStorm, Outcome
from worker.database import db_now, make_engine, reading, writing
from worker.failures import NO, USAGE, Failure
from worker.settings import read_settings
from worker.web.storms import storm_json

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Surges of alerts, and what becomes of those they hold.",
)

Storm = Annotated[int, typer.Argument(metavar="ID", help="The storm's number, from `storms list`.")]
Why = Annotated[str, typer.Option("--reason", help="Why, in words; kept in the audit trail.")]


@app.command("list")
def list_storms(
    every: Annotated[bool, typer.Option("--all", help="Also those that are answered and done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the storms that wait for a decision, the newest first. Example: ferrule storms list"""
    with reading(make_engine(read_settings().database)) as connection:
        found = [storm_json(row) for row in storms.listing(connection, every=every)]
    if as_json:
        for one in found:
            typer.echo(json.dumps(one, ensure_ascii=False))
        return
    columns = ("id", "kind", "key", "held", "raised", "limit", "started_at", "outcome")
    table = Table(*columns, box=None)
    for one in found:
        table.add_row(*(str(one[column] if one[column] is not None else "") for column in columns))
    Console().print(table if found else "no storm waits")


@app.command()
def release(storm: Storm, reason: Why) -> None:
    """Tell every held alert as if it were raised now.

    Example: ferrule storms release 3 --reason 'real cases'
    """
    _answer(storm, Outcome.RELEASE, reason)


@app.command()
def merge(storm: Storm, reason: Why) -> None:
    """Show each held alert in its inbox and send everybody one message about all of theirs.

    Example: ferrule storms merge 3 --reason 'Monday batch of the north laboratory'
    """
    _answer(storm, Outcome.MERGE, reason)


@app.command()
def void(storm: Storm, reason: Why) -> None:
    """Close the held alerts untold. One is raised again when a new or corrected result joins it.

    Example: ferrule storms void 3 --reason 'B12 came in pg/mL, labeled pmol/L'
    """
    _answer(storm, Outcome.VOID, reason)


def _answer(storm: int, outcome: Outcome, reason: str) -> None:
    try:
        with writing(make_engine(read_settings().database)) as connection:
            by = Actor(SELF_SYSTEM, getpass.getuser(), "ferrule storms")
            storms.answer(connection, storm, outcome, reason, by, db_now(connection))
    except NoSuchStorm as error:
        raise Failure(str(error), NO) from None
    except ValueError as error:
        raise Failure(str(error), USAGE) from None
    typer.echo(f"decided: the poller does it to the held alerts within seconds ({outcome})")
