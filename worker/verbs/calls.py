"""`ferrule calls`: the alerts somebody must be called about, and the record of each call that was made."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from alerts import audit
from alerts import calls as call_list
from alerts.answers import Invalid, NoSuchAlert
from alerts.calls import Call
from alerts.snapshot import time_text
from alerts.states import NotAllowed
from worker.database import db_now, writing
from worker.failures import NO, Failure
from worker.terminal import at_terminal, moment, the_database
from worker.web.alert_json import alerts_json

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="The call list.")

COLUMNS = ("alert", "severity", "since", "patient", "for", "headline", "calls")


@app.command("list")
def list_calls(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List whom to call about what, the most severe first. Example: ferrule calls list"""
    with writing(the_database()) as connection:
        rows = call_list.waiting(connection)
        found = alerts_json(connection, rows)
        made = [len(call_list.made(connection, row.id)) for row in rows]
        data = {"alerts": [row.id for row in rows]}
        entry = audit.Entry("list", at_terminal(), "call", "", db_now(connection), data=data)
        audit.record(connection, [entry])
    if as_json:
        for one, row in zip(found, rows, strict=True):
            typer.echo(json.dumps({**one, "on_call_list_since": time_text(row.call_list_since)}))
        return
    table = Table(*COLUMNS, box=None)
    for one, row, count in zip(found, rows, made, strict=True):
        patient, to = one["patient"] or {}, one["recipient"]
        since = time_text(row.call_list_since)
        cells = (one["id"], one["severity"], since, patient.get("id"), to["id"], one["headline"], count)
        table.add_row(*map(str, cells))
    Console().print(table if found else "nobody has to be called")


@app.command()
def record(
    alert: Annotated[int, typer.Argument(metavar="ALERT", help="The alert's number.")],
    to: Annotated[str, typer.Option(help="Who was reached.")],
    told: Annotated[str, typer.Option(help="The value as it was told, with its unit.")],
    read_back: Annotated[bool, typer.Option("--read-back/--not-read-back", help="Did they repeat it?")],
    at: Annotated[str | None, typer.Option(metavar="TIME", help="When; default: now.")] = None,
    comment: Annotated[str | None, typer.Option(help="Free text, kept with the call.")] = None,
) -> None:
    """Write down a call that was made; it cannot be changed afterwards.

    Example: ferrule calls record 12 --to "Dr. Example" --told "hemoglobin 68 g/L" --read-back
    """
    try:
        with writing(the_database()) as connection:
            now = db_now(connection)
            call = Call(to, moment("--at", at) if at else now, told, read_back, comment)
            call_list.record(connection, alert, at_terminal(), call, now=now)
    except NoSuchAlert:
        raise Failure(f"there is no alert {alert}", NO) from None
    except Invalid as error:
        raise Failure(f"--{error}") from None
    except NotAllowed as error:
        raise Failure(str(error), NO) from None
    typer.echo("recorded")
