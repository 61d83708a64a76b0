"""`ferrule bench`: figures beside their yardsticks, measured in the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from worker.bench.figures import Comparison, Figure
from worker.settings import read_settings

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Figures beside their yardsticks.")

Runs = Annotated[int, typer.Option("--runs", min=1, help="Turns; the median counts.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there.")]


@app.command()
def intake(
    runs: Runs = 5,
    messages: Annotated[int, typer.Option("--messages", min=1, help="Messages sent in one run.")] = 2000,
    connections: Annotated[int, typer.Option("--connections", min=1, help="Senders at once.")] = 16,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Single commits in one run.")] = 500,
    json: JsonFile = None,
) -> None:
    """HL7 over MLLP, stored and acknowledged, beside single-row durable commits.

    With FERRULE_DATABASE_URL on that server, in a database made for the run; else on SQLite.

    Example: ferrule bench intake --runs 5 --json intake.json
    """
    from worker.bench.intake import Sizes, measure

    _tell(measure(read_settings(), runs, Sizes(messages, connections, rows)), json)


@app.command()
def pipeline(
    runs: Runs = 5,
    messages: Annotated[int, typer.Option("--messages", min=1, help="Messages judged in one run.")] = 400,
    tasks: Annotated[int, typer.Option("--tasks", min=1, help="Tasks that do nothing in one run.")] = 4000,
    json: JsonFile = None,
) -> None:
    """Stored message to alert and outbox committed, beside a task that does nothing.

    With FERRULE_DATABASE_URL on that server, in a database made for the run; else on SQLite.

    Example: ferrule bench pipeline --runs 5 --json pipeline.json
    """
    from worker.bench.pipeline import Sizes, measure

    _tell(measure(read_settings(), runs, Sizes(messages, tasks)), json)


@app.command()
def rules(
    runs: Runs = 5,
    seconds: Annotated[float, typer.Option("--seconds", min=0.01, help="How long one run lasts.")] = 2.0,
    json: JsonFile = None,
) -> None:
    """The whole library over histories of fifty results, compiled and by reference; one rule in plain Python.

    Example: ferrule bench rules --json rules.json
    """
    from worker.bench.rule_library import measure

    _tell(measure(runs, seconds), json)


@app.command()
def history(
    runs: Runs = 5,
    longest: Annotated[
        int, typer.Option("--longest", min=10, help="Results of the longest history.")
    ] = 10_000,
    table: Annotated[
        int, typer.Option("--table", min=1, help="Rows of others in the larger table.")
    ] = 200_000,
    json: JsonFile = None,
) -> None:
    """One message for a patient with a long history, beside one for a patient with ten results.

    Lengths between are told too, and each again among many rows of other patients.

    Example: ferrule bench history --longest 10000 --json history.json
    """
    from worker.bench.history_length import Sizes, measure

    lengths = [10]
    while lengths[-1] < longest:
        lengths.append(min(lengths[-1] * 10, longest))
    _tell(measure(read_settings(), runs, Sizes(tuple(lengths), table)), json)


def _tell(comparison: Comparison, file: Path | None) -> None:
    """A table for people; with `file`, the same as JSON."""
    table = Table(title=f"bench {comparison.bench}", title_justify="left")
    for heading in ("", "median", "unit", "runs"):
        table.add_column(heading)
    table.add_row("figure", *_cells(comparison.figure))
    for name, figure in comparison.beside.items():
        table.add_row(name, *_cells(figure))
    table.add_row("yardstick", *_cells(comparison.yardstick))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"ratio {comparison.ratio:.4f}, spread {comparison.spread:.0%}")
    for name, text in comparison.about.items():
        console.print(f"{name}: {text}", style="dim")
    if file is not None:
        file.write_text(f"{comparison.as_json()}\n", encoding="utf-8")


def _cells(figure: Figure) -> tuple[str, str, str]:
    return f"{figure.value:,.1f}", figure.unit, "  ".join(f"{run:,.1f}" for run in figure.runs)
