"""Ferrule itself, as an operator starts it: `ferrule up` in a folder of its own, with its commands."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services.kinds import need
from tests.services.process import free_port, running, wait_until

COMMAND = [sys.executable, "-m", "worker.cli"]


@dataclass(frozen=True)
class Answer:
    """What an HTTP request got."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Ferrule:
    """A running Ferrule, seen from outside."""

    settings: Mapping[str, str]
    log: Path
    runtime: Mapping[str, Any]

    @property
    def http(self) -> str:
        return str(self.runtime["http"])

    def command(self, *arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """`ferrule …` with the same settings."""
        env = {**os.environ, **self.settings, "FERRULE_BROKER_URL": self.runtime["broker_url"]}
        line = [*COMMAND, *map(str, arguments)]
        return subprocess.run(
            line, env=env, input=stdin, capture_output=True, text=True, check=False, timeout=120
        )

    def token(self, role: str, *more: str) -> str:
        made = self.command("token", "create", "--role", role, *more)
        assert made.returncode == 0, made.stderr
        return made.stdout.split()[-1]

    def request(self, path: str, body: bytes | None = None, token: str = "") -> Answer:
        """GET, or POST with a body; an error status is an answer too."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(f"{self.http}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read())

    def metric(self, name: str) -> float:
        """The sum of all samples of a family."""
        lines = self.request("/metrics").body.decode().splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name
        )

    def wait_until_quiet(self, seconds: float = 60.0) -> None:
        """Until every stored message is judged and every delivery is made."""

        def quiet() -> bool:
            return not self.metric("ferrule_inbound_unfinished") and not self.metric("ferrule_outbox_pending")

        wait_until(quiet, "messages or deliveries are still waiting", seconds)


def _ready(runtime: Path) -> bool:
    if not runtime.exists():
        return False
    told = json.loads(runtime.read_text())
    try:
        with urllib.request.urlopen(f"{told['http']}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


@pytest.fixture
def ferrule(tmp_path: Path) -> Iterator[Callable[..., Ferrule]]:
    """`ferrule(SMTP_URL=…)` starts one with an embedded broker and SQLite; stopped when the test ends."""
    need("valkey")
    with ExitStack() as houses:

        def start(**given: str) -> Ferrule:
            directory = tmp_path / "ferrule"
            listens = {"HTTP_LISTEN": f"127.0.0.1:{free_port()}", "MLLP_LISTEN": "127.0.0.1:0"}
            settings = {"DATA_DIR": str(directory), **listens, **given}
            env = {f"FERRULE_{name}": value for name, value in settings.items()}
            runtime, log = directory / "runtime.json", tmp_path / "ferrule.log"
            houses.enter_context(
                running([*COMMAND, "up"], log, ready=lambda: _ready(runtime), env=env, seconds=180)
            )
            return Ferrule(env, log, json.loads(runtime.read_text()))

        yield start
