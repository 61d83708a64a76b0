"""The reader of the Redis stream, until SIGTERM."""

from __future__ import annotations

import signal
import threading

from worker import logs
from worker.composition import build
from worker.event_stream import StreamDoor, client_of, run
from worker.processes.ending import refuse_if_behind
from worker.processes.ending import run as run_process
from worker.settings import SettingsError, read_settings


def main() -> None:
    """Run until told to stop."""
    settings = read_settings()
    logs.configure(level=settings.log_level, style=settings.log_format)
    client = client_of(settings.broker)
    if client is None:
        raise SettingsError("FERRULE_BROKER_URL names no Redis or Valkey: there is no stream to read")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    deps = build(settings)
    refuse_if_behind(deps.engine)
    run(StreamDoor(client, deps.engine, deps.publish), stop)


if __name__ == "__main__":
    run_process(main)
