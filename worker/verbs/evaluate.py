"""`ferrule evaluate`: judge the patients in files, without queue or database.

Input that cannot be read is one line on stderr each; the rest is judged, and the exit code is 2.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape

from rules.explain import time_text
from rules.findings import AbsentEvidence, Judgment, ResultEvidence, RuleJudgment, Severity
from rules.load import load_ruleset
from worker.evaluate import NoTimeInInput, evaluate, gathered, judgment_json
from worker.failures import USAGE, Failure
from worker.intake.event import Event
from worker.intake.files import Format, read_events
from worker.intake.times import read_instant
from worker.intake.unreadable import Unreadable
from worker.sources import load_sources

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Events or HL7 v2; '-' is standard input.")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="Judge as known then.")]
FormatOf = Annotated[Format, typer.Option("--format", help="How the files are written.")]
ZoneName = Annotated[str, typer.Option("--zone", help="Reads times without offset [default: UTC].")]
RulesDir = Annotated[Path | None, typer.Option("--rules", metavar="DIR", help="Rule files other than ours.")]
SourcesFile = Annotated[
    Path | None,
    typer.Option("--sources", metavar="FILE", help="Who sends how: local codes, units, decimals, zones."),
]
SiteFile = Annotated[Path | None, typer.Option("--site", metavar="FILE", help="The site's own settings.")]

_COLORS = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MODERATE: "yellow",
    Severity.LOW: "cyan",
}


@app.command()
def evaluate_files(
    files: Files,
    as_of: AsOf = None,
    format: FormatOf = Format.AUTO,
    zone: ZoneName = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a patient and line.")] = False,
    rules: RulesDir = None,
    site: SiteFile = None,
    sources: SourcesFile = None,
) -> None:
    """Judge the patients in files without queue or database.

    What a laboratory sends under codes of its own is read with --sources: the file that FERRULE_SOURCES_FILE
    names, its mappings beside it.

    Example: ferrule evaluate day.ndjson --as-of 2026-03-02T09:00:00Z --json

    Example: ferrule evaluate day.hl7 --sources deploy/examples/sources.yaml
    """
    place = zone_named(zone)
    moment = moment_named(as_of, place)
    ruleset, senders = load_ruleset(rules, site), load_sources(sources)
    unread = Unread()
    input = gathered(unread.told(read_events(files, format)), place, senders.dialect)
    show = _print_json if as_json else _print_words
    try:
        for judgment in evaluate(input, ruleset, moment):
            show(judgment)
    except NoTimeInInput as error:
        raise Failure(str(error)) from None
    if unread.count:
        raise typer.Exit(USAGE)


class Unread:
    """Tells on stderr what could not be read, and counts it."""

    def __init__(self) -> None:
        self.count = 0

    def told(self, items: Iterator[Event | Unreadable]) -> Iterator[Event]:
        """The events among `items`."""
        for item in items:
            if isinstance(item, Event):
                yield item
            else:
                self.count += 1
                typer.echo(f"ferrule: {item}", err=True)


def zone_named(name: str) -> ZoneInfo:
    """The zone of `--zone`; without one UTC, and a note on stderr."""
    if not name:
        typer.echo("ferrule: times without offset are read as UTC; --zone names another zone", err=True)
        return ZoneInfo("UTC")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Failure("--zone: expected a zone such as Europe/Berlin, got another word") from None


def moment_named(text: str | None, zone: ZoneInfo) -> datetime | None:
    """The moment of `--as-of`, None when it was not given."""
    moment = read_instant(text, zone).at
    if text is not None and moment is None:
        raise Failure("--as-of: expected a time such as 2026-03-02T09:00:00Z, got another text")
    return moment


def _print_json(judgment: Judgment) -> None:
    typer.echo(json.dumps(judgment_json(judgment), ensure_ascii=False))


def _print_words(judgment: Judgment) -> None:
    console = Console(highlight=False, soft_wrap=True)
    patient = judgment.patient
    console.print(
        f"[bold]{escape(patient.id)}[/] [dim]{escape(patient.system)}, {time_text(judgment.as_of)}[/]"
    )
    if not judgment.findings:
        console.print("  nothing to tell", style="dim")
    for finding in judgment.findings:
        _print_finding(console, finding)
    for quiet in judgment.silent:
        console.print(
            escape(f"  silent: {quiet.rule}, {quiet.severity.value}, {quiet.headline}"), style="dim"
        )
    for left in judgment.not_used:
        console.print(
            escape(f"  not used: {left.result_id}: {left.reason.value}, {left.detail}"), style="dim"
        )
    for rule in judgment.undetermined:
        console.print(escape(f"  open: {rule.rule}, missing {', '.join(rule.missing)}"), style="dim")


def _print_finding(console: Console, finding: RuleJudgment) -> None:
    color = _COLORS[finding.severity]
    console.print(
        f"  [{color}]{finding.severity.value}[/] {escape(finding.headline)} [dim]{escape(finding.rule)}[/]"
    )
    console.print(f"    {escape(finding.text)}")
    for shown in finding.evidence:
        if isinstance(shown, ResultEvidence):
            sign = "" if shown.comparator == "=" else f"{shown.comparator} "
            day = shown.effective_at.date().isoformat()
            console.print(f"    {escape(f'{shown.analyte} {sign}{shown.value} {shown.unit}')} [dim]{day}[/]")
    missing = [shown.absent for shown in finding.evidence if isinstance(shown, AbsentEvidence)]
    if missing:
        console.print(escape(f"    not on record: {', '.join(dict.fromkeys(missing))}"), style="dim")
    for action in finding.actions:
        console.print(f"    - {escape(action)}")
