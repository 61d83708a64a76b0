import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner, Result

from tests.worker.intake.examples import HEADER, event, raw, report, result
from worker import file_progress
from worker.accepting import accept
from worker.composition import build
from worker.failures import Failure
from worker.tables import MESSAGE, QUARANTINE_ITEM
from worker.verbs import submit as verb
from worker.verbs.submit import app

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"


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


def test_csv_without_a_mapping_is_answered_in_one_line(submit, engine):
    answer = submit(b"a;b\n1;2\n")
    assert answer.exit_code == 2
    assert len(answer.stderr.splitlines()) == 1
    assert "--mapping" in answer.stderr
    assert stored(engine) == []


def test_the_shipped_csv_example_is_understood(submit, engine, tmp_path):
    mapping = EXAMPLES / "results.csv-mapping.yaml"
    answer = submit((EXAMPLES / "results.csv").read_bytes(), "--mapping", str(mapping))
    assert answer.exit_code == 0, answer.output
    first, second = (json.loads(line) for _, _, line in stored(engine))
    assert first["data"]["patient"] == {
        "system": "urn:mrn:north", "id": "100201", "birth_date": "1980-05-14", "sex": "female"
    }  # fmt: skip
    assert first["data"]["results"][0]["value"] == "9.1"
    assert first["data"]["results"][0]["effective_at"] == "2026-03-01T07:30:00+00:00"
    assert second["data"]["results"][0]["value"] == ">1475"
    assert submit((EXAMPLES / "results.csv").read_bytes(), "--mapping", str(mapping)).exit_code == 0
    assert len(stored(engine)) == 2


def test_a_csv_row_that_cannot_be_read_is_kept_with_its_bytes_and_named_by_its_line(submit, engine, tmp_path):
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(
        "source: urn:a\ntimes: '%d.%m.%Y'\ncolumns: {patient.id: P, result.value: V, event.time: T}\n"
    )
    rows = [b"P,V,T", b"MARKED,1,01.02.2026", b"MARKED,2", b'a,"3', b'",1.2.2026', b"MARKED,4,yesterday"]
    answer = submit(b"\r\n".join([*rows, b"\xff,5,1.2.2026", b"c,6,1.2.2026"]), "--mapping", str(mapping))
    assert answer.exit_code == 2
    places = [line.split("input:")[1].split(":")[0] for line in answer.stderr.splitlines()]
    assert places == ["3", "6", "7"]
    assert "MARKED" not in answer.output
    with engine.connect() as connection:
        aside = connection.execute(
            select(MESSAGE.c.raw).where(MESSAGE.c.format == "csv").order_by(MESSAGE.c.id)
        )
        assert list(aside.scalars()) == [b"MARKED,2", b"MARKED,4,yesterday", b"\xff,5,1.2.2026"]
    assert len(stored(engine)) == 3


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("source: a", "columns"),
        ("source: a\ncolumns: {patient.id: P}", "columns"),
        ("source: a\ncolumns: {patient.id: P, result.value: V, result.colour: C}", "result.colour"),
        ("source: a\nzone: Atlantis\ncolumns: {patient.id: P, result.value: V}", "zone"),
        ("{", "YAML"),
    ],
)
def test_a_wrong_mapping_is_refused_in_one_line(submit, engine, tmp_path, text, place):
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(text)
    answer = submit(b"P,V\n1,2\n", "--mapping", str(mapping))
    assert isinstance(answer.exception, Failure)
    assert place in str(answer.exception)
    assert stored(engine) == []


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr(verb, "BATCH", 2)
    monkeypatch.setattr(file_progress, "SAVE_EVERY", 2)


class Stopped(Exception):
    """What a killed process looks like from inside."""


def stop_after(monkeypatch, batches, error=Stopped):
    stored_batches = []

    def accept_some(engine, batch):
        if len(stored_batches) == batches:
            raise error
        stored_batches.append(len(batch))
        return accept(engine, batch)

    monkeypatch.setattr(verb, "accept", accept_some)
    return stored_batches


def numbered(count):
    return b"\n".join(raw(event(result()) | {"id": f"n{number}"}) for number in range(count)) + b"\n"


def test_a_run_that_was_killed_is_gone_on_with(submit, engine, monkeypatch, small_steps):
    with monkeypatch.context() as patched:
        stop_after(patched, 3)
        assert isinstance(submit(numbered(10)).exception, Stopped)
    batches = stop_after(monkeypatch, 99)
    answer = submit(numbered(10))
    assert answer.exit_code == 0
    assert "stored 4" in answer.stdout
    assert "skipped 6" in answer.stdout
    assert batches == [2, 2]
    assert [name for _, name, _ in stored(engine)] == [f"n{number}" for number in range(10)]
    assert "duplicate 10" in submit(numbered(10)).stdout


def test_a_file_that_has_changed_since_is_read_from_its_beginning(submit, engine, monkeypatch, small_steps):
    with monkeypatch.context() as patched:
        stop_after(patched, 3)
        submit(numbered(10))
    answer = submit(b"\n".join(reversed(numbered(10).splitlines())))
    assert answer.exit_code == 0
    assert "skipped" not in answer.stdout
    assert len(stored(engine)) == 10


def test_ctrl_c_says_how_far_it_came(submit, engine, monkeypatch, small_steps):
    stop_after(monkeypatch, 2, KeyboardInterrupt)
    answer = submit(numbered(10))
    assert isinstance(answer.exception, Failure)
    assert "stored 4" in str(answer.exception)
    assert "run it again" in str(answer.exception)


def test_the_bell_is_rung_once_for_a_batch(submit, engine, monkeypatch):
    rings = []
    monkeypatch.setattr(
        verb, "build", lambda settings: replace(build(settings), publish=lambda ids: rings.append(len(ids)))
    )
    submit(numbered(450))
    assert rings == [200, 200, 50]
