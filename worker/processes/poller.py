"""The poller process: the duties of `worker.poller` until SIGTERM."""

from __future__ import annotations

import signal
import threading

from worker import logs
from worker.composition import build, put_policy_in_force
from worker.poller import run
from worker.processes.ending import refuse_if_behind
from worker.processes.ending import run as run_process
from worker.settings import read_settings


def main() -> None:
    """Run until told to stop."""
    settings = read_settings()
    logs.configure(level=settings.log_level, style=settings.log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    deps = build(settings)
    refuse_if_behind(deps.engine)
    put_policy_in_force(deps)
    run(deps, stop)


if __name__ == "__main__":
    run_process(main)
