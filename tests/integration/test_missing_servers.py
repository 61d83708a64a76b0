"""What the suite does about a server that this machine has not: fetch it, or name it, or fail in CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.kinds import KINDS, fetch

ROOT = Path(__file__).parents[2]
WITHOUT_RABBITMQ = """
from dataclasses import replace
from tests.services import kinds
kinds.KINDS["rabbitmq"] = replace(kinds.KINDS["rabbitmq"], find=lambda: None)

def test_publishes(rabbitmq): ...
def test_needs_nothing(): ...
"""


def run_without_rabbitmq(directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (directory / "test_some.py").write_text(WITHOUT_RABBITMQ)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", ROOT / "pyproject.toml"]
    env = {**os.environ, "CI": "", "FERRULE_NO_APT": "1", **environment}
    return subprocess.run(
        [*command, directory / "test_some.py"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def test_a_kind_that_did_not_run_is_named_at_the_end(tmp_path: Path) -> None:
    run = run_without_rabbitmq(tmp_path)
    assert run.returncode == 0
    assert "1 needs rabbitmq (the queue on RabbitMQ): not on this machine" in run.stdout
    assert "1 passed, 1 skipped" in run.stdout


def test_in_ci_a_skip_is_a_failure(tmp_path: Path) -> None:
    run = run_without_rabbitmq(tmp_path, CI="true")
    assert run.returncode == 1
    assert "with CI=true a skip is a failure" in run.stdout
    assert "skipped" not in run.stdout.splitlines()[-1]


def test_what_is_installed_is_said_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "asked"
    (tmp_path / "apt-get").write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    said: list[str] = []
    fetch([KINDS["rabbitmq"], KINDS["chromium"]], said.append)
    assert said[0].endswith("apt-get install -y -q --no-install-recommends rabbitmq-server chromium")
    assert log.read_text().splitlines()[0] == "update -q"
    assert log.read_text().splitlines()[1].endswith("rabbitmq-server chromium")
