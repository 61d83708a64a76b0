"""A RabbitMQ node for the session: its own name, folders, loopback ports, and no privileged account."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import amqp
import pytest

from tests.services.kinds import need
from tests.services.process import free_port, running

# Debian's /usr/sbin wrapper changes accounts and loses the environment; this is what it calls.
BEHIND_THE_WRAPPER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@dataclass(frozen=True)
class RabbitMQ:
    """A running node."""

    url: str
    pid: int


def _environment(directory: Path, port: int) -> dict[str, str]:
    config = directory / "rabbitmq.conf"
    config.write_text(
        "loopback_users = none\nlog.console = true\nlog.console.level = warning\nlog.file = false\n"
    )
    return {
        "HOME": str(directory),
        "RABBITMQ_NODENAME": f"ferrule-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "logs"),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
        "RABBITMQ_CONFIG_FILE": str(config),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
    }


def _accepts(port: int) -> bool:
    try:
        with amqp.Connection(f"127.0.0.1:{port}", connect_timeout=2, read_timeout=5):
            return True
    except amqp.AMQPError:
        return False


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """One node for the session; its epmd goes with it."""
    program = need("rabbitmq")
    user = "rabbitmq" if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="ferrule-rabbit-"))
    (directory / "plugins").write_text("[].\n")
    port = free_port()
    env = _environment(directory, port)
    try:
        if user is not None:
            account = pwd.getpwnam(user)
            for path in (directory, *directory.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
        command: list[str | Path] = [BEHIND_THE_WRAPPER if BEHIND_THE_WRAPPER.exists() else program]
        with running(
            command, directory / "log", ready=lambda: _accepts(port), env=env, user=user, seconds=90
        ) as node:
            yield RabbitMQ(f"amqp://guest:guest@127.0.0.1:{port}//", node.pid)
    finally:
        if epmd := shutil.which("epmd"):
            subprocess.run([epmd, "-port", env["ERL_EPMD_PORT"], "-kill"], capture_output=True, check=False)
        shutil.rmtree(directory, ignore_errors=True)
