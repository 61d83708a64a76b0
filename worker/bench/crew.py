"""Worker processes that stand still until the queue is filled, and run only while they are measured."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from worker import clock
from worker.demo.child import logging_to
from worker.failures import UNREACHABLE, Failure
from worker.supervise import Program, Supervisor

LOOK_SECONDS = 0.01
PATIENCE_SECONDS = 300.0


@dataclass
class Crew:
    """Some running processes. They are held by SIGSTOP, so that starting up is no part of any figure."""

    pids: tuple[int, ...]

    def hold(self) -> None:
        """Stand still."""
        self._signal(signal.SIGSTOP)

    def go(self) -> None:
        """Go on."""
        self._signal(signal.SIGCONT)

    def seconds_until(self, done: Callable[[], bool]) -> float:
        """Let them run until `done`, then hold them again; how long that took. Raises Failure."""
        begin = clock.monotonic_seconds()
        self.go()
        while not done():
            if clock.monotonic_seconds() - begin > PATIENCE_SECONDS:
                raise Failure("the workers of the bench do not finish", UNREACHABLE)
            time.sleep(LOOK_SECONDS)
        seconds = clock.monotonic_seconds() - begin
        self.hold()
        return seconds

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            os.kill(pid, number)


def crew(supervisor: Supervisor, programs: Iterable[Program], log: Path) -> Crew:
    """The programs, started; what they print goes to `log`."""
    names = []
    for program in programs:
        supervisor.start(replace(program, command=logging_to(log, program.command)))
        names.append(program.name)
    return Crew(tuple(supervisor.pids[name] for name in names))
