"""CQL's reference compiler and engine, which run in node: libraries and questions in, answers out."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services.kinds import on_path
from tests.services.npm import packages

HERE = Path(__file__).parent.parent / "export"


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
    return Cql(packages(pytestconfig, HERE, "the rules as CQL"))
