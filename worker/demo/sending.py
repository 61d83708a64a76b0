"""Sending the day to a running Ferrule, wave by wave, and waiting until each wave is judged and told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.progress import Progress, TaskID
from sqlalchemy import Engine, func, select

from alerts.tables import DELIVERY
from worker import clock
from worker.database import reading
from worker.demo import tally
from worker.demo.day import Day
from worker.demo.doors import Doors
from worker.demo.reports import Event, Wave
from worker.demo.watching import Watcher
from worker.failures import UNREACHABLE, Failure
from worker.tables import MESSAGE

TOGETHER = 12
MOST_AHEAD = 24
"""It sends no faster than is judged: of a flood the poller would take a part, and the queue is to be seen."""

PACE_SECONDS = 0.05
LOOK_SECONDS = 0.25
START_SECONDS = 30.0
DRAIN_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How far what was sent has come: arrived in all, stored but not judged, decided but not told."""

    arrived: int
    unjudged: int
    untold: int

    @property
    def judged(self) -> int:
        """Messages that are done with, repeats and quarantine included."""
        return max(0, self.arrived - self.unjudged)


@dataclass
class Sender:
    """Sends by `doors`, shows alerts by `watcher` and moves the bar."""

    engine: Engine
    doors: Doors
    watcher: Watcher
    progress: Progress
    bar: TaskID
    sent: int = 0

    def send(self, day: Day) -> int:
        """The whole day; how many messages arrived, repeats counted. Raises Failure when it is stuck."""
        self._wait_for_workers()
        for wave in Wave:
            if wave is Wave.AFTERNOON:
                self.doors.send_unreadable(day.unreadable)
                self.sent += len(day.unreadable)
            self._send_wave(day.wave(wave))
            self._drain()
        return self.look().arrived

    def _wait_for_workers(self) -> None:
        """The poller would judge the day too, but it is the queue that is to be seen."""
        end = clock.monotonic_seconds() + START_SECONDS
        while not tally.has_worked(self.doors.http) and clock.monotonic_seconds() < end:
            time.sleep(LOOK_SECONDS)

    def look(self) -> Standing:
        """Where things stand now; new alerts are shown."""
        with reading(self.engine) as connection:
            self.watcher.show_new(connection)
            unjudged = select(func.count()).select_from(MESSAGE).where(MESSAGE.c.state == "pending")
            untold = select(func.count()).select_from(DELIVERY).where(DELIVERY.c.state == "pending")
            numbers = connection.execute(unjudged).scalar_one(), connection.execute(untold).scalar_one()
        standing = Standing(tally.arrived(self.doors.http) + self.doors.stored_here, *numbers)
        self.progress.update(self.bar, completed=standing.judged)
        return standing

    def _send_wave(self, events: Sequence[Event]) -> None:
        for start in range(0, len(events), TOGETHER):
            together = events[start : start + TOGETHER]
            self.doors.send(together)
            self.sent += len(together)
            while self.sent - self.look().judged > MOST_AHEAD:
                time.sleep(PACE_SECONDS)

    def _drain(self) -> None:
        end = clock.monotonic_seconds() + DRAIN_SECONDS
        while (standing := self.look()).arrived < self.sent or standing.unjudged or standing.untold:
            if clock.monotonic_seconds() > end:
                left = f"{self.sent - standing.arrived} not arrived, {standing.unjudged} not judged"
                raise Failure(
                    f"the day does not get through: {left}, {standing.untold} not told", UNREACHABLE
                )
            time.sleep(LOOK_SECONDS)
