"""A server of the tests as a child process: its own log, dead when pytest is, waited for until it answers."""

import contextlib
import ctypes
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ready: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Ask until the answer is true. An `OSError` is a no; after the limit an error names `what`."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if ready():
                return
        if time.monotonic() > end:
            raise TimeoutError(f"{what} after {seconds:g} s")
        time.sleep(0.02)


def answers(port: int) -> bool:
    """Does somebody accept on this loopback port?"""
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def _die_with_parent() -> None:
    """Linux: the child gets SIGKILL when pytest dies, however it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def unprivileged() -> str | None:
    """The account for a server that refuses to be root; None where we are not root."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return None


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    log: Path,
    *,
    ready: Callable[[], object],
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    stop_with: signal.Signals = signal.SIGTERM,
    seconds: float = 30.0,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start, wait until `ready`, yield, stop. What went wrong is in the error, with the end of the log."""
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=None if env is None else {**os.environ, **env},
            user=user,
            group=None if user is None else pwd.getpwnam(user).pw_gid,
            extra_groups=None if user is None else [],
            cwd=log.parent,
            preexec_fn=_die_with_parent,
        )
    try:
        wait_until(lambda: process.poll() is not None or ready(), f"{command[0]} does not answer", seconds)
        if process.poll() is not None:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {_tail(log)}")
        yield process
    except TimeoutError as late:
        raise RuntimeError(f"{late}: {_tail(log)}") from late
    finally:
        stop(process, stop_with)


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """Ask to stop; after ten seconds, kill."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
