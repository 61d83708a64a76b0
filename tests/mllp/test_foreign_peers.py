"""Senders that nobody here wrote: python-hl7's MLLPClient, and simple-hl7's client in node."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hl7.client import MLLPClient

from tests.mllp.door import Door, door, numbered
from tests.services.kinds import on_path
from tests.services.npm import packages
from worker.database import make_engine
from worker.intake.mllp import END, START

PEER = Path(__file__).parent / "peer"
MESSAGES = [numbered("A"), numbered("B"), numbered("C", f12="9.9"), numbered("B"), numbered("Ü")]
ANSWERS = [("AA", "A"), ("AA", "B"), ("AR", "C"), ("AA", "B"), ("AA", "Ü")]


@pytest.fixture
def here(sqlite_url: str) -> Iterator[Door]:
    with door(make_engine(sqlite_url)) as made:
        yield made


def test_the_client_of_python_hl7_sends_and_reads_our_answers(here: Door) -> None:
    import hl7

    answers = []
    with MLLPClient("127.0.0.1", here.listener.port, encoding="utf-8") as client:
        for raw in MESSAGES:
            answer = client.send_message(raw)
            assert answer.startswith(START)
            assert answer.endswith(END)
            msa = hl7.parse(answer.strip(START + END).decode()).segment("MSA")
            answers.append((str(msa[1]), str(msa[2])))
    assert answers == ANSWERS
    assert [row.message_id for row in here.rows()] == ["A", "B", "C", "Ü"]


@pytest.fixture(scope="session")
def simple_hl7(pytestconfig: pytest.Config) -> Path:
    """The folder of simple-hl7, its locked packages fetched once and kept between runs."""
    return packages(pytestconfig, PEER, "a foreign MLLP client")


def test_the_client_of_simple_hl7_in_node_sends_and_reads_our_answers(here: Door, simple_hl7: Path) -> None:
    messages = json.dumps([raw.decode() for raw in MESSAGES])
    command = [str(on_path("node")), str(PEER / "send.cjs"), str(simple_hl7), str(here.listener.port)]
    done = subprocess.run(command, input=messages, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [tuple(answer) for answer in json.loads(done.stdout)] == ANSWERS
