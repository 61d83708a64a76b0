"""CQL's reference compiler and engine, which run in node: libraries and questions in, answers out."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services.kinds import need, on_path

HERE = Path(__file__).parent.parent / "export"
PACKAGES = ("package.json", "package-lock.json")


@dataclass(frozen=True)
class Question:
    """What a library says of a patient (a FHIR bundle) at a moment."""

    library: str
    as_of: str
    patient: Mapping[str, Any]


@dataclass(frozen=True)
class Cql:
    """The folder that the engine's packages are in."""

    folder: Path

    def answers(self, libraries: Mapping[str, str], questions: Sequence[Question]) -> list[dict[str, Any]]:
        """For each question, in order, what the library's definitions come to."""
        asked = [{"library": q.library, "asOf": q.as_of, "patient": q.patient} for q in questions]
        job = json.dumps({"libraries": dict(libraries), "questions": asked})
        command = [str(on_path("node")), str(HERE / "run_cql.mjs"), str(self.folder)]
        done = subprocess.run(command, input=job, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])["answers"]
        return answers


@pytest.fixture(scope="session")
def cql(pytestconfig: pytest.Config) -> Cql:
    """The engine, its locked packages fetched once and kept between runs."""
    npm = need("npm")
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir("cql-engine")
    locked = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in PACKAGES)).hexdigest()
    ready = folder / "ready"
    if not ready.exists() or ready.read_text() != locked:
        for name in PACKAGES:
            shutil.copy(HERE / name, folder)
        command = [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"needs npm packages (the rules as CQL): npm ci: {done.stderr.strip()[-200:]}")
        ready.write_text(locked)
    return Cql(folder)
