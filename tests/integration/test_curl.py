"""curl sends CloudEvents to a running `ferrule web`: structured, binary, several at once, and half of one."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row, func, select

from tests.integration.machine import machine
from tests.services.kinds import need
from tests.services.process import answers, free_port, wait_until
from tests.services.schema import open_engine
from tests.worker.made_up import event, result
from worker import clock
from worker.database import reading, writing
from worker.intake.json_text import loads
from worker.tables import MESSAGE
from worker.tokens import Role, create

TAKEN: dict[str, Any] = {"accepted": 1, "duplicates": 0, "quarantined": []}
STRUCTURED = "Content-Type: application/cloudevents+json"
BATCH = "Content-Type: application/cloudevents-batch+json"
JSON = "Content-Type: application/json"


@dataclass(frozen=True)
class Curl:
    """curl with a token, towards one web process."""

    program: Path
    address: str
    token: str
    engine: Engine

    def post(self, body: bytes, *arguments: str, token: str | None = None) -> tuple[int, Any]:
        """Status and JSON of an answer to `--data-binary @-` with these arguments."""
        headers = ["-H", f"Authorization: Bearer {token or self.token}"]
        format = ["-w", "\n%{http_code}"]
        line = [str(self.program), "-sS", "--max-time", "60", *headers, *format, *arguments]
        done = subprocess.run(
            [*line, "--data-binary", "@-", f"{self.address}/events"],
            input=body, capture_output=True, check=False, timeout=90,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answer, _, status = done.stdout.rpartition(b"\n")
        return int(status), json.loads(answer) if answer.startswith((b"{", b"[")) else answer

    def rows(self, *names: str) -> list[Row[Any]]:
        """What is stored under these ids."""
        asked = select(MESSAGE).where(MESSAGE.c.message_id.in_(names)).order_by(MESSAGE.c.id)
        with reading(self.engine) as connection:
            return list(connection.execute(asked).all())

    def count(self) -> int:
        """How much is stored."""
        with reading(self.engine) as connection:
            return int(connection.execute(select(func.count()).select_from(MESSAGE)).scalar_one())


@pytest.fixture(scope="module")
def curl(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Curl]:
    """A web process on a port of its own; it needs no broker to take what comes."""
    folder, program, port = tmp_path_factory.mktemp("web"), need("curl"), free_port()
    url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'ferrule.sqlite3')}"
    engine = open_engine(url)
    with writing(engine) as connection:
        token = create(connection, Role.INTAKE, clock.now())
    with machine(folder, url, None, http_listen=f"127.0.0.1:{port}") as house:
        process = house.start("web", "web")
        wait_until(lambda: process.poll() is not None or answers(port), "web does not answer", 120)
        assert process.poll() is None, house.logs
        yield Curl(program, f"http://127.0.0.1:{port}", token, engine)
    engine.dispose()


def made(name: str, value: str = "9") -> dict[str, Any]:
    return event(name, [result(f"R-{name}", "ferritin", value)])


NAMES = ("specversion", "type", "source", "id", "time")


def headers_of(one: dict[str, Any], names: Sequence[str] = NAMES) -> list[str]:
    """The attributes of an event as the headers of a binary one."""
    return [argument for name in names for argument in ("-H", f"ce-{name}: {one[name]}")]


def test_curl_sends_a_structured_event_and_sends_it_again(curl: Curl) -> None:
    body = json.dumps(made("A")).encode()
    assert curl.post(body, "-H", STRUCTURED) == (202, TAKEN)
    assert curl.post(body, "-H", STRUCTURED)[1]["duplicates"] == 1
    assert [(row.message_id, row.format, row.raw) for row in curl.rows("A")] == [("A", "event", body)]


def test_a_binary_event_of_curl_is_the_structured_one_it_stands_for(curl: Curl) -> None:
    one = made("B")
    data = json.dumps(one["data"]).encode()
    assert curl.post(data, "-H", JSON, *headers_of(one)) == (202, TAKEN)
    assert curl.post(json.dumps(one).encode(), "-H", STRUCTURED)[1]["duplicates"] == 1
    first = curl.rows("B")[0]
    stored = loads(first.raw)
    assert {name: stored[name] for name in one} == loads(json.dumps(one).encode())
    assert (first.state, first.reason) == ("pending", None)


def test_curl_sends_several_by_chunks_over_one_connection(curl: Curl) -> None:
    body = json.dumps([made(name) for name in ("C1", "C2", "C3")]).encode()
    sent = curl.post(body, "-H", BATCH, "-H", "Transfer-Encoding: chunked")
    assert sent == (202, {"accepted": 3, "duplicates": 0, "quarantined": []})
    assert [row.message_id for row in curl.rows("C1", "C2", "C3")] == ["C1", "C2", "C3"]


def test_curl_hears_what_is_wrong_and_the_next_event_is_taken(curl: Curl) -> None:
    one, before = made("D"), curl.count()
    data = json.dumps(one["data"]).encode()
    assert curl.post(data, "-H", JSON, *headers_of(one, ("specversion", "type", "source")))[0] == 400
    assert curl.post(b"\xff\xfe{", "-H", STRUCTURED)[0] == 400
    assert curl.post(b"<event/>", "-H", "Content-Type: application/cloudevents+xml")[0] == 415
    assert curl.post(b"\x1f\x8b", "-H", STRUCTURED, "-H", "Content-Encoding: gzip")[0] == 415
    assert curl.post(data, "-H", STRUCTURED, token="nobody's")[0] == 401
    assert curl.count() == before
    assert curl.post(json.dumps(one).encode(), "-H", STRUCTURED) == (202, TAKEN)


def test_an_event_half_sent_by_curl_leaves_nothing(curl: Curl) -> None:
    before, half = curl.count(), json.dumps(made("E")).encode()
    cut = [str(curl.program), "-sS", "--max-time", "3", "-H", f"Authorization: Bearer {curl.token}"]
    done = subprocess.run(
        [*cut, "-H", STRUCTURED, "-H", f"Content-Length: {len(half) + 100}", "--data-binary", "@-",
         f"{curl.address}/events"],
        input=half, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert curl.count() == before
    assert curl.post(half, "-H", STRUCTURED) == (202, TAKEN)


def test_the_curl_of_the_page_for_senders_works_as_printed(curl: Curl, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "deploy" / "EVENTS.md").read_text()
    shown = re.search(r"^    (curl .*\\\n.*)$", page, re.MULTILINE)
    assert shown is not None
    command = shown[1].replace("http://127.0.0.1:8000", curl.address)
    (tmp_path / "event.json").write_bytes(json.dumps(made("F")).encode())
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env={"TOKEN": curl.token, "PATH": str(curl.program.parent)},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "202 Accepted" in done.stdout
