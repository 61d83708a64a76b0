"""`ferrule submit`: store the messages in files, then ring the doorbell. Judging is the workers'.

What cannot be read is one line on stderr and, where its bytes could be told apart from the rest, a message in
quarantine; the exit code is then 2.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from worker.accepting import Inbound, Outcome, accept
from worker.composition import Deps, build
from worker.failures import NO, USAGE, Failure
from worker.fhir_door import accept_files, source_of
from worker.file_progress import Progress
from worker.intake.csv_mapping import CsvMapping, load_mapping
from worker.intake.decode import envelope_of
from worker.intake.fhir_files import in_order
from worker.intake.files import Format, Piece, read_pieces
from worker.intake.unreadable import Unreadable
from worker.settings import read_settings

app = typer.Typer(rich_markup_mode=None, add_completion=False)

UNNAMED_SOURCE = "urn:ferrule:file"
BATCH = 200
TOLD = (Outcome.STORED, Outcome.DUPLICATE, Outcome.QUARANTINED)


@app.command()
def submit_files(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Events, HL7 v2, FHIR or CSV; '-' is stdin.")
    ],
    format: Annotated[Format, typer.Option("--format", help="How the files are written.")] = Format.AUTO,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="How the columns of CSV are meant: a YAML file.")
    ] = None,
    source: Annotated[
        str, typer.Option("--source", help="Who sends FHIR: the label of its token, or a URI.")
    ] = "",
) -> None:
    """Store messages from files and put them on the queue; run again, it goes on where it was stopped.

    Example: ferrule submit day.ndjson results.hl7

    Example: ferrule submit archive.csv --mapping archive.csv-mapping.yaml

    Example: ferrule submit Patient.ndjson Observation.ndjson --format fhir
    """
    deps = build(read_settings())
    columns = _mapping(mapping)
    counts: Counter[str] = Counter()
    with _progress(files) as progress:
        task = progress.add_task("submit", total=_total_bytes(files))
        try:
            for file in in_order(files):

                def pieces(file: Path = file) -> Iterator[Piece | Unreadable]:
                    return read_pieces([file], format, lambda size: progress.advance(task, size), columns)

                _submit(deps, Progress.of(deps.engine, file), pieces, counts, source)
        except KeyboardInterrupt:
            raise Failure(f"stopped: {_summary(counts)}; run it again to go on from here", NO) from None
    typer.echo(_summary(counts))
    if counts["unreadable"]:
        raise typer.Exit(USAGE)


def _submit(
    deps: Deps,
    progress: Progress,
    pieces: Callable[[], Iterator[Piece | Unreadable]],
    counts: Counter[str],
    source: str,
) -> None:
    """One file, from where an earlier run left it."""
    rest = progress.resume(pieces)
    counts["skipped"] += progress.pieces
    while batch := list(itertools.islice(rest, BATCH)):
        messages = [message for piece in batch if (message := _message(piece, counts, source))]
        _store(deps, messages, counts)
        progress.passed(batch)
    progress.finished()


def _summary(counts: Counter[str]) -> str:
    said = [f"{outcome.value} {counts[outcome]}" for outcome in Outcome]
    if counts["skipped"]:
        said.append(f"skipped {counts['skipped']}, submitted by an earlier run")
    return ", ".join(said)


def _mapping(path: Path | None) -> CsvMapping | None:
    try:
        return load_mapping(path) if path else None
    except Unreadable as why:
        raise Failure(str(why), USAGE) from None


def inbound_of(piece: Piece, source: str = "") -> Inbound:
    """The message to store for some bytes of a file, set aside with its reason when it has no envelope.

    `source` says who sends FHIR, which does not say so itself.
    """
    try:
        if piece.why is not None:
            raise piece.why
        envelope = envelope_of(piece.format, piece.raw)
    except Unreadable as why:
        message_id = hashlib.sha256(piece.raw).hexdigest()
        reason = (why.reason.value, why.place, why.remedy)
        return Inbound(UNNAMED_SOURCE, message_id, piece.format, piece.raw, reason)
    sender = source_of(source) if piece.format == Format.FHIR.value else envelope.source
    return Inbound(sender, envelope.message_id, piece.format, piece.raw)


def _message(piece: Piece | Unreadable, counts: Counter[str], source: str) -> Inbound | None:
    """The message to store, telling what could not be read."""
    if isinstance(piece, Unreadable):
        counts["unreadable"] += 1
        typer.echo(f"ferrule: {piece}", err=True)
        return None
    message = inbound_of(piece, source)
    if message.unreadable is not None:
        counts["unreadable"] += 1
        reason, place, remedy = message.unreadable
        where = f"{piece.place}: {place}" if place else piece.place
        typer.echo(f"ferrule: {where}: {reason}: {remedy}", err=True)
    return message


def _store(deps: Deps, batch: Sequence[Inbound], counts: Counter[str]) -> None:
    """One commit, then one ring of the bell."""
    take = accept_files if any(message.format == Format.FHIR.value for message in batch) else accept
    receipts = take(deps.engine, batch)
    counts.update(receipt.outcome for receipt in receipts)
    if stored := [receipt.message for receipt in receipts if receipt.judge]:
        deps.publish(stored)


def _total_bytes(files: Sequence[Path]) -> int | None:
    """What there is to read; None when some of it cannot be known beforehand."""
    return sum(file.stat().st_size for file in files) if all(file.is_file() for file in files) else None


def _progress(files: Sequence[Path]) -> Bar:
    """A bar on a terminal; nothing anywhere else."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    return Bar(*columns, console=console, disable=not console.is_terminal, transient=True)
