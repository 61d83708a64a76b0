"""`ferrule escalation`: how long an alert may wait, and who hears of it then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from alerts import timers
from alerts.policy import EscalationPolicy, read_policy
from worker.database import reading
from worker.settings import read_settings
from worker.terminal import the_database

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="Who hears when nobody answers."
)


@app.command()
def show(
    in_force: Annotated[
        bool, typer.Option("--in-force", help="What new alerts get, by the database.")
    ] = False,
) -> None:
    """Print the policy of the settings as JSON, defaults included. Example: ferrule escalation show"""
    settings = read_settings()
    policy = read_policy(settings.escalation_file, settings.default_zone)
    if in_force:
        with reading(the_database()) as connection:
            policy = timers.policy(connection, timers.in_force(connection))
    typer.echo(json.dumps(policy.document, indent=2))


@app.command()
def lint(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy, as YAML.")],
) -> None:
    """Check a policy; a mistake is one line with its place. Example: ferrule escalation lint FILE"""
    policy = read_policy(file)
    typer.echo(f"{file}: {policy.fingerprint}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the file. Example: ferrule escalation schema > schema.json"""
    typer.echo(json.dumps(EscalationPolicy.model_json_schema(), indent=2))
