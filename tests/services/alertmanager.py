"""Alertmanager on a loopback port, with the configuration a test hands over."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.kinds import need
from tests.services.process import answers, free_port, running


@dataclass(frozen=True)
class Alertmanager:
    """A running server."""

    url: str
    pid: int


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Callable[[Path], Alertmanager]]:
    """`alertmanager(configuration)` starts a server on that file; stopped when the test ends."""
    program = need("alertmanager")
    with ExitStack() as servers:

        def start(configuration: Path) -> Alertmanager:
            port = free_port()
            command: list[str | Path] = [
                program,
                f"--config.file={configuration}",
                f"--storage.path={tmp_path / 'alertmanager'}",
            ]
            command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
            log = tmp_path / "alertmanager.log"
            process = servers.enter_context(running(command, log, ready=lambda: answers(port)))
            return Alertmanager(f"http://127.0.0.1:{port}", process.pid)

        yield start
