"""Keeping the processes of one machine running: started in order, restarted when they end, stopped together.

Each child is killed by the kernel when its supervisor dies (Linux), so that a SIGKILL leaves no orphan. What
a process does is not known here.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from worker.clock import monotonic_seconds
from worker.logs import logger

log = logger("worker.supervise")

SHORT_LIFE_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
GRACE_SECONDS = 20.0

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Program:
    """One process to keep running.

    `environment` is added to the supervisor's own (None takes a variable away). `outlives`: it is stopped
    after the others have ended. `dies_by` is the signal it gets when the supervisor is gone.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str | None] = field(default_factory=dict)
    outlives: bool = False
    dies_by: signal.Signals = signal.SIGKILL


@dataclass
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    started_at: float
    pause: float = FIRST_PAUSE_SECONDS
    restart_at: float | None = None


class Supervisor:
    """Runs `programs` until told to stop. Use it from the main thread: children are bound to their maker's
    thread.
    """

    def __init__(self, on_change: Callable[[Mapping[str, int]], None] | None = None) -> None:
        self._children: dict[str, _Child] = {}
        self._on_change = on_change or (lambda pids: None)
        self._stop = threading.Event()

    @property
    def pids(self) -> dict[str, int]:
        """The running processes by name."""
        return {name: child.process.pid for name, child in self._children.items()}

    def runs(self, name: str) -> bool:
        """Whether this program runs now."""
        child = self._children.get(name)
        return child is not None and child.process.poll() is None

    def start(self, program: Program) -> None:
        """Start one program now."""
        self._children[program.name] = _Child(program, _spawn(program), monotonic_seconds())
        self._on_change(self.pids)

    def request_stop(self, *_signal: object) -> None:
        """End `run` soon. A signal handler may call it."""
        self._stop.set()

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Watch the children until a stop is asked for or `until` says so."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.request_stop)
        while not self._stop.is_set() and not until():
            self.turn()
            self._stop.wait(0.2)

    def turn(self) -> None:
        """One look at every child: who has ended is started again, later each time it ends young."""
        now = monotonic_seconds()
        for name, child in self._children.items():
            if child.restart_at is None and (code := child.process.poll()) is not None:
                lived = now - child.started_at
                child.pause = _next_pause(child.pause, lived)
                child.restart_at = now + child.pause
                log.warning("process ended", process=name, exit_code=code, seconds=round(lived, 1))
            elif child.restart_at is not None and now >= child.restart_at:
                child.process = _spawn(child.program)
                child.started_at, child.restart_at = now, None
                self._on_change(self.pids)

    def stop(self) -> None:
        """Ask every child to end, and kill those that have not after a grace time."""
        children = list(self._children.values())
        _stop([child for child in children if not child.program.outlives])
        _stop([child for child in children if child.program.outlives])


def _stop(children: Sequence[_Child]) -> None:
    end = monotonic_seconds() + GRACE_SECONDS
    for child in children:
        _signal(child.process, signal.SIGTERM)
    for child in children:
        try:
            child.process.wait(max(0.1, end - monotonic_seconds()))
        except subprocess.TimeoutExpired:
            log.warning("process killed", process=child.program.name, pid=child.process.pid)
            _signal(child.process, signal.SIGKILL)
            child.process.wait()


def _next_pause(pause: float, lived_seconds: float) -> float:
    if lived_seconds >= SHORT_LIFE_SECONDS:
        return FIRST_PAUSE_SECONDS
    return min(pause * 2, LONGEST_PAUSE_SECONDS)


def _spawn(program: Program) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def bind_to_parent() -> None:
        # Its own group, so that Ctrl-C reaches the supervisor alone, which then stops its children in order.
        os.setpgid(0, 0)
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(program.dies_by))
            if os.getppid() != parent:
                os._exit(0)

    return subprocess.Popen(  # noqa: S603
        list(program.command),
        env=_environment(program),
        stdin=subprocess.DEVNULL,
        preexec_fn=bind_to_parent,
    )


def _environment(program: Program) -> dict[str, str]:
    merged = {**os.environ, **program.environment}
    return {name: value for name, value in merged.items() if value is not None}


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)
