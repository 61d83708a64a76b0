"""`ferrule quarantine`: what could not be understood, why, and what to do about it."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from worker.database import make_engine, reading, writing
from worker.failures import NO, Failure
from worker.quarantine import NotInQuarantine, bytes_of, discard, release, waiting
from worker.settings import read_settings

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="What could not be understood."
)

COLUMNS = ("item", "message", "source", "sender's id", "format", "reason", "place", "remedy")
Item = Annotated[int, typer.Argument(help="The item's number, from `quarantine list`.")]


@app.command("list")
def list_waiting(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List what waits, the newest first. Example: ferrule quarantine list"""
    with reading(make_engine(read_settings().database)) as connection:
        items = [
            {
                "item": row["id"],
                "message": row["message_id"],
                "source": row["source"],
                "sender's id": row["sender_id"],
                "format": row["format"],
                "reason": row["reason"],
                "place": row["place"],
                "remedy": row["remedy"],
                "since": row["created_at"].isoformat(),
            }
            for row in waiting(connection)
        ]
    if as_json:
        for item in items:
            typer.echo(json.dumps(item, ensure_ascii=False))
        return
    table = Table(*COLUMNS, box=None)
    for item in items:
        table.add_row(*(str(item[column]) for column in COLUMNS))
    Console().print(table if items else "nothing waits in quarantine")


@app.command()
def show(item: Item) -> None:
    """Print the bytes of an item as they came: patient data. Example: ferrule quarantine show 12"""
    with reading(make_engine(read_settings().database)) as connection:
        raw = bytes_of(connection, item)
    if raw is None:
        raise Failure(f"no item {item} in quarantine", NO)
    typer.echo(raw.decode("utf-8", "backslashreplace").replace("\r", "\n"))


@app.command("release")
def release_item(item: Item) -> None:
    """Judge an item's message again. Example: ferrule quarantine release 12"""
    _answer(release, item)
    typer.echo("released: it is judged again within seconds")


@app.command("discard")
def discard_item(item: Item) -> None:
    """Leave an item's message unjudged for good; its bytes stay. Example: ferrule quarantine discard 12"""
    _answer(discard, item)
    typer.echo("discarded")


def _answer(step: Callable[[Connection, int, str], int], item: int) -> None:
    try:
        with writing(make_engine(read_settings().database)) as connection:
            step(connection, item, getpass.getuser())
    except NotInQuarantine as error:
        raise Failure(str(error), NO) from None
    except IntegrityError:
        raise Failure("another event has taken this id meanwhile: discard the item", NO) from None
