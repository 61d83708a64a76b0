"""`ferrule codes`: what arrives unmapped, and whether a mapping is right."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rules.yaml_source import BadFile, read_yaml
from worker.code_gaps import Gap, gaps
from worker.composition import sources_of
from worker.database import make_engine, reading
from worker.failures import NO
from worker.mappings import check_mapping
from worker.settings import read_settings
from worker.source_shape import SCHEMAS
from worker.sources import load_sources

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="Codes and units, by source."
)

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


class Kind(StrEnum):
    """The files that have a schema."""

    SOURCES = "sources"
    MAPPING = "mapping"


@app.command("gaps")
def list_gaps(
    source: Annotated[str | None, typer.Option(help="Only this source, by its short name.")] = None,
    as_json: Json = False,
) -> None:
    """What arrived and is not mapped, most results first, with a proposal; values never.

    Example: ferrule codes gaps --source north
    """
    settings = read_settings()
    sources = sources_of(settings)()
    with reading(make_engine(settings.database)) as connection:
        found = gaps(connection, sources, source)
    if as_json:
        for gap in found:
            typer.echo(json.dumps(asdict(gap), ensure_ascii=False, default=str))
        return
    Console().print(_table(found) if found else "everything that arrived is mapped")


def _table(found: list[Gap]) -> Table:
    table = Table(
        "source", "system", "code", "name", "unit", "problem", "results", "values", "proposal", box=None
    )
    for gap in found:
        waits = "mapped now: ferrule quarantine release --all --reason " + gap.problem
        table.add_row(
            gap.source_name if gap.source_name != "other" else gap.source,
            gap.system,
            gap.code,
            gap.name,
            gap.unit,
            gap.problem,
            str(gap.count),
            gap.magnitude,
            f"{waits} --source {gap.source_name}" if gap.mapped else gap.proposal,
        )
    return table


@app.command("check")
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="A mapping or a sources file.")],
    as_json: Json = False,
) -> None:
    """Say what is wrong with a mapping or a sources file: file, line, remedy.

    Example: ferrule codes check north.yaml
    """
    found = [line for path in files for line in _checked(path)]
    for file, number, level, message in found:
        if as_json:
            row = {"file": file, "line": number, "level": level, "message": message}
            typer.echo(json.dumps(row, ensure_ascii=False))
        else:
            typer.echo(f"{file}:{number}: {level}: {message}")
    if any(level == "error" for _, _, level, _ in found):
        raise typer.Exit(NO)
    if not as_json:
        typer.echo("nothing wrong" if not found else "usable")


def _checked(path: Path) -> list[tuple[str, int, str, str]]:
    """Each fault as file, line, level and message. A file that is none at all is one."""
    try:
        data = read_yaml(path).data
        if isinstance(data, dict) and "sources" in data:
            load_sources(path)
            return []
        found = check_mapping(path)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read ({type(error).__name__})") from None
    except BadFile as error:
        file, line, message = str(error).split(":", 2)
        return [(file, int(line), "error", message.strip())]
    return [
        (file, line, "warning" if fault.warning else "error", fault.message) for file, line, fault in found
    ]


@app.command("schema")
def schema(
    kind: Annotated[Kind, typer.Argument(help="Which file.")],
) -> None:
    """Print the JSON Schema of a sources or a mapping file, for editors.

    Example: ferrule codes schema mapping
    """
    typer.echo(json.dumps(SCHEMAS[kind.value].model_json_schema(), indent=2, ensure_ascii=False))
