"""MLLP as a protocol without sockets: bytes in, frames and what was wrong between them out.

The same bytes give the same events however they are cut. It holds no clock: a caller that has waited long
enough for what should follow an end block says so (`expire`). What is inside a frame is not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

START = b"\x0b"
END = b"\x1c\r"

MAX_NOISE_BYTES = 64 * 1024
HEAD_BYTES = 4096
"""How much of what is given up is handed on: enough for a header."""

_BOUNDARY = re.compile(b"\x0b|\x1c\r|\x1c\x0b")
_BLANK = b"\r\n\t \x00"
# TLS records, the HTTP methods, HTTP/2, SSH: what knocks at a wrong port.
_OTHER_PROTOCOLS = (
    b"\x16\x03",
    b"GET ",
    b"POST ",
    b"PUT ",
    b"HEAD ",
    b"OPTIONS ",
    b"CONNECT ",
    b"PRI * HTTP",
    b"SSH-",
)


class Outcome(StrEnum):
    """What became of some bytes; the closed set behind `mllp_frames_total`."""

    FRAME = "frame"
    END_WITHOUT_CR = "end-without-cr"  # a frame all the same, where that is allowed
    EMPTY = "empty"  # a frame with nothing in it
    NOISE = "noise"  # bytes outside a frame
    TRUNCATED = "truncated"  # a frame without its end
    TOO_LARGE = "too-large"
    TOO_MUCH_NOISE = "too-much-noise"
    WRONG_PROTOCOL = "wrong-protocol"


FRAMES = frozenset({Outcome.FRAME, Outcome.END_WITHOUT_CR, Outcome.EMPTY})
"""What is a message, and is answered."""

CLOSING = frozenset({Outcome.TOO_LARGE, Outcome.TOO_MUCH_NOISE, Outcome.WRONG_PROTOCOL})
"""After one of these nothing more is read."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One stretch of bytes: a whole frame's content, else the first of what was given up, and its size."""

    outcome: Outcome
    content: bytes
    size: int

    @property
    def is_frame(self) -> bool:
        """Whether somebody waits for an answer."""
        return self.outcome in FRAMES


def framed(content: bytes) -> bytes:
    """`content` as one frame to send."""
    return START + content + END


class Framer:
    """One connection's bytes on their way to frames.

    `lenient`: an end block without its carriage return ends a frame too, when a new frame, the end of the
    connection or the caller's patience (`expire`) follows it.
    """

    def __init__(self, max_bytes: int, *, lenient: bool = True, max_noise: int = MAX_NOISE_BYTES) -> None:
        self._max_bytes, self._max_noise, self._lenient = max_bytes, max_noise, lenient
        self._buffer = bytearray()
        self._looked = 0
        self._in_frame = self._closed = False
        self._noise_bytes, self._noise_head = 0, b""

    @property
    def in_frame(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._in_frame

    @property
    def closed(self) -> bool:
        """Whether nothing more is read here."""
        return self._closed

    @property
    def awaits_cr(self) -> bool:
        """Whether only the last carriage return of a frame is missing."""
        return self._in_frame and self._buffer.endswith(b"\x1c")

    @property
    def held_bytes(self) -> int:
        """How much of an unfinished frame is kept."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[Seen]:
        """What `data` completes."""
        if self._closed:
            return []
        self._buffer += data
        seen: list[Seen] = []
        while not self._closed and (self._frame(seen) if self._in_frame else self._outside(seen)):
            pass
        return seen

    def expire(self) -> list[Seen]:
        """The carriage return that `awaits_cr` has not come in time."""
        return self._without_cr() if self.awaits_cr and not self._closed else []

    def finish(self) -> list[Seen]:
        """No more bytes will come."""
        if self._closed:
            return []
        seen = self.expire()
        if self._in_frame:
            seen.append(self._given_up(Outcome.TRUNCATED, len(self._buffer)))
        self._end_noise(seen)
        self._closed = True
        return seen

    def _outside(self, seen: list[Seen]) -> bool:
        """Up to the next start block; whether there is one."""
        start = self._buffer.find(START)
        noise = bytes(self._buffer if start < 0 else self._buffer[:start])
        self._count_noise(noise, seen)
        if self._closed:
            return False
        del self._buffer[: len(noise)]
        if start < 0:
            return False
        self._end_noise(seen)
        del self._buffer[:1]
        self._in_frame, self._looked = True, 0
        return True

    def _count_noise(self, noise: bytes, seen: list[Seen]) -> None:
        if not self._noise_bytes:
            noise = noise.lstrip(_BLANK)  # line ends between frames are a habit of many senders, no fault
        self._noise_head = (self._noise_head + noise)[:HEAD_BYTES]
        self._noise_bytes += len(noise)
        if self._noise_head.startswith(_OTHER_PROTOCOLS):
            mark = next(mark for mark in _OTHER_PROTOCOLS if self._noise_head.startswith(mark))
            self._close(seen, Outcome.WRONG_PROTOCOL, mark, len(mark))
        elif self._noise_bytes > self._max_noise:
            self._close(seen, Outcome.TOO_MUCH_NOISE, self._noise_head, self._max_noise)

    def _end_noise(self, seen: list[Seen]) -> None:
        if self._noise_bytes:
            seen.append(Seen(Outcome.NOISE, self._noise_head, self._noise_bytes))
        self._noise_bytes, self._noise_head = 0, b""

    def _frame(self, seen: list[Seen]) -> bool:
        """Up to the frame's end, or the start of another one; whether it was reached."""
        found = _BOUNDARY.search(self._buffer, self._looked)
        at = found.start() if found else len(self._buffer)
        starts_anew = found is not None and found[0] == START
        if at > self._max_bytes + (0 if found and not starts_anew else 1):
            self._close(seen, Outcome.TOO_LARGE, bytes(self._buffer[:HEAD_BYTES]), self._max_bytes)
            return False
        if found is None:
            self._looked = max(0, len(self._buffer) - 1)
            return False
        seen.append(self._boundary(found[0], at))
        return True

    def _boundary(self, mark: bytes, at: int) -> Seen:
        if mark == END:
            return self._ended(Outcome.FRAME, at, 2)
        self._looked = 0
        if mark != START and self._lenient:
            return self._ended(Outcome.END_WITHOUT_CR, at, 1)
        # Another frame begins here; its start block stays.
        return self._given_up(Outcome.TRUNCATED, at + len(mark) - 1)

    def _without_cr(self) -> list[Seen]:
        at = len(self._buffer) - 1
        if self._lenient:
            return [self._ended(Outcome.END_WITHOUT_CR, at, 1)]
        return [self._given_up(Outcome.TRUNCATED, at + 1)]

    def _ended(self, outcome: Outcome, at: int, mark_bytes: int) -> Seen:
        content = bytes(self._buffer[:at])
        del self._buffer[: at + mark_bytes]
        self._in_frame, self._looked = False, 0
        return Seen(outcome if content.strip(_BLANK) else Outcome.EMPTY, content, len(content))

    def _given_up(self, outcome: Outcome, size: int) -> Seen:
        head = bytes(self._buffer[: min(size, HEAD_BYTES)])
        del self._buffer[:size]
        self._in_frame, self._looked = False, 0
        return Seen(outcome, head, size)

    def _close(self, seen: list[Seen], outcome: Outcome, head: bytes, size: int) -> None:
        """Nothing more is read. Size and head must not depend on how the bytes were cut: up to the limit."""
        seen.append(Seen(outcome, head[:size], size))
        self._buffer.clear()
        self._closed, self._in_frame = True, False
