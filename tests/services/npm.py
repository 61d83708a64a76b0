"""Programs of others that run in node: their locked packages, fetched once and kept between runs."""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.services.kinds import need

PACKAGES = ("package.json", "package-lock.json")
FETCH = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")


def packages(config: pytest.Config, locked: Path, serves: str) -> Path:
    """The folder with what `locked` names in `node_modules`; without npm or its registry the test is skipped.

    Two test processes may ask at once: the second waits for the first.
    """
    npm = need("npm")
    assert config.cache is not None
    folder = config.cache.mkdir(f"npm-{locked.name}")
    wanted = hashlib.sha256(b"".join((locked / name).read_bytes() for name in PACKAGES)).hexdigest()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = folder / "ready"
        if not ready.exists() or ready.read_text() != wanted:
            _fetch(npm, locked, folder, serves)
            ready.write_text(wanted)
    return folder


def _fetch(npm: Path, locked: Path, folder: Path, serves: str) -> None:
    for name in PACKAGES:
        shutil.copy(locked / name, folder)
    done = subprocess.run([npm, *FETCH], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs npm packages ({serves}): npm ci: {done.stderr.strip()[-200:]}")
