"""`ferrule token`: access for programs and people, shown once."""

from __future__ import annotations

from typing import Annotated

import typer

from worker import tokens
from worker.database import db_now, make_engine, writing
from worker.failures import Failure
from worker.settings import read_settings
from worker.tokens import Role

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="Access for programs and people."
)


@app.callback()
def token() -> None:
    """Access for programs and people."""


@app.command()
def create(
    role: Annotated[Role, typer.Option(help="What the holder may do.")],
    of: Annotated[str | None, typer.Option("--as", metavar="SYSTEM|ID", help="Whose it is.")] = None,
    label: Annotated[str, typer.Option(help="What it is for, to find it again.")] = "",
) -> None:
    """Make a token and print it, once.

    Example: ferrule token create --role clinician --as 'http://hl7.org/fhir/sid/us-npi|1234567893'
    """
    clinician = _system_and_id(of)
    if role is Role.CLINICIAN and clinician is None:
        raise Failure("a clinician's token needs --as SYSTEM|ID, the identifier alerts are addressed to")
    with writing(make_engine(read_settings().database)) as connection:
        secret = tokens.create(connection, role, db_now(connection), of=clinician, label=label)
    typer.echo(secret)


def _system_and_id(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    system, bar, ident = text.rpartition("|")
    if not (bar and system and ident):
        raise Failure("--as: expected SYSTEM|ID")
    return system, ident
