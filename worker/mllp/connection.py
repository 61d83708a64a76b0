"""One MLLP connection: read, hand frames to the commits, answer in order, and only then read on.

Nothing is stored or decided here. A sender that is slow, silent or talks something else is left alone.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from worker import clock, metrics
from worker.intake.hl7_answers import Answer
from worker.intake.mllp import Framer, Outcome, Seen, framed
from worker.logs import logger
from worker.mllp.commits import Commits, NotStored
from worker.mllp.received import too_large
from worker.mllp.room import Room
from worker.sources import Sender

log = logger("worker.mllp")

PIECE_BYTES = 64 * 1024
CR_SECONDS = 1.0
"""How long the carriage return after an end block is waited for."""
LINGER_SECONDS = 2.0
LINGER_BYTES = 32 * 1024 * 1024
HASHED_BYTES = 256


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may cost. A frame must be whole within `frame_seconds` of its start block.

    `total_bytes` is what all connections may keep together (`worker.mllp.room`).
    """

    frame_bytes: int
    frame_seconds: float
    idle_seconds: float
    lenient: bool = True
    total_bytes: int = 256 * 1024 * 1024


class Connection:
    """One sender, from the first byte to the last."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        commits: Commits,
        limits: Limits,
        room: Room,
        certified: Sender | None = None,
    ) -> None:
        self._room = room
        self._reader, self._writer = reader, writer
        self._commits, self._limits, self._certified = commits, limits, certified
        self._framer = Framer(limits.frame_bytes, lenient=limits.lenient)
        self._task = asyncio.current_task()
        self._is_reading = self._ends = False
        self._rest_since = self._frame_since = clock.monotonic_seconds()

    def end(self) -> None:
        """Answer what was read, then close."""
        self._ends = True
        if self._is_reading and self._task is not None:
            self._task.cancel()

    async def serve(self) -> None:
        """Until the sender hangs up, breaks the protocol or is too slow, or `end` was asked for."""
        try:
            while not (self._framer.closed or self._ends):
                await self._commits.available.wait()
                await self._wait_for_room()
                seen = await self._next()
                self._room.keeps(self, self._framer.held_bytes + sum(len(one.content) for one in seen))
                await self._handle(seen)
                self._room.keeps(self, self._framer.held_bytes)
        except (ConnectionError, NotStored, TimeoutError):
            metrics.MLLP_FRAMES.labels("connection-lost").inc()
        finally:
            self._room.keeps(self, 0)
            await self._close()

    async def _wait_for_room(self) -> None:
        """The time its sender had to wait for us is not its sender's."""
        began = clock.monotonic_seconds()
        await self._room.wait(self)
        waited = clock.monotonic_seconds() - began
        self._frame_since += waited
        self._rest_since += waited

    async def _next(self) -> list[Seen]:
        """What the next bytes complete; what ends when none come in time."""
        deadline = self._deadline()
        self._is_reading = True
        try:
            async with asyncio.timeout(max(0.0, deadline - clock.monotonic_seconds())):
                data = await self._reader.read(PIECE_BYTES)
        except TimeoutError:
            return self._too_slow()
        except asyncio.CancelledError:
            if not self._ends:
                raise
            if self._task is not None:
                self._task.uncancel()
            return self._framer.finish()
        finally:
            self._is_reading = False
        if not data:
            return self._framer.finish()
        was_in_frame = self._framer.in_frame
        seen = self._framer.receive(data)
        if self._framer.in_frame and (seen or not was_in_frame):
            self._frame_since = clock.monotonic_seconds()
        return seen

    def _deadline(self) -> float:
        if self._framer.awaits_cr:
            return clock.monotonic_seconds() + CR_SECONDS
        if self._framer.in_frame:
            return self._frame_since + self._limits.frame_seconds
        return self._rest_since + self._limits.idle_seconds

    def _too_slow(self) -> list[Seen]:
        if self._framer.awaits_cr:
            return self._framer.expire()
        metrics.MLLP_FRAMES.labels("timeout").inc()
        return self._framer.finish()

    async def _handle(self, seen: Sequence[Seen]) -> None:
        """Hand in all frames at once, then answer them in the order in which they came."""
        taken = [(one, self._take(one)) for one in seen]
        began = clock.monotonic_seconds()
        for one, answers in taken:
            metrics.MLLP_FRAMES.labels(one.outcome.value).inc()
            if answers is not None:
                await self._send(await answers)
                metrics.MLLP_ANSWER.observe(clock.monotonic_seconds() - began)
            elif one.outcome is Outcome.TOO_LARGE:
                await self._send(too_large(one.content, clock.now()))
            if not one.is_frame:
                _note(one)
        if taken:
            self._rest_since = clock.monotonic_seconds()

    def _take(self, one: Seen) -> asyncio.Future[list[Answer]] | None:
        return self._commits.take(one.content, self._certified) if one.is_frame else None

    async def _send(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            self._writer.write(framed(answer.content))
            metrics.MLLP_ANSWERS.labels(answer.code).inc()
        if not answers:
            metrics.MLLP_ANSWERS.labels("none").inc()
        async with asyncio.timeout(self._limits.frame_seconds):
            await self._writer.drain()

    async def _close(self) -> None:
        """Say goodbye and swallow what still comes for a moment: an answer must not be lost to a reset."""
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                if self._writer.can_write_eof():
                    self._writer.write_eof()
                left = LINGER_BYTES
                while left > 0 and (data := await self._reader.read(PIECE_BYTES)):
                    left -= len(data)
        except (OSError, TimeoutError):
            pass
        self._writer.close()


def _note(one: Seen) -> None:
    """What was given up, known again by the hash of its first bytes; never the bytes."""
    digest = hashlib.sha256(one.content[:HASHED_BYTES]).hexdigest()[:16]
    log.warning("bytes given up", outcome=one.outcome.value, count=one.size, digest=digest)
