"""A file or stream of HL7 v2, cut into messages: one or many, bare, in MLLP frames, or in FHS/BHS batches.

Cuts only where a line starts with MSH or a batch segment; what is inside a message is not looked at. Holds
one message at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from worker.intake.hl7_split import MAX_BYTES
from worker.intake.unreadable import Reason, Unreadable

_LINE_END = re.compile(b"\r\n|\r(?!\\Z)|\n")
_FRAME = b"\x0b\x1c"
_BATCH = re.compile(b"(?:FHS|BHS|BTS|FTS)(?![A-Za-z0-9])")
_HEADER = re.compile(b"MSH(?![A-Za-z0-9])")


def hl7_pieces(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes | Unreadable]]:
    """(line, message bytes) for each message, without frame and blank lines around it."""
    kept: list[bytes] = []
    start, size, stray = 0, 0, False
    for number, line in _lines(chunks):
        plain = line.lstrip(_FRAME + b"\xef\xbb\xbf \t")
        if _HEADER.match(plain) or _BATCH.match(plain):
            if start:
                yield start, _whole(kept, size)
            is_header = _HEADER.match(plain) is not None
            start, kept, size, stray = (number if is_header else 0), [line], len(line), False
        elif start:
            size += len(line)
            if size <= MAX_BYTES + len(line):
                kept.append(line)
        elif plain.strip() and not stray:
            stray = True
            yield (
                number,
                Unreadable(Reason.NO_HEADER, "", "expected MSH at the start of a line, got something else"),
            )
    if start:
        yield start, _whole(kept, size)


def _whole(kept: list[bytes], size: int) -> bytes | Unreadable:
    if size > MAX_BYTES:
        return Unreadable(Reason.TOO_LARGE, "", f"send at most {MAX_BYTES} bytes in one message")
    return b"".join(kept).strip(_FRAME + b"\r\n \t")


def _lines(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines with their ends, numbered from 1. A line longer than any message comes in parts.

    What has been looked at is not looked at again: an embedded document is one line of megabytes.
    """
    rest, number = b"", 1
    for chunk in chunks:
        looked_at = max(len(rest) - 1, 0)
        rest += chunk
        end = 0
        for match in _LINE_END.finditer(rest, looked_at):
            yield number, rest[end : match.end()]
            number, end = number + 1, match.end()
        rest = rest[end:]
        if len(rest) > MAX_BYTES:
            yield number, rest
            rest = b""
    if rest:
        yield number, rest
