"""How much all connections together may keep of messages that are unfinished or unanswered.

Counts only. Who waits for room is not read from, so its sender waits too; the one that has kept something for
longest goes on whatever is kept, so that somebody always comes to an end.
"""

from __future__ import annotations

import asyncio

from worker import metrics


class Room:
    """Bytes kept by each connection: at most `most`, one message more, and the last piece read of each."""

    def __init__(self, most: int) -> None:
        self._most, self._total = most, 0
        self._kept: dict[object, int] = {}
        self._less = asyncio.Event()

    @property
    def total(self) -> int:
        """What all of them keep."""
        return self._total

    def keeps(self, who: object, size: int) -> None:
        """So much is kept by this one from now on; 0: nothing any more."""
        before = self._kept.pop(who, 0) if not size else self._kept.get(who, 0)
        if size:
            self._kept[who] = size
        self._total += size - before
        metrics.MLLP_KEPT.set(self._total)
        if size < before:
            self._less.set()

    def is_free(self, who: object) -> bool:
        """Whether this one may keep more."""
        return self._total < self._most or next(iter(self._kept), None) is who

    async def wait(self, who: object) -> None:
        """Until there is room for this one."""
        while not self.is_free(who):
            self._less.clear()
            await self._less.wait()
