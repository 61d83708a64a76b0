"""`ferrule doctor`: every part asked, one line each, with what to do where something is wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.checkup import Finding, Health, examine
from worker.failures import NO, UNREACHABLE, Failure
from worker.settings import PREFIX, Settings, read_settings

app = typer.Typer(rich_markup_mode=None, add_completion=False)

MARKS = {Health.WELL: "ok  ", Health.WARNING: "warn", Health.ILL: "BAD ", Health.UNREACHABLE: "DOWN"}


@app.command()
def doctor(
    settings: Annotated[bool, typer.Option("--settings", help="List every setting instead.")] = False,
) -> None:
    """Ask every part and say what to do.

    Exit 0: all is well; 1: something is wrong; 3: a part does not answer. Example: ferrule doctor
    """
    if settings:
        _list_settings()
        return
    findings = examine(read_settings())
    for finding in findings:
        typer.echo(_line(finding))
    if any(finding.health is Health.UNREACHABLE for finding in findings):
        raise Failure("a part does not answer", UNREACHABLE)
    if any(finding.health is Health.ILL for finding in findings):
        raise Failure("something is wrong", NO)


def _line(finding: Finding) -> str:
    advice = f"\n       {finding.advice}" if finding.advice else ""
    return f"{MARKS[finding.health]}  {finding.part}: {finding.said}{advice}"


def _list_settings() -> None:
    for name, known in Settings.model_fields.items():
        default = known.get_default(call_default_factory=True)
        typer.echo(f"{PREFIX}{name.upper()} (default: {default}): {known.description or ''}")
