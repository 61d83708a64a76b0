"""`ferrule directory`: the clinicians that alerts can be addressed to, from a file of the house."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from alerts import directory as people
from alerts.directory_import import NotADirectory, read_directory
from alerts.preferences import Preferences
from alerts.tables import RECIPIENT
from worker.database import db_now, reading, writing
from worker.directory_file import bring_up_to_date
from worker.failures import NO, USAGE, Failure
from worker.terminal import at_terminal, system_and_id, the_database
from worker.verbs.directory_covers import Who, cover, end_cover, list_covers

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="The clinicians.")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or a FHIR bundle.")],
    partial: Annotated[bool, typer.Option("--partial", help="Whoever is not in the file stays.")] = False,
) -> None:
    """Bring the directory up to date; who was imported before and is not in FILE has left.

    CSV columns: system, id, name, email, phone, active, pools (separated by ';').
    Example: ferrule directory import clinicians.csv
    """
    try:
        found = read_directory(file.read_bytes())
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}") from None
    except NotADirectory as error:
        raise Failure(f"{file}: {error}") from None
    if not found.people:
        raise Failure(f"{file}: names nobody; the directory stays as it is", NO)
    # A file with mistakes must not make people leave whose line could not be read.
    whole = not partial and not found.refused
    with writing(the_database()) as connection:
        done = bring_up_to_date(connection, found, at_terminal(), db_now(connection), whole=whole)
    for refused in found.refused:
        typer.echo(f"{file}: {refused.place}: {refused.problem}", err=True)
    typer.echo(f"{done.new} new, {done.known} known, {done.left} left")
    if found.refused:
        raise Failure(f"{len(found.refused)} of {file} were not taken, so nobody has left", USAGE)


@app.command("list")
def list_people(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List everybody. Example: ferrule directory list"""
    with reading(the_database()) as connection:
        rows = connection.execute(select(RECIPIENT).order_by(RECIPIENT.c.name, RECIPIENT.c.id)).all()
    table = Table("system", "id", "name", "e-mail", "phone", "active", box=None)
    for row in rows:
        one = {"system": row.system, "id": row.ident, "name": row.name, "email": row.email}
        one |= {"phone": row.phone, "active": row.active}
        if as_json:
            typer.echo(json.dumps(one, ensure_ascii=False))
        table.add_row(*("" if value is None else str(value) for value in one.values()))
    if not as_json:
        Console().print(table if rows else "the directory is empty: ferrule directory import FILE")


app.command()(cover)
app.command("covers")(list_covers)
app.command("end-cover")(end_cover)


@app.command()
def prefer(
    who: Who,
    channel: Annotated[list[str] | None, typer.Option(help="Only these channels; default: all.")] = None,
    digest: Annotated[str | None, typer.Option(metavar="HH:MM", help="For what is not urgent.")] = None,
    quiet: Annotated[str | None, typer.Option(metavar="HH:MM-HH:MM", help="Then only critical.")] = None,
    zone: Annotated[str, typer.Option(help="The zone of these times.")] = "UTC",
) -> None:
    """Set how somebody wants to be told; the inbox always shows everything at once.

    Example: ferrule directory prefer 'urn:npi|1' --digest 07:30 --quiet 20:00-07:00 --zone Europe/Oslo
    """
    wanted: dict[str, object] = {"channels": channel or None, "digest": digest, "zone": zone}
    if quiet is not None:
        since, _, until = quiet.partition("-")
        wanted["quiet"] = {"from": since, "until": until}
    try:
        preferences = Preferences.model_validate(wanted)
    except ValueError:
        raise Failure("expected times such as 07:30, hours such as 20:00-07:00, a zone such as UTC") from None
    with writing(the_database()) as connection:
        kept = people.prefer(connection, system_and_id("SYSTEM|ID", who), preferences)
    if not kept:
        raise Failure("nobody of that system and id is in the directory", NO)
    typer.echo("done")
