"""`ferrule alerts silent` and `adjudicate`: what silent rules found, and what is thought of it. Audited."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from alerts import silent
from alerts.silent import NoSuchFinding, Verdict
from worker.database import db_now, writing
from worker.failures import NO, Failure
from worker.terminal import at_terminal, the_database
from worker.web import trail
from worker.web.silent_findings import fared_json, fared_words, finding_json
from worker.web.visible import LARGEST_ID


def list_silent(
    rule: Annotated[str | None, typer.Option(metavar="ID", help="Of one rule alone.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """List what silent rules found and how they fared; what waits for a verdict first.

    Example: ferrule alerts silent --rule iron-deficiency-not-otherwise-covered
    """
    with writing(the_database()) as connection:
        found, rules = silent.findings(connection, rule), silent.fared(connection)
        ids, patients = [row.id for row in found], [row.patient_id for row in found]
        trail.note_silent(connection, db_now(connection), at_terminal(), ids, patients)
    if as_json:
        document = {
            "rules": [fared_json(one) for one in rules],
            "items": [finding_json(row) for row in found],
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    if not found:
        typer.echo("no silent rule has found anything")
        return
    for one in map(fared_words, rules):
        typer.echo(
            f"{one['rule']} version {one['version']}: {one['found']} found, {one['verdicts']}; {one['ppv']}"
        )
    table = Table("id", "rule", "severity", "text", "verdict", box=None)
    for row in found:
        table.add_row(str(row.id), row.rule, row.severity, row.text, row.verdict or "")
    Console().print(table)


def adjudicate(
    finding: Annotated[
        int, typer.Argument(metavar="ID", min=1, max=LARGEST_ID, help="Its number, from `alerts silent`.")
    ],
    verdict: Annotated[Verdict, typer.Option(help="Whether it should have been told.")],
    reason: Annotated[str, typer.Option(help="Why, in words.")],
) -> None:
    """Judge what a silent rule found.

    Example: ferrule alerts adjudicate 7 --verdict wrong --reason 'ferritin after iron infusion'
    """
    try:
        with writing(the_database()) as connection:
            silent.adjudicate(connection, finding, verdict, reason, at_terminal(), db_now(connection))
    except NoSuchFinding:
        raise Failure(f"there is no silent finding {finding}", NO) from None
    except ValueError as error:
        raise Failure(f"--{error}") from None
    typer.echo("done")
