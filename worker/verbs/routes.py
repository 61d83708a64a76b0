"""`ferrule routes`: whom an alert would reach, and cases that hold the directory to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rules.findings import Severity
from worker.database import db_now, reading
from worker.failures import NO, Failure
from worker.routes import address_of, differs, read_cases, route
from worker.settings import read_settings
from worker.telling import reach_of
from worker.terminal import moment, system_and_id, the_database

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="Whom an alert would reach."
)


@app.command()
def show(
    orderer: Annotated[
        str | None, typer.Option(metavar="SYSTEM|ID", help="Who ordered; none: nobody.")
    ] = None,
    severity: Annotated[Severity, typer.Option(help="Of the alert.")] = Severity.HIGH,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="When; default: now.")] = None,
) -> None:
    """Print whom an alert would be addressed to, why, and how they would be told.

    Example: ferrule routes show --orderer 'http://hl7.org/fhir/sid/us-npi|1234567893' --severity critical
    """
    reach = reach_of(read_settings())
    who = system_and_id("--orderer", orderer) if orderer else None
    with reading(the_database()) as connection:
        now = moment("--at", at) if at else db_now(connection)
        found = route(connection, who, severity, now, push=reach.push, fallback=reach.fallback)
    for line in found.said():
        typer.echo(line)


@app.command()
def test(file: Annotated[Path, typer.Argument(metavar="FILE", help="Cases, as YAML.")]) -> None:
    """Check that alerts would reach whom the cases say; exit 1 when one does not.

    FILE: {cases: [{name: away, orderer: 'urn:npi|1', severity: high, expect: [{to: 'urn:npi|2', by:
    [inbox]}]}]} Example: ferrule routes test routes.yaml
    """
    cases = read_cases(file).cases
    reach = reach_of(read_settings())
    failed = 0
    with reading(the_database()) as connection:
        for case in cases:
            who = address_of(case.orderer) if case.orderer else None
            now = case.at or db_now(connection)
            found = route(connection, who, case.severity, now, push=reach.push, fallback=reach.fallback)
            problem = differs(case, found)
            failed += problem is not None
            typer.echo(f"{'FAIL' if problem else 'ok  '}  {case.name}{f': {problem}' if problem else ''}")
    if failed:
        raise Failure(f"{failed} of {len(cases)} cases do not hold", NO)
