"""`ferrule directory cover`, `covers` and `end-cover`: who answers for whom, from when to when. Audited."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, Row

from alerts import audit, covers
from alerts import directory as people
from alerts.routing import Covering
from alerts.snapshot import time_text
from worker.database import db_now, reading, writing
from worker.failures import NO, Failure
from worker.terminal import at_terminal, moment, system_and_id, the_database
from worker.web.visible import LARGEST_ID

Who = Annotated[str, typer.Argument(metavar="SYSTEM|ID", help="As the laboratory names them.")]


def cover(
    absent: Who,
    by: Annotated[str, typer.Option(metavar="SYSTEM|ID", help="Who answers for them.")],
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="With its offset.")],
    until: Annotated[str, typer.Option(metavar="TIME", help="With its offset; not included.")],
) -> None:
    """Write down who answers for somebody who is away.

    Example: ferrule directory cover 'urn:npi|1' --by 'urn:npi|2' --from 2026-03-01T08:00Z --until
    2026-03-08T08:00Z
    """
    starts, ends = moment("--from", since), moment("--until", until)
    if ends <= starts:
        raise Failure("--until: expected a time after --from")
    covering = Covering(system_and_id("SYSTEM|ID", absent), system_and_id("--by", by), starts, ends)
    if covering.absent == covering.covering:
        raise Failure("--by: nobody covers for themselves")
    with writing(the_database()) as connection:
        people.cover(connection, covering)
        who = {"system": covering.covering.system, "id": covering.covering.id}
        _note(connection, "cover.add", db_now(connection), {"by": who, "until": time_text(ends)})
    typer.echo("done")


def list_covers(
    who: Who,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List who answers for somebody and for whom they answer, as far as it has not ended.

    Example: ferrule directory covers 'urn:npi|1'
    """
    address = system_and_id("SYSTEM|ID", who)
    with reading(the_database()) as connection:
        now = db_now(connection)
        rows = [row for role in ("absent", "covering") for row in covers.of(connection, address, role, now)]
    if as_json:
        for row in rows:
            typer.echo(json.dumps(_json(row), ensure_ascii=False))
        return
    table = Table("number", "away", "answers", "from", "until", box=None)
    for row in rows:
        table.add_row(*map(str, _json(row).values()))
    Console().print(table if rows else "no cover of theirs is still to end")


def end_cover(
    absent: Who,
    number: Annotated[
        int, typer.Argument(metavar="NUMBER", min=1, max=LARGEST_ID, help="From `directory covers`.")
    ],
) -> None:
    """End a cover of somebody who was away, now; one that has not begun never begins.

    Example: ferrule directory end-cover 'urn:npi|1' 7
    """
    with writing(the_database()) as connection:
        now = db_now(connection)
        if not covers.end(connection, number, system_and_id("SYSTEM|ID", absent), now):
            raise Failure(f"they have no cover {number} that is still to end", NO)
        _note(connection, "cover.end", now, {"cover": number})
    typer.echo("done")


def _json(row: Row[Any]) -> dict[str, Any]:
    return {
        "number": row.id,
        "absent": f"{row.absent_system}|{row.absent_ident}",
        "covering": f"{row.covering_system}|{row.covering_ident}",
        "from": time_text(row.starts_at),
        "until": time_text(row.ends_at),
    }


def _note(connection: Connection, action: str, now: datetime, data: dict[str, Any]) -> None:
    audit.record(connection, [audit.Entry(action, at_terminal(), "cover", "", now, data=data)])
