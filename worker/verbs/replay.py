"""`ferrule replay`: judge stored messages again, or say what that would change."""

from __future__ import annotations

import getpass
from datetime import datetime
from typing import Annotated

import typer

from alerts.people import SELF_SYSTEM, Actor
from worker.composition import build
from worker.failures import USAGE, Failure
from worker.replaying import replay, would_change
from worker.settings import read_settings
from worker.verbs.evaluate import moment_named, zone_named

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("replay")
def replay_messages(
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="Received from then on.")] = "",
    to: Annotated[str, typer.Option("--to", metavar="TIME", help="Received before then.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; print what would change, by rule.")
    ] = False,
) -> None:
    """Judge stored messages again by the rules and mappings in force. The storm brake applies.

    Example: ferrule replay --from 2026-03-01T00:00:00Z --dry-run
    """
    deps = build(read_settings())
    start, end = _moment("--from", since), _moment("--to", to)
    if not dry_run:
        by = Actor(SELF_SYSTEM, getpass.getuser(), "ferrule replay")
        typer.echo(f"{replay(deps, start, end, by)} messages are judged again")
        return
    changes = would_change(deps, start, end)
    for (rule, action, reason), count in sorted(changes.items()):
        typer.echo(f"{count:6d}  {action:8s}  {rule}  ({reason})")
    typer.echo(
        "nothing would change" if not changes else f"{changes.total():6d}  in all; nothing was written"
    )


def _moment(option: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        return moment_named(text, zone_named("UTC"))
    except Failure:
        raise Failure(f"{option}: expected a time such as 2026-03-02T09:00:00Z", USAGE) from None
