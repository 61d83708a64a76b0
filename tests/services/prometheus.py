"""Prometheus: `promtool` for rules and expressions, and a real server that scrapes what a test names."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.kinds import need, on_path
from tests.services.process import answers, free_port, running


@dataclass(frozen=True)
class Prometheus:
    """A running server."""

    url: str
    pid: int

    def get(self, path: str, **parameters: str) -> dict[str, object]:
        """One call of its API, for example `get("query", query="up")`; answers `data`."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as answer:
            data: dict[str, object] = json.load(answer)["data"]
        return data


@pytest.fixture(scope="session")
def promtool() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`promtool("check", "rules", path)`: what it said, whatever it thought of it."""
    need("prometheus")
    program = on_path("promtool")
    assert program is not None, "prometheus is here, but not its promtool"

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Callable[[Path], Prometheus]]:
    """`prometheus(configuration)` starts a server on that file; stopped when the test ends."""
    program = need("prometheus")
    with ExitStack() as servers:

        def start(configuration: Path) -> Prometheus:
            port = free_port()
            command: list[str | Path] = [
                program,
                "--config.file",
                configuration,
                "--storage.tsdb.path",
                tmp_path / "tsdb",
            ]
            command += ["--web.listen-address", f"127.0.0.1:{port}", "--rules.alert.resend-delay", "1s"]
            log = tmp_path / "prometheus.log"
            process = servers.enter_context(running(command, log, ready=lambda: answers(port)))
            return Prometheus(f"http://127.0.0.1:{port}", process.pid)

        yield start
