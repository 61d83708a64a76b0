"""A PostgreSQL server for the session, and a database of its own for each test, cloned from a template."""

import contextlib
import itertools
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.services.kinds import need, postgres_programs
from tests.services.process import free_port, running, unprivileged
from tests.services.schema import migrate

TEMPLATE = "ferrule_template"
# Tests that cut the power start a server of their own.
QUICK = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": 200,
    "timezone": "UTC",
}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Postgres:
    """A running server on loopback; anyone on this machine may sign in (made-up data only)."""

    port: int
    pid: int
    directory: Path

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://ferrule@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str) -> None:
        """One administrator's statement, outside of any transaction."""
        dsn = f"postgresql://ferrule@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextlib.contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """The URL of a new database like the template; dropped afterwards, whoever is still connected."""
        name = f"test_{next(_numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")


def _programs(user: str | None) -> Path:
    """The folder of the first server that this account may run (a checkout under /root hides the wheel's)."""
    for initdb in postgres_programs():
        with contextlib.suppress(PermissionError):
            tried = subprocess.run(
                [initdb, "--version"], user=user, capture_output=True, check=False, cwd="/"
            )
            if tried.returncode == 0 and (initdb.parent / "postgres").is_file():
                return initdb.parent
    pytest.skip(
        f"needs postgres (the store): none that the account {user} may run; Debian package postgresql"
    )


def _accepts(port: int) -> bool:
    try:
        psycopg.connect(f"postgresql://ferrule@127.0.0.1:{port}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _serve(programs: Path, directory: Path, user: str | None) -> Iterator[Postgres]:
    data, port = directory / "data", free_port()
    create: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "ferrule",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
    ]
    subprocess.run([*create, "--no-sync"], user=user, check=True, capture_output=True, cwd="/")
    command: list[str | Path] = [programs / "postgres", "-D", data]
    for name, value in {"port": port, **QUICK}.items():
        command += ["-c", f"{name}={value}"]
    log = directory / "log"
    with running(command, log, ready=lambda: _accepts(port), user=user, stop_with=signal.SIGINT) as process:
        yield Postgres(port, process.pid, directory)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The server, quick and careless about power cuts (fsync off); its databases are made by `postgres`."""
    need("postgres")
    user = unprivileged()
    programs = _programs(user)
    directory = Path(tempfile.mkdtemp(prefix="ferrule-pg-"))
    try:
        if user is not None:
            shutil.chown(directory, user, pwd.getpwnam(user).pw_gid)
        yield from _serve(programs, directory, user)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(postgres_server: Postgres) -> Postgres:
    """The server with the migrated template in it: `with postgres.database() as url`."""
    postgres_server.run(f"CREATE DATABASE {TEMPLATE}")
    migrate(postgres_server.url(TEMPLATE))
    return postgres_server
