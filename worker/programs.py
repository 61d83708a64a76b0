"""The programs of one machine as the supervisor runs them: broker, workers, stream reader, poller, web.

It says what is run and with which environment; `worker.supervise` runs it.
"""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from worker import broker
from worker.event_stream import has_streams
from worker.settings import Settings
from worker.supervise import Program

Environment = Mapping[str, str | None]


def metrics_directory(settings: Settings, service: str) -> Path:
    """An empty directory that the processes of one service count into. Wiped: its counters start at zero."""
    directory = settings.data_dir.absolute() / "metrics" / service
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def environment(settings: Settings, service: str, *, broker_url: str | None = None) -> Environment:
    """What the children of one service find beside what the supervisor found."""
    given: dict[str, str | None] = {
        "PROMETHEUS_MULTIPROC_DIR": str(metrics_directory(settings, service)),
        "FERRULE_DATA_DIR": str(settings.data_dir.absolute()),
        "FERRULE_DATA_DIR_FILE": None,
        "PYTHONUNBUFFERED": "1",
    }
    if broker_url:
        given |= {"FERRULE_BROKER_URL": broker_url, "FERRULE_BROKER_URL_FILE": None}
    return given


def broker_program(binary: Path, directory: Path, port: int, password: str) -> Program:
    """The embedded broker. It ends last, and by SIGTERM, so that it can close its file."""
    command = broker.command(binary, directory, port, password)
    return Program("broker", command, outlives=True, dies_by=signal.SIGTERM)


def worker_programs(settings: Settings, given: Environment) -> list[Program]:
    """The Celery workers, the stream's reader where the broker has streams, and the poller.

    A solo pool is one process for each task at once.
    """
    count = settings.concurrency if settings.pool == "solo" else 1
    names = [f"worker-{number}" for number in range(1, count + 1)]
    workers = [Program(name, _python("celery_worker", name), given) for name in names]
    broker_url = settings.broker or given.get("FERRULE_BROKER_URL")
    stream = [Program("stream", _python("stream"), given)] if has_streams(broker_url) else []
    return [*(workers if broker_url else []), *stream, poller_program(given)]


def poller_program(given: Environment) -> Program:
    """The poller."""
    return Program("poller", _python("poller"), given)


def web_program(given: Environment) -> Program:
    """The pages and the API."""
    return Program("web", _python("web"), given)


def listen_program(given: Environment) -> Program:
    """The HL7 listener."""
    return Program("listen", _python("listen"), given)


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"worker.processes.{module}", *arguments]
