"""Files and standard input as messages and events, for `ferrule submit` and `ferrule evaluate`.

Streams: one message in memory at a time. What cannot be read is yielded with its file and line, and the rest
goes on.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from worker.intake import fhir_package
from worker.intake.csv_mapping import CsvMapping
from worker.intake.csv_rows import event_rows
from worker.intake.decode import FORMATS, decode_parts
from worker.intake.event import Event
from worker.intake.fhir_files import FileMemory
from worker.intake.hl7_pieces import hl7_pieces
from worker.intake.json_pieces import is_one_a_line, line_pieces, value_pieces
from worker.intake.json_text import MAX_BYTES
from worker.intake.unreadable import Reason, Unreadable

CHUNK_BYTES = 1 << 16
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Format(StrEnum):
    """What `--format` takes."""

    AUTO = "auto"
    HL7 = "hl7"
    FHIR = "fhir"
    EVENT = "event"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Piece:
    """The bytes of one message, the format they are in, and the file and line they came from.

    `why` says that they cannot be read: they are to be kept all the same.
    """

    format: str
    raw: bytes
    place: str
    why: Unreadable | None = None


def read_events(
    paths: Iterable[Path],
    format: Format = Format.AUTO,
    read_bytes: Callable[[int], None] | None = None,
    mapping: CsvMapping | None = None,
) -> Iterator[Event | Unreadable]:
    """Every event in the files, in order, and beside them what could not be read.

    A FHIR reference may lead from one file into another.
    """
    paths = list(paths)
    known = FileMemory(lambda: _fhir_bytes(paths))
    for piece in read_pieces(paths, format, read_bytes, mapping):
        if isinstance(piece, Unreadable):
            yield piece
            continue
        if piece.why is not None:
            yield piece.why.within(piece.place)
            continue
        try:
            decoded = decode_parts(piece.format, piece.raw, known=known)
        except Unreadable as error:
            yield error.within(piece.place)
            continue
        yield from decoded.events
        yield from (refused.within(piece.place) for refused in decoded.refused)


def _fhir_bytes(paths: Iterable[Path]) -> Iterator[bytes]:
    """The FHIR in files that can be read a second time."""
    for piece in read_pieces(path for path in paths if path.is_file()):
        if isinstance(piece, Piece) and piece.format == Format.FHIR.value:
            yield piece.raw


def read_pieces(
    paths: Iterable[Path],
    format: Format = Format.AUTO,
    read_bytes: Callable[[int], None] | None = None,
    mapping: CsvMapping | None = None,
) -> Iterator[Piece | Unreadable]:
    """Every message in the files, in order; `-` is standard input. `read_bytes` hears each chunk's size.

    CSV is read by `mapping`: each row is an event.
    """
    for path in paths:
        name = "stdin" if str(path) == "-" else str(path)
        try:
            with nullcontext(sys.stdin.buffer) if name == "stdin" else path.open("rb") as stream:
                yield from _pieces(_chunks(stream, read_bytes), name, format, mapping)
        except OSError as error:
            yield Unreadable(Reason.FILE, name, f"cannot be read ({error.strerror}); give a readable file")


def _chunks(stream: IO[bytes], read_bytes: Callable[[int], None] | None) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        if read_bytes is not None:
            read_bytes(len(chunk))
        yield chunk


def _pieces(
    chunks: Iterator[bytes], name: str, format: Format, mapping: CsvMapping | None
) -> Iterator[Piece | Unreadable]:
    head = next(chunks, b"")
    if not head.strip():
        return
    try:
        known = _detected(head, mapping) if format is Format.AUTO else format
        _refuse(known, mapping)
    except Unreadable as error:
        yield error.within(name)
        return
    everything = itertools.chain([head.removeprefix(_BYTE_ORDER_MARK)], chunks)
    if known is Format.CSV and mapping is not None:
        yield from _rows(everything, name, mapping)
        return
    most = fhir_package.MAX_BYTES if known is Format.FHIR else MAX_BYTES
    cut = hl7_pieces(everything) if known is Format.HL7 else _json_pieces(everything, head, most)
    for line, raw in cut:
        place = f"{name}:{line}"
        yield raw.within(place) if isinstance(raw, Unreadable) else Piece(known.value, raw, place)


def _rows(chunks: Iterable[bytes], name: str, mapping: CsvMapping) -> Iterator[Piece]:
    for line, raw, made in event_rows(chunks, mapping):
        place = f"{name}:{line}"
        if isinstance(made, Unreadable):
            yield Piece(Format.CSV.value, raw, place, made)
        else:
            yield Piece(Format.EVENT.value, made, place)


def _json_pieces(chunks: Iterable[bytes], head: bytes, most: int) -> Iterator[tuple[int, bytes | Unreadable]]:
    start = head.removeprefix(_BYTE_ORDER_MARK).lstrip()
    if start.startswith(b"["):
        return value_pieces(chunks, array=True, most_bytes=most)
    if start.startswith(b"{") and not is_one_a_line(start):
        return value_pieces(chunks, array=False, most_bytes=most)
    return line_pieces(chunks, most)


def _detected(head: bytes, mapping: CsvMapping | None) -> Format:
    """The format, by how the file begins; raises `Unreadable`."""
    if mapping is not None:
        return Format.CSV
    start = head.removeprefix(_BYTE_ORDER_MARK).lstrip(b" \t\r\n\x0b")
    if start[:3] in (b"MSH", b"FHS", b"BHS"):
        return Format.HL7
    if start[:1] in (b"{", b"["):
        fhir = b'"resourceType"' in start and b'"specversion"' not in start
        return Format.FHIR if fhir else Format.EVENT
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Unreadable(Reason.CHARSET, "", "expected UTF-8 or what MSH-18 says, got UTF-16")
    if any(sign in start.partition(b"\n")[0] for sign in (b",", b";", b"\t")):
        return Format.CSV
    raise Unreadable(
        Reason.FORMAT_UNKNOWN, "", "expected events or HL7 v2; say --format event or --format hl7"
    )


def _refuse(format: Format, mapping: CsvMapping | None) -> None:
    if format is Format.CSV:
        if mapping is None:
            remedy = "say how its columns are meant: --mapping FILE (deploy/examples/ has one)"
            raise Unreadable(Reason.FORMAT_UNKNOWN, "CSV", remedy)
    elif format.value not in FORMATS:
        remedy = f"{format.upper()} is not read by this version; send events or HL7 v2"
        raise Unreadable(Reason.FORMAT_LATER, "", remedy)
