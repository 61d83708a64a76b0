"""`ferrule audit`: is the sealed trail of who read and did what still as it was written?"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from alerts import audit as trail
from worker.database import make_engine, reading, writing
from worker.failures import NO, Failure
from worker.settings import read_settings

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="The sealed trail.")


@app.callback()
def audit() -> None:
    """The sealed trail of who read and did what."""


@app.command()
def verify(
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only records up to this time.")] = None,
) -> None:
    """Check the whole chain; exit 1 when it is broken. Example: ferrule audit verify"""
    engine = make_engine(read_settings().database)
    with writing(engine) as connection:
        trail.seal(connection)
    with reading(engine) as connection:
        breaks = trail.verify(connection, _time(until))
        head = trail.head(connection)
    for broken in breaks:
        typer.echo(f"broken: {broken.kind} at {broken.seq or broken.audit_id}", err=True)
    if breaks:
        raise Failure(f"the audit chain is broken in {len(breaks)} place(s)", NO)
    typer.echo(f"the chain of {head.seq} records is whole; its head is {head.hash}")


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Failure("--until: expected a time such as 2026-03-01T08:00:00Z") from None
    if at.tzinfo is None:
        raise Failure("--until: expected a time with its offset, such as 2026-03-01T08:00:00Z")
    return at
