"""Real worker processes of the tests' own: started on a database and a broker, stopped with the test."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from celery import Celery

from tests.services.process import running

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Machine:
    """The processes of one test, by name, and what they are told."""

    directory: Path
    environment: Mapping[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)

    def start(self, name: str, module: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start `python -m worker.processes.<module>`; it is not waited for."""
        return self.start_module(name, f"worker.processes.{module}", *arguments, **environment)

    def start_module(
        self, name: str, module: str, *arguments: str, **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start `python -m <module>`; it is not waited for."""
        command = [sys.executable, "-m", module, *arguments]
        given = {**self.environment, **environment, "PYTHONPATH": str(REPOSITORY)}
        process = running(command, self.directory / f"{name}.log", ready=lambda: True, env=given)
        self.processes[name] = self.stack.enter_context(process)
        return self.processes[name]

    def worker(self, name: str = "worker-1", **environment: str) -> subprocess.Popen[bytes]:
        """A Celery worker process."""
        return self.start(name, "celery_worker", name, **environment)

    def poller(self, name: str = "poller", **environment: str) -> subprocess.Popen[bytes]:
        """A poller process."""
        return self.start(name, "poller", **environment)

    @property
    def logs(self) -> str:
        """Everything the processes have written."""
        return "\n".join(log.read_text(errors="replace") for log in sorted(self.directory.glob("*.log")))


@contextmanager
def machine(directory: Path, database_url: str, broker_url: str | None, **settings: str) -> Iterator[Machine]:
    """An empty machine for one test."""
    metrics = directory / "metrics"
    metrics.mkdir(exist_ok=True)
    environment = {
        "FERRULE_DATABASE_URL": database_url,
        "FERRULE_DATA_DIR": str(directory / "data"),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        **({"FERRULE_BROKER_URL": broker_url} if broker_url else {}),
        **{f"FERRULE_{name.upper()}": value for name, value in settings.items()},
    }
    made = Machine(directory, environment)
    with made.stack:
        yield made


def producer(broker_url: str) -> Celery:
    """A producer as an outsider would write one."""
    return Celery("somebody-outside", broker=broker_url, set_as_current=False)


def submit(app: Celery, event: object) -> None:
    """Put a whole event on the queue, to the letter of the published interface."""
    app.send_task(
        "ferrule.submit", args=[event], queue="ferrule.intake", serializer="json", ignore_result=True
    )
