"""`ferrule quarantine`: what could not be understood, why, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import Connection, Engine, RowMapping

from alerts.people import Actor
from worker.apart import apart
from worker.composition import sources_of
from worker.database import db_now, reading, writing
from worker.failures import NO, USAGE, Failure
from worker.quarantine import (
    NotInQuarantine,
    Only,
    age_text,
    bytes_of,
    discard,
    heaps,
    most_urgent,
    release,
    the_item,
)
from worker.rejected import rejected_messages
from worker.releasing import Released, messages_understood_now, read_all_again, release_all, sources_named
from worker.settings import read_settings
from worker.sources import Sources
from worker.terminal import at_terminal, the_database

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="What could not be understood."
)

Item = Annotated[int, typer.Argument(help="The item's number, from `quarantine list`.")]
Reason = Annotated[str | None, typer.Option(help="Only this reason.")]
Source = Annotated[str | None, typer.Option(help="Only this source, by its short name.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
MOST = 1_000_000
CRITICAL = "may hold a critical value"


@app.command("list")
def list_waiting(
    reason: Reason = None,
    source: Source = None,
    heaped: Annotated[bool, typer.Option("--heaps", help="How many, by reason and source.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="At most so many.")] = 1000,
    as_json: Json = False,
) -> None:
    """List what waits: what may hold a critical value first (`urgent`), then the oldest.

    Example: ferrule quarantine list --reason unit-unknown --source north
    """
    sources = _sources()
    with reading(the_database()) as connection:
        only = Only(reason, sources_named(connection, sources, source))
        now = db_now(connection)
        rows = heaps(connection, only) if heaped else most_urgent(connection, only, limit)
        shown = [(_heap if heaped else _line)(row, sources, now) for row in rows]
    _print(shown, as_json)


@app.command()
def rejected(
    reason: Reason = None,
    source: Source = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="At most so many.")] = 1000,
    as_json: Json = False,
) -> None:
    """List the HL7 messages that were answered AR or CR, the newest first. They are kept, and never judged.

    Sent again, they are taken as soon as nothing speaks against it. Example: ferrule quarantine rejected
    """
    sources = _sources()
    with reading(the_database()) as connection:
        named = sources_named(connection, sources, source)
        rows = rejected_messages(connection, reason, named, limit)
        now = db_now(connection)
    shown = [_rejected(row, sources, now) for row in rows]
    _print(shown, as_json, "nothing was rejected")


@app.command("apart")
def list_apart(
    source: Source = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="At most so many.")] = 1000,
    as_json: Json = False,
) -> None:
    """List the messages of control samples and test patients, the newest first: kept, and never judged.

    A patient's tube that its laboratory marked as a control by mistake stands here.

    Example: ferrule quarantine apart --source north
    """
    sources = _sources()
    with reading(the_database()) as connection:
        rows = apart(connection, sources_named(connection, sources, source), limit)
        now = db_now(connection)
    _print([_rejected(row, sources, now) for row in rows], as_json, "nothing is kept apart")


def _rejected(row: RowMapping, sources: Sources, now: datetime) -> dict[str, Any]:
    return {
        "message": row["id"],
        "source": _named(row["source"], sources),
        "sender's id": row["message_id"],
        "reason": row["reason"],
        "since": row["received_at"].isoformat(),
        "age": age_text(row["received_at"], now),
    }


def _line(row: RowMapping, sources: Sources, now: datetime) -> dict[str, Any]:
    return {
        "item": row["id"],
        "urgent": CRITICAL if row["may_be_critical"] else "",
        "message": row["message_id"],
        "source": _named(row["source"], sources),
        "sender's id": row["sender_id"],
        "format": row["format"],
        "reason": row["reason"],
        "place": row["place"],
        "since": row["created_at"].isoformat(),
        "age": age_text(row["created_at"], now),
        "remedy": row["remedy"],
    }


def _heap(row: RowMapping, sources: Sources, now: datetime) -> dict[str, Any]:
    return {
        "reason": row["reason"],
        "source": _named(row["source"], sources),
        "count": row["count"],
        "may be critical": row["critical"],
        "since": row["oldest"].isoformat(),
        "age": age_text(row["oldest"], now),
    }


def _named(source: str, sources: Sources) -> str:
    sender = sources.of(source)
    return sender.name if sender else source


def _print(lines: list[dict[str, Any]], as_json: bool, none: str = "nothing waits in quarantine") -> None:
    if as_json:
        for line in lines:
            typer.echo(json.dumps(line, ensure_ascii=False))
        return
    if not lines:
        typer.echo(none)
        return
    table = Table(*(name for name in lines[0] if name != "since"), box=None)
    for line in lines:
        table.add_row(*(str(value) for name, value in line.items() if name != "since"))
    Console().print(table)


@app.command()
def show(
    item: Item,
    raw: Annotated[bool, typer.Option("--raw", help="Also the message as it came: patient data.")] = False,
    because: Annotated[str, typer.Option(help="With --raw: why you look. It is kept.")] = "",
    as_json: Json = False,
) -> None:
    """Show one item; its message only with a reason, which is audited.

    Example: ferrule quarantine show 12 --raw --because "the laboratory asks which unit we saw"
    """
    if raw and not because.strip():
        raise Failure("--raw shows patient data: say why with --because", USAGE)
    with _refusing(), writing(the_database()) as connection:
        line = _line(the_item(connection, item), _sources(), db_now(connection))
        message = bytes_of(connection, item, at_terminal(), because.strip()) if raw else None
    if as_json:
        typer.echo(json.dumps(line, ensure_ascii=False))
    else:
        for name, value in line.items():
            typer.echo(f"{name:12} {value}")
    if message is not None:
        typer.echo("\n" + message.decode("utf-8", "backslashreplace").replace("\r", "\n"))


@app.command("release")
def release_items(
    item: Annotated[int | None, typer.Argument(help="The item's number; or --all.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Everything that --reason and --source name.")] = False,
    reason: Reason = None,
    source: Source = None,
    as_json: Json = False,
) -> None:
    """Read messages again and judge them, by the mapping in force now.

    With --all also results that a mapping has learned to understand since (`ferrule codes gaps`).

    Example: ferrule quarantine release --all --reason unit-unknown --source north
    """
    if (item is None) != every:
        raise Failure("say one item, or --all with --reason or --source", USAGE)
    if item is not None:
        _answer(release, item)
        typer.echo("released: it is judged again within seconds")
        return
    if reason is None and source is None:
        raise Failure("--all needs --reason or --source: list first with --heaps", USAGE)
    done = _release_all(the_database(), reason, source)
    if as_json:
        typer.echo(json.dumps({"released": done.messages, "held": done.held}))
    else:
        typer.echo(f"{done.messages} released: they are judged again within seconds")
        if done.held:
            typer.echo(f"{done.held} held back: their ids belong to other events by now; discard them")


def _release_all(engine: Engine, reason: str | None, source: str | None) -> Released:
    sources = _sources()
    with reading(engine) as connection:
        only = Only(reason, sources_named(connection, sources, source))
        items = sum(heap["count"] for heap in heaps(connection, only))
        understood = list(messages_understood_now(connection, sources, reason, source))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("released", total=items + len(understood))

        def told(count: int) -> None:
            progress.advance(bar, count)

        done = release_all(engine, only, at_terminal(), told)
        return done + read_all_again(engine, understood, at_terminal(), "a mapping understands it now", told)


@app.command("discard")
def discard_item(
    item: Item, because: Annotated[str, typer.Option(help="Why, in words; it is kept.")] = ""
) -> None:
    """Take an item off the list for good; its message stays stored.

    Example: ferrule quarantine discard 12 --because "a test message of the laboratory"
    """
    if not because.strip():
        raise Failure("say why with --because; it is kept", USAGE)
    _answer(lambda connection, one, by: discard(connection, one, by, because), item)
    typer.echo("discarded")


def _answer(step: Callable[[Connection, int, Actor], int], item: int) -> None:
    with _refusing(), writing(the_database()) as connection:
        step(connection, item, at_terminal())


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except NotInQuarantine as error:
        raise Failure(str(error), NO) from None


def _sources() -> Sources:
    return sources_of(read_settings())()
