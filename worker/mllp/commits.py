"""Messages that come together, over whatever connections, go into one commit; each is answered after it.

A commit whose outcome is not known is tried again: the key of a message says whether it is stored already, so
nothing is assumed and nothing doubled. While the database takes nothing, messages wait here unanswered and
nobody is read from (`available`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate

from sqlalchemy import Engine, text

from worker import clock, faultpoints
from worker.accepting import Inbound, Receipt, accept
from worker.database import is_passing
from worker.intake.hl7_answers import Answer
from worker.logs import logger
from worker.mllp.policy import Policy
from worker.mllp.received import Received, received
from worker.mllp.skew import note_skew
from worker.sources import Sender

log = logger("worker.mllp")

MOST_FRAMES = 200
MOST_BYTES = 8 * 1024 * 1024
"""What goes into one commit."""

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0

Publish = Callable[[Sequence[int]], bool]


class NotStored(Exception):
    """This message cannot be stored, and trying again does not help. It has no answer."""


@dataclass(eq=False)
class _Waiting:
    """A frame somebody waits to have answered."""

    content: bytes
    certified: Sender | None
    answers: asyncio.Future[list[Answer]]
    read: Received | None = field(default=None)

    def inbound(self, policy: Policy) -> list[Inbound]:
        """What to store of it; read once."""
        if self.read is None:
            self.read = received(self.content, policy, self.certified)
        return self.read.inbound


class Commits:
    """One database's group commits. `run` does the work until it is cancelled; `take` waits for an answer."""

    def __init__(self, engine: Engine, publish: Publish, policy: Policy) -> None:
        self._engine, self._publish, self._policy = engine, publish, policy
        self._queue: list[_Waiting] = []
        self._more = asyncio.Event()
        self._bell: list[int] = []
        self._ringing: asyncio.Task[None] | None = None
        self._storing = ThreadPoolExecutor(1, "store")
        self._telling = ThreadPoolExecutor(1, "ring")
        self.available = asyncio.Event()
        self.available.set()

    def take(self, content: bytes, certified: Sender | None) -> asyncio.Future[list[Answer]]:
        """The answers to a frame, once what they say is committed. Raises NotStored."""
        waiting = _Waiting(content, certified, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._more.set()
        return waiting.answers

    async def run(self) -> None:
        """Commit what comes."""
        while True:
            await self._more.wait()
            await self._commit(self._next())

    async def close(self) -> None:
        """Let the last bell ring, and end the threads. Nothing must be waiting any more."""
        if self._ringing is not None:
            await self._ringing
        self._storing.shutdown(wait=False, cancel_futures=True)
        self._telling.shutdown(wait=False, cancel_futures=True)

    def _next(self) -> list[_Waiting]:
        sizes = accumulate(len(one.content) for one in self._queue[:MOST_FRAMES])
        # The first goes, however large it is.
        frames = max(1, sum(size <= MOST_BYTES for size in sizes))
        batch, self._queue = self._queue[:frames], self._queue[frames:]
        if not self._queue:
            self._more.clear()
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        """Until each is answered, refused for now, or nobody waits for it any more."""
        pause = FIRST_PAUSE_SECONDS
        while batch:
            try:
                receipts = await self._store(batch)
            except Exception as error:
                if not is_passing(error):
                    await self._each_alone(batch, error)
                    return
                self._unavailable(error)
                batch = self._still_waiting(batch)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                batch += self._next()
            else:
                self._answer(batch, receipts)
                return
        # Nobody waits: the database is asked whether it is back.
        await self._probe()

    async def _store(self, batch: Sequence[_Waiting]) -> list[Receipt]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._storing, self._store_now, batch)

    def _store_now(self, batch: Sequence[_Waiting]) -> list[Receipt]:
        inbound = [message for one in batch for message in one.inbound(self._policy)]
        faultpoints.reach("before-commit")
        receipts = accept(self._engine, inbound)
        faultpoints.reach("after-commit")
        return receipts

    def _answer(self, batch: Sequence[_Waiting], receipts: list[Receipt]) -> None:
        if not self.available.is_set():
            log.info("database available again", count=len(receipts))
            self.available.set()
        given = iter(receipts)
        now = clock.now()
        for one in batch:
            assert one.read is not None
            mine = [next(given) for _ in one.read.inbound]
            note_skew(one.read, now, self._policy)
            if not one.answers.done():
                one.answers.set_result(one.read.answered(mine, now))
        self._ring([receipt.message for receipt in receipts if receipt.judge])

    def _unavailable(self, error: Exception) -> None:
        if self.available.is_set():
            log.warning("database not available: nothing is answered", error=error)
        self.available.clear()

    def _still_waiting(self, batch: Sequence[_Waiting]) -> list[_Waiting]:
        """Without those that were told to send again, and those whose sender has gone."""
        now = clock.now()
        for one in batch:
            if one.read is not None and not one.answers.done() and (said := one.read.refused_for_now(now)):
                one.answers.set_result(said)
        return [one for one in batch if not one.answers.done()]

    async def _each_alone(self, batch: list[_Waiting], error: Exception) -> None:
        if len(batch) > 1:
            for one in batch:
                await self._commit([one])
            return
        log.error("message not stored", error=error)
        if not batch[0].answers.done():
            batch[0].answers.set_exception(NotStored())

    async def _probe(self) -> None:
        """One commit of nothing, until it passes or somebody waits."""
        pause = FIRST_PAUSE_SECONDS
        while not self._queue and not self.available.is_set():
            try:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._storing, self._ask)
            except Exception:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                log.info("database available again", count=0)
                self.available.set()

    def _ask(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(text("select 1"))

    def _ring(self, ids: list[int]) -> None:
        """Ring for what was stored, after the answers: a broker that hangs delays nobody."""
        self._bell += ids
        if self._bell and (self._ringing is None or self._ringing.done()):
            self._ringing = asyncio.create_task(self._ring_until_told())

    async def _ring_until_told(self) -> None:
        loop = asyncio.get_running_loop()
        while self._bell:
            ids, self._bell = self._bell, []
            await loop.run_in_executor(self._telling, self._publish, ids)
