"""`ferrule alerts overdue` and `governance`: what is late, and how each rule is answered. Audited."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from alerts.silent import fared
from worker.clock import machine_zone
from worker.database import db_now, writing
from worker.settings import read_settings
from worker.terminal import at_terminal, the_database
from worker.web.governance import governance_json, governed, time_words
from worker.web.overdue import overdue, overdue_json

Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


def list_overdue(as_json: Json = False) -> None:
    """List what open alerts expected and has not come, the longest overdue first.

    Example: ferrule alerts overdue
    """
    zone = read_settings().default_zone or machine_zone()
    with writing(the_database()) as connection:
        now = db_now(connection)
        today = now.astimezone(zone).date()
        found = [overdue_json(row, today) for row in overdue(connection, at_terminal(), now, today)]
    if as_json:
        for one in found:
            typer.echo(json.dumps(one, ensure_ascii=False))
        return
    table = Table("alert", "severity", "expected", "due", "days late", "addressed to", "rule", box=None)
    for one in found:
        to = one["recipient"]
        row = (one["alert"], one["severity"], one["expect"], one["due"], one["days_late"])
        table.add_row(*map(str, row), f"{to['system']}|{to['id']}", one["rule"])
    Console().print(table if found else "nothing that an open alert expects is overdue")


def show_governance(
    days: Annotated[int, typer.Option(min=1, max=3650, help="Of alerts raised since then.")] = 30,
    as_json: Json = False,
) -> None:
    """Count what each rule raised and how it was answered; what silent rules found: `alerts silent`.

    Example: ferrule alerts governance --days 90
    """
    with writing(the_database()) as connection:
        now = db_now(connection)
        used, silent = governed(connection, at_terminal(), days, now), fared(connection)
    if as_json:
        typer.echo(json.dumps(governance_json(days, used, silent), ensure_ascii=False))
        return
    table = Table("rule", "raised", "answered", "half within", "overdue", "dismissed", box=None)
    for one in used:
        why = ", ".join(f"{reason} ({count})" for reason, count in one.dismissed)
        counts = (str(one.raised), str(one.answered), time_words(one, now), str(one.overdue))
        table.add_row(one.rule, *counts, why)
    Console().print(table if used else f"no rule raised an alert in the last {days} days")
    for one in used:
        for comment in one.comments:
            typer.echo(f"{one.rule}: {comment.text}")
