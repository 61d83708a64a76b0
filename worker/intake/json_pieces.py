"""A file or stream of JSON, cut into values: one a line, one array, or objects one after another.

A broken line costs that line. Holds one value at a time; whether a value is JSON is not asked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from worker.intake.json_text import MAX_BYTES
from worker.intake.unreadable import Reason, Unreadable

Pieces = Iterator[tuple[int, bytes | Unreadable]]

_TOKEN = re.compile(rb'["\\{}\[\]\n]')


def is_one_a_line(head: bytes) -> bool:
    """Whether a text that starts with `{` holds one value a line, judged by its first lines."""
    first, _, rest = head.partition(b"\n")
    return not rest.strip() or first.rstrip().endswith(b"}") or rest.lstrip().startswith(b"{")


def line_pieces(chunks: Iterable[bytes], most_bytes: int = MAX_BYTES) -> Pieces:
    """(line, bytes) for each line that is not blank."""
    rest, number, dropping = b"", 1, False
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip() and not dropping:
                yield number, _within_limit(line, most_bytes)
            number, dropping = number + 1, False
        if len(rest) > most_bytes + 2:
            if not dropping:
                yield number, _too_large(most_bytes)
            rest, dropping = b"", True
    if rest.strip() and not dropping:
        yield number, _within_limit(rest, most_bytes)


def _within_limit(line: bytes, most_bytes: int) -> bytes | Unreadable:
    return line if len(line) <= most_bytes else _too_large(most_bytes)


def _too_large(most_bytes: int) -> Unreadable:
    return Unreadable(Reason.TOO_LARGE, "", f"send at most {most_bytes} bytes in one message")


def value_pieces(chunks: Iterable[bytes], *, array: bool, most_bytes: int = MAX_BYTES) -> Pieces:
    """(line, bytes) for each object of an array, or of a text of objects one after another."""
    cutter = _Cutter(array, most_bytes)
    for chunk in chunks:
        yield from cutter.feed(chunk)
        if cutter.lost:
            return
    yield from cutter.end()


class _Cutter:
    """Finds where objects begin and end by counting brackets outside of strings."""

    def __init__(self, array: bool, most_bytes: int) -> None:
        self.lost = False
        self._most_bytes = most_bytes
        self._floor = 1 if array else 0
        self._buffer = bytearray()
        self._at = 0  # where to look on
        self._begin = -1  # where the object under way begins, -1 between objects
        self._after = 0  # where the last object ended
        self._depth = 0
        self._in_string = False
        self._line = self._begin_line = 1

    def feed(self, chunk: bytes) -> Pieces:
        self._buffer += chunk
        for match in _TOKEN.finditer(self._buffer, self._at):
            if match.start() >= self._at:
                yield from self._token(match[0], match.start())
        self._at = max(self._at, len(self._buffer))
        self._forget()
        if len(self._buffer) > self._most_bytes:
            self.lost = True
            yield self._begin_line, _too_large(self._most_bytes)

    def end(self) -> Pieces:
        if self._depth > 0:
            line = self._begin_line if self._begin >= 0 else self._line
            yield (
                line,
                Unreadable(Reason.NOT_JSON, "", "expected the end of this value, got the end of the file"),
            )
        elif self._between(len(self._buffer)):
            yield self._line, self._stray()

    def _token(self, token: bytes, at: int) -> Pieces:
        if token == b"\n":
            self._line += 1
        elif token == b'"':
            self._in_string = not self._in_string
        elif token == b"\\":
            self._at = at + 2  # what stands behind a backslash is no token
        elif not self._in_string:
            yield from self._bracket(token, at)

    def _bracket(self, token: bytes, at: int) -> Pieces:
        if token in b"{[":
            if self._depth == self._floor:
                if self._between(at):
                    yield self._line, self._stray()
                self._begin, self._begin_line = at, self._line
            self._depth += 1
            if self._depth <= self._floor:
                self._after = at + 1
            return
        self._depth = max(self._depth - 1, 0)
        if self._depth == self._floor and self._begin >= 0:
            yield self._begin_line, bytes(self._buffer[self._begin : at + 1])
            self._begin = -1
        if self._depth <= self._floor:
            self._after = at + 1

    def _between(self, end: int) -> bytes:
        """What stands between objects beside blanks and commas: nothing, in a good file."""
        return bytes(self._buffer[self._after : end]).strip(b" \t\r\n,")

    def _stray(self) -> Unreadable:
        return Unreadable(Reason.NOT_AN_EVENT, "", "expected an object, got something else")

    def _forget(self) -> None:
        """Drop what was handed out."""
        done = self._begin if self._begin >= 0 else self._after
        del self._buffer[:done]
        self._at -= done
        self._after = max(self._after - done, 0)
        self._begin = 0 if self._begin >= 0 else -1
