from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner, Result

from tests.worker.intake.examples import HEADER, event, raw, report, result
from worker.tables import MESSAGE, QUARANTINE_ITEM
from worker.verbs.submit import app


@pytest.fixture
def submit(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("FERRULE_DATABASE_URL", database_url)
    monkeypatch.setenv("FERRULE_DATA_DIR", str(tmp_path / "data"))

    def run(content: bytes, *options: str) -> Result:
        file = tmp_path / "input"
        file.write_bytes(content)
        return CliRunner().invoke(app, [str(file), *options])

    return run


def stored(engine: Engine) -> list[tuple[str, str, bytes]]:
    with engine.connect() as connection:
        rows = connection.execute(select(MESSAGE).where(MESSAGE.c.reason.is_(None)).order_by(MESSAGE.c.id))
        return [(row.format, row.message_id, row.raw) for row in rows]


def reasons(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(QUARANTINE_ITEM.c.reason).order_by(QUARANTINE_ITEM.c.id)))


def test_events_are_stored_byte_for_byte(submit, engine):
    lines = [raw(event(result()) | {"id": identity}) for identity in ("a", "b")]
    answer = submit(b"\n".join(lines) + b"\n")
    assert answer.exit_code == 0
    assert stored(engine) == [("event", "a", lines[0]), ("event", "b", lines[1])]
    assert "stored 2" in answer.stdout


def test_hl7_messages_are_stored_one_by_one(submit, engine):
    messages = [report(header=HEADER.replace("MSG00001", identity)) for identity in ("a", "b")]
    assert submit(b"".join(messages)).exit_code == 0
    assert [(form, identity) for form, identity, _ in stored(engine)] == [("hl7", "a"), ("hl7", "b")]


def test_a_file_sent_again_stores_nothing_new(submit, engine):
    content = raw(event(result()))
    submit(content)
    answer = submit(content)
    assert answer.exit_code == 0
    assert len(stored(engine)) == 1
    assert "duplicate 1" in answer.stdout


def test_what_cannot_be_read_is_kept_in_quarantine_and_does_not_stop_the_rest(submit, engine):
    broken = raw(event(result(), patient={"id": " ", "name": "MARKED"}))
    answer = submit(broken + b"\n{oops\n" + raw(event(result()) | {"id": "good"}) + b"\n")
    assert answer.exit_code == 2
    assert [identity for _, identity, _ in stored(engine)] == ["good"]
    assert reasons(engine) == ["no-patient", "not-json"]
    assert len(answer.stderr.splitlines()) == 2
    assert "input:1: data.patient.id: no-patient" in answer.stderr
    assert "MARKED" not in answer.output


@pytest.mark.parametrize("format", ["fhir", "csv"])
def test_formats_of_a_later_version_are_answered_in_one_line(submit, engine, format):
    answer = submit(b"{}", "--format", format)
    assert answer.exit_code == 2
    assert len(answer.stderr.splitlines()) == 1
    assert "not read by this version" in answer.stderr
    assert stored(engine) == []
