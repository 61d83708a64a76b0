"""The migrated schema is the one the program works with, on both databases."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from tests.services.postgres import Postgres
from worker import schema
from worker.database import make_engine, reading, writing
from worker.processes.ending import Behind, refuse_if_behind
from worker.schema import is_current, upgrade


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database with nothing in it."""
    if request.param == "sqlite":
        yield make_engine(f"sqlite:///{tmp_path}/empty.sqlite3")
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    with postgres.database(template="template0") as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


def test_the_migrations_make_exactly_the_tables_of_the_program(empty: Engine) -> None:
    upgrade(empty)
    with reading(empty) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_upgrading_twice_does_nothing_twice(empty: Engine) -> None:
    assert not is_current(empty)
    upgrade(empty)
    upgrade(empty)
    assert is_current(empty)


LATER = """revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    pass
"""


def test_a_program_refuses_an_older_database_but_not_a_newer_or_empty_one(
    empty: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_if_behind(empty)
    upgrade(empty)
    refuse_if_behind(empty)
    with writing(empty) as connection:
        connection.execute(text("update alembic_version set version_num = 'of-a-later-program'"))
    refuse_if_behind(empty)
    with writing(empty) as connection:
        connection.execute(text("update alembic_version set version_num = '0001'"))
    shutil.copytree(schema.MIGRATIONS, tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / "0002_later.py").write_text(LATER)
    monkeypatch.setattr(schema, "MIGRATIONS", tmp_path / "migrations")
    with pytest.raises(Behind, match="ferrule db upgrade"):
        refuse_if_behind(empty)


def test_a_database_that_does_not_answer_is_no_reason_not_to_start() -> None:
    refuse_if_behind(make_engine("postgresql://nobody@127.0.0.1:1/nowhere"))


@pytest.mark.parametrize("engine_of", ["migrated", "declared"])
def test_the_partial_unique_indexes_hold_in_the_database_itself(empty: Engine, engine_of: str) -> None:
    if engine_of == "migrated":
        upgrade(empty)
    else:
        SQLModel.metadata.create_all(empty)
    found = {
        index["name"]: index
        for table in ("alert", "message", "patient_link")
        for index in inspect(empty).get_indexes(table)
    }
    for name in ("alert_one_open_episode", "uq_message_event_id", "uq_patient_link_open"):
        assert found[name]["unique"]
        assert any("where" in option for option in found[name].get("dialect_options", {}))


def test_one_event_id_cannot_be_two_messages_even_past_the_program(empty: Engine) -> None:
    upgrade(empty)
    row = (
        "insert into message (source, message_id, sha256, format, raw, state, due_at, attempts, lease,"
        " received_at) values ('s', '1', :sha, 'event', 'x', 'pending', '2026-01-01', 0, 0, '2026-01-01')"
    )
    with writing(empty) as connection:
        connection.execute(text(row), {"sha": "a"})
    with pytest.raises(IntegrityError), writing(empty) as connection:
        connection.execute(text(row), {"sha": "b"})
