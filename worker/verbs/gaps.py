"""`ferrule gaps`: events of FHIR subscriptions that never came, and giving up on one.

They are fetched by the poller (`worker.fhir_fetching`); here they are shown and closed alone.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from worker.database import reading, writing
from worker.failures import NO, USAGE, Failure
from worker.fhir_subscriptions import close_by_hand, listing
from worker.terminal import at_terminal, the_database
from worker.web.visible import LARGEST_ID

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Events of FHIR subscriptions that never came.",
)


@app.command("list")
def list_gaps(
    every: Annotated[bool, typer.Option("--all", help="Also those that are missing no longer.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the missing events, the oldest first. Example: ferrule gaps list"""
    with reading(the_database()) as connection:
        found = listing(connection, every=every)
    if as_json:
        for one in found:
            typer.echo(json.dumps(one, default=str, ensure_ascii=False))
        return
    columns = ("id", "source", "subscription", "number", "found_at", "attempts", "reason")
    table = Table(*columns, box=None)
    for one in found:
        table.add_row(*(str(one[column] if one[column] is not None else "") for column in columns))
    Console().print(table if found else "no event is missing")


@app.command("close")
def close_gap(
    gap: Annotated[
        int, typer.Argument(metavar="ID", min=1, max=LARGEST_ID, help="The gap's number, from `gaps list`.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why, in words; kept in the audit trail.")],
) -> None:
    """Look for this event no longer: it came another way, or nobody has it any more.

    Example: ferrule gaps close 3 --reason 'sent again as a file'
    """
    try:
        with writing(the_database()) as connection:
            closed = close_by_hand(connection, gap, reason, at_terminal())
    except ValueError as error:
        raise Failure(str(error), USAGE) from None
    if not closed:
        raise Failure(f"no event {gap} is missing", NO)
    typer.echo("closed: it is not looked for any more")
