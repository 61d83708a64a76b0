"""CSV by a mapping: each row becomes the JSON of one event with one result. Streams; one row in memory.

A row that cannot be read is told with its line and kept with its bytes; the rest goes on. What a value, code
or unit means is not asked here.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from worker.intake.csv_mapping import DATES, NUMBERS, TIMES, CsvMapping
from worker.intake.event import REPORT
from worker.intake.json_text import MAX_BYTES, dumps
from worker.intake.times import read_instant
from worker.intake.unreadable import Reason, Unreadable

_COMMA_NUMBER = re.compile(r"([<>]?=?\s*[+-]?\d+),(\d+)")

Row = tuple[int, bytes, bytes | Unreadable]
"""(line, the row's own bytes, the event made of it or why there is none)."""


def event_rows(chunks: Iterable[bytes], mapping: CsvMapping) -> Iterator[Row]:
    """An event for each row after the headings."""
    lines = _Lines(chunks)
    reader = csv.reader(
        lines.decoded(mapping.encoding), delimiter=mapping.delimiter, quotechar=mapping.quote, strict=True
    )
    headings: list[str] | None = None
    while True:
        lines.forget()
        try:
            cells = next(reader)
            if headings is None:
                headings = _headings(cells, mapping)
            elif any(cell.strip() for cell in cells):
                yield (
                    lines.first,
                    lines.raw,
                    _event(dict(zip(headings, cells, strict=True)), lines.raw, mapping),
                )
        except StopIteration:
            return
        except Unreadable as why:
            yield lines.first, lines.raw, why
            if headings is None:
                return
        except UnicodeDecodeError:
            yield lines.first, lines.raw, Unreadable(Reason.CHARSET, "", f"expected {mapping.encoding}")
        except (csv.Error, ValueError):
            remedy = f"expected {len(headings or ())} cells, one for each heading, quoted and closed"
            yield lines.first, lines.raw, Unreadable(Reason.STRUCTURE, "", remedy)


class _Lines:
    """The lines of a file as the csv reader draws them, and the bytes of those it has drawn for one row."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._number = 0
        self._drawn: list[bytes] = []
        self.first = 1

    @property
    def raw(self) -> bytes:
        """The bytes of the row under way."""
        return b"".join(self._drawn).rstrip(b"\r\n")

    def forget(self) -> None:
        """The next row begins."""
        self._drawn, self.first = [], self._number + 1

    def decoded(self, encoding: str) -> Iterator[str]:
        """Each line as text. An iterator object, not a generator: one broken line must not end it."""
        return _Decoded(self, encoding)

    def draw(self) -> Iterator[bytes]:
        """The lines, with their ends."""
        rest = b""
        for chunk in self._chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line + b"\n" for line in whole)
            if len(rest) > MAX_BYTES:
                yield rest
                rest = b""
        if rest:
            yield rest

    def note(self, line: bytes) -> None:
        """This line was drawn."""
        self._number += 1
        self._drawn.append(line)


class _Decoded:
    def __init__(self, lines: _Lines, encoding: str) -> None:
        self._lines, self._source, self._encoding = lines, lines.draw(), encoding

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._source)
        self._lines.note(line)
        return line.decode(self._encoding)


def _headings(cells: list[str], mapping: CsvMapping) -> list[str]:
    found = [cell.strip().lstrip("\ufeff") for cell in cells]
    missing = [heading for heading in mapping.columns.values() if heading not in found]
    if missing:
        raise Unreadable(
            Reason.STRUCTURE, "headings", f"expected a column {missing[0]!r}; is it the right mapping?"
        )
    if len(set(found)) < len(found):
        raise Unreadable(Reason.STRUCTURE, "headings", "expected each heading once")
    return found


def _event(row: Mapping[str, str], raw: bytes, mapping: CsvMapping) -> bytes:
    said = dict(mapping.constants)
    for field, heading in mapping.columns.items():
        if text := row[heading].strip():
            said[field] = _as_written(field, mapping.words.get(field, {}).get(text, text), mapping)
    # A row says no id of its own: the same row again is the same event.
    made = hashlib.sha256(raw).hexdigest()
    event_id = said.pop("event.id", made)
    result: dict[str, Any] = {"id": event_id}
    data: dict[str, Any] = {"patient": {}, "results": [result]}
    time = said.pop("event.time", None)
    for field, text in said.items():
        _put(data, result, field, text)
    event = {"specversion": "1.0", "type": REPORT, "source": mapping.source, "id": event_id}
    return dumps({**event, **({"time": time} if time else {}), "data": data}).encode("utf-8", "replace")


def _put(data: dict[str, Any], result: dict[str, Any], field: str, text: str) -> None:
    part, _, name = field.partition(".")
    place = result if part == "result" else data.setdefault(part, {}) if name else data
    if name.startswith("reference_range."):
        place, name = place.setdefault("reference_range", {}), name.partition(".")[2]
    place[name or part] = text


def _as_written(field: str, text: str, mapping: CsvMapping) -> str:
    """The cell as an event writes it. What does not fit is left as it is: judging says why it is not used."""
    if field in NUMBERS and mapping.decimal == ",":
        found = _COMMA_NUMBER.fullmatch(text)
        return f"{found[1]}.{found[2]}" if found else text
    if field in TIMES:
        return _time(field, text, mapping)
    if field in DATES and mapping.dates:
        return _parsed(field, text, mapping.dates).date().isoformat()
    return text


def _time(field: str, text: str, mapping: CsvMapping) -> str:
    iso = _parsed(field, text, mapping.times).isoformat() if mapping.times else text
    if mapping.zone is None:
        return iso
    instant = read_instant(iso, mapping.zone)
    return instant.at.isoformat() if instant.at else iso


def _parsed(field: str, text: str, form: str) -> datetime:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007  (its zone is the mapping's or the source's)
    except ValueError:
        raise Unreadable(Reason.STRUCTURE, field, f"expected a time written as {form}") from None
