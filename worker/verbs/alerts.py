"""`ferrule alerts`: look at alerts and answer them from a terminal. What is shown and done is audited."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, select

from alerts import answers, audit
from alerts.answers import DismissReason, Invalid, NoSuchAlert
from alerts.people import Actor
from alerts.states import OPEN, NotAllowed
from alerts.steps import Conflict
from alerts.tables import ALERT
from alerts.unaddressed import unaddressed as queue
from worker.channels import push_channels
from worker.clock import machine_zone
from worker.database import db_now, writing
from worker.downtime_list import as_page, as_text, open_alerts, write_private
from worker.failures import NO, Failure
from worker.locales import locale_named
from worker.settings import read_settings
from worker.telling import has_died
from worker.terminal import at_terminal, system_and_id, the_database
from worker.verbs.alerts_queues import list_overdue, show_governance
from worker.verbs.alerts_silent import adjudicate, list_silent
from worker.web.alert_json import alert_json, alerts_json

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="Look at alerts.")

Alert = Annotated[int, typer.Argument(metavar="ID", help="The alert's number, from `alerts list`.")]
Comment = Annotated[str | None, typer.Option(help="Free text, kept with the answer.")]
Why = Annotated[str, typer.Option(help="Why, in words.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@app.command("list")
def list_alerts(
    every: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    as_json: Json = False,
) -> None:
    """List the open alerts, the newest first. Example: ferrule alerts list --json"""
    query = select(ALERT).order_by(ALERT.c.id.desc())
    with writing(the_database()) as connection:
        rows = connection.execute(query if every else query.where(ALERT.c.state.in_(OPEN))).all()
        found = alerts_json(connection, rows)
        _note(connection, "list", "", {"alerts": [row.id for row in rows]})
    if as_json:
        for one in found:
            typer.echo(json.dumps(one, ensure_ascii=False))
        return
    table = Table("id", "severity", "state", "rule", "patient", "raised", box=None)
    for one in found:
        patient = one["patient"] or {}
        row = (one["id"], one["severity"], one["state"], one["rule"], patient.get("id"), one["raised_at"])
        table.add_row(*map(str, row))
    Console().print(table if found else "no alert is open")


@app.command()
def show(alert: Alert, as_json: Json = False) -> None:
    """Show one alert with its values and its history. Example: ferrule alerts show 12"""
    with writing(the_database()) as connection:
        row = connection.execute(select(ALERT).where(ALERT.c.id == alert)).first()
        if row is None:
            raise Failure(f"there is no alert {alert}", NO)
        found = alert_json(connection, row)
        _note(connection, "read", str(alert), None, row.patient_id)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    typer.echo(f"{found['headline']}\n{found['severity']}, {found['state']} ({found['reason']})")
    typer.echo(f"\n{found['text']}\n")
    for step in found["history"]:
        typer.echo(f"  {step['at']}  {step['to']}  {step['reason']}")


@app.command()
def acknowledge(
    alert: Alert,
    comment: Comment = None,
    follow_up: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Agreed on, of what is expected; default: all.")
    ] = None,
) -> None:
    """Take an alert on. Example: ferrule alerts acknowledge 12 --follow-up b12"""
    _answer(
        alert,
        lambda c, by, now: answers.acknowledge(c, alert, by, now=now, comment=comment, follow_ups=follow_up),
    )


@app.command()
def dismiss(
    alert: Alert,
    reason: Annotated[DismissReason, typer.Option(help="A coded reason.")],
    comment: Comment = None,
) -> None:
    """Say that nothing is to be done. Example: ferrule alerts dismiss 12 --reason known-diagnosis"""
    _answer(alert, lambda c, by, now: answers.dismiss(c, alert, by, reason=reason, now=now, comment=comment))


@app.command()
def snooze(
    alert: Alert, until: Annotated[str, typer.Option(metavar="TIME", help="With its offset.")], reason: Why
) -> None:
    """Put an alert off.

    Example: ferrule alerts snooze 12 --until 2026-03-08T08:00:00Z --reason leave
    """
    at = _time(until)
    _answer(alert, lambda c, by, now: answers.snooze(c, alert, by, until=at, reason=reason, now=now))


@app.command()
def resolve(alert: Alert, reason: Why) -> None:
    """Close an alert that is dealt with. Example: ferrule alerts resolve 12 --reason referred"""
    _answer(alert, lambda c, by, now: answers.resolve(c, alert, by, reason=reason, now=now))


@app.command()
def reassign(
    alert: Alert, to: Annotated[str, typer.Option(metavar="SYSTEM|ID", help="Who gets it.")], reason: Why
) -> None:
    """Pass an alert on.

    Example: ferrule alerts reassign 12 --to 'urn:ferrule:pool|hematology' --reason rota
    """
    push, who = push_channels(read_settings()), system_and_id("--to", to)

    def passed_on(c: Connection, by: Actor, now: datetime) -> object:
        return answers.reassign(c, alert, by, to=who, reason=reason, now=now, push=push, has_died=has_died)

    _answer(alert, passed_on)


@app.command()
def unaddressed(as_json: Json = False) -> None:
    """List the open alerts that reach nobody, the oldest first. Example: ferrule alerts unaddressed"""
    with writing(the_database()) as connection:
        rows = queue(connection)
        found = alerts_json(connection, rows)
        _note(connection, "list", "", {"alerts": [row.id for row in rows]})
    if as_json:
        for one in found:
            typer.echo(json.dumps(one, ensure_ascii=False))
        return
    table = Table("id", "severity", "addressed to", "rule", "since", box=None)
    for one in found:
        to = one["recipient"]
        table.add_row(
            str(one["id"]), one["severity"], f"{to['system']}|{to['id']}", one["rule"], one["raised_at"]
        )
    Console().print(table if found else "every open alert reaches somebody")


app.command("overdue")(list_overdue)
app.command("governance")(show_governance)
app.command("silent")(list_silent)
app.command()(adjudicate)


@app.command("print")
def print_open(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Default: text to the terminal.")] = None,
    as_html: Annotated[bool, typer.Option("--html", help="A page to print; else plain text.")] = False,
) -> None:
    """Print every open alert, for when the pages are down; the file can be read by its owner alone.

    Example: ferrule alerts print --html --out /secure/open-alerts.html
    """
    settings = read_settings()
    with writing(the_database()) as connection:
        now = db_now(connection)
        entries = open_alerts(connection, now)
        _note(connection, "print", "", {"alerts": [entry.alert for entry in entries]})
    zone = settings.default_zone or machine_zone()
    locale = locale_named(settings.locale) if settings.locale else None
    text = as_page(entries, now, zone, locale) if as_html else as_text(entries, now, zone, locale)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        write_private(out, text)
    except OSError as error:
        raise Failure(f"{out}: {error.strerror}") from None
    typer.echo(f"{len(entries)} open alerts in {out}")


def _answer(alert: int, step: Callable[[Connection, Actor, datetime], object]) -> None:
    try:
        with writing(the_database()) as connection:
            step(connection, at_terminal(), db_now(connection))
    except NoSuchAlert:
        raise Failure(f"there is no alert {alert}", NO) from None
    except Invalid as error:
        raise Failure(f"--{error}") from None
    except (NotAllowed, Conflict) as error:
        raise Failure(str(error), NO) from None
    typer.echo("done")


def _note(
    connection: Connection, action: str, alert: str, data: dict[str, Any] | None, patient: int | None = None
) -> None:
    entry = audit.Entry(
        action=action,
        by=at_terminal(),
        object_kind="alert",
        object_id=alert,
        at=db_now(connection),
        patient_id=patient,
        data=data,
    )
    audit.record(connection, [entry])


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Failure("--until: expected a time such as 2026-03-08T08:00:00Z") from None
