"""Ferrule as the demo runs it: `ferrule up` as a child, until the demo ends.

The demo stays outside, as a laboratory does. It learns where everything is from `runtime.json`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

from worker import clock
from worker.failures import UNREACHABLE, Failure
from worker.settings import Settings
from worker.supervise import Program, Supervisor

START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Running:
    """A running Ferrule: where it is reached and which processes it has."""

    http: str
    broker_url: str
    pids: Mapping[str, int]
    log: Path


def refuse_a_taken_port(listen: str) -> None:
    """Raises Failure when somebody else listens on HOST:PORT."""
    host, _, port = listen.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            raise Failure(
                f"{listen} is taken: stop what listens there, or set FERRULE_HTTP_LISTEN=127.0.0.1:8001",
                UNREACHABLE,
            ) from None


@contextmanager
def running(settings: Settings, directory: Path, environment: Mapping[str, str | None]) -> Iterator[Running]:
    """`ferrule up` with `environment`, its log in `directory`, once it answers; stopped at the end."""
    log = directory / "ferrule.log"
    runtime = settings.data_dir.absolute() / "runtime.json"
    supervisor = Supervisor()
    command = logging_to(log, [sys.executable, "-m", "worker.cli", "up"])
    supervisor.start(Program("up", command, environment, dies_by=SIGTERM))
    try:
        yield _wait(supervisor.pids["up"], runtime, log)
    finally:
        supervisor.stop()


def logging_to(log: Path, command: Sequence[str]) -> list[str]:
    """The command with everything it prints appended to a file."""
    return ["/bin/sh", "-c", 'exec "$@" >>"$0" 2>&1', str(log), *command]


def _wait(pid: int, runtime: Path, log: Path) -> Running:
    end = clock.monotonic_seconds() + START_SECONDS
    while clock.monotonic_seconds() < end and _is_alive(pid):
        if runtime.exists() and _is_ready(child := _read(runtime, log)):
            return child
        time.sleep(0.1)
    raise Failure(f"Ferrule did not start: {_last_line(log)} (all of it: {log})", UNREACHABLE)


def _read(runtime: Path, log: Path) -> Running:
    told = json.loads(runtime.read_text(encoding="utf-8"))
    return Running(told["http"], told["broker_url"], told["pids"], log)


def _is_ready(child: Running) -> bool:
    try:
        with urllib.request.urlopen(f"{child.http}/readyz", timeout=2) as answer:  # noqa: S310  # our own
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _is_alive(pid: int) -> bool:
    """Whether our child runs; asks without reaping it, which its supervisor does."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return lines[-1] if lines else "it said nothing"
