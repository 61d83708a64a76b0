"""A Valkey (or Redis) server for the session, durable as Ferrule's own, on a loopback port and a socket."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from tests.services.kinds import need
from tests.services.process import answers, free_port, running


@dataclass(frozen=True)
class Valkey:
    """A running server; `pid` so that a test may kill its own."""

    url: str
    socket_url: str
    pid: int
    directory: Path

    def client(self) -> "redis.Redis":
        return redis.Redis.from_url(self.url, decode_responses=True)


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """One server for the session; a test that wants it empty takes `broker_url`."""
    program = need("valkey")
    with tempfile.TemporaryDirectory(prefix="ferrule-valkey-") as name:
        directory, port = Path(name), free_port()
        command: list[str | Path] = [
            program,
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--unixsocket",
            directory / "s",
        ]
        command += ["--dir", directory, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]
        with running(command, directory / "log", ready=lambda: answers(port)) as process:
            socket_url = f"redis+socket://{directory}/s?virtual_host=0"
            yield Valkey(f"redis://127.0.0.1:{port}/0", socket_url, process.pid, directory)


@pytest.fixture
def broker_url(valkey: Valkey) -> str:
    """The address of an empty broker."""
    valkey.client().flushall()
    return valkey.url
