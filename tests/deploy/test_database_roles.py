"""S23: the roles of deploy/postgresql on a real server: the program works and cannot touch the trail."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from alerts import audit
from tests.alerts.made_up import ADA, Ward, judged
from tests.services.postgres import Postgres
from tests.services.schema import migrate
from worker.database import make_engine, reading, writing

FOLDER = Path(__file__).parents[2] / "deploy" / "postgresql"
ROLES = ("ferrule_app", "ferrule_read", "ferrule_audit", "ferrule_owner")

pytestmark = pytest.mark.postgres


def run_file(url: str, name: str, user: str = "ferrule") -> None:
    dsn = make_url(url).set(drivername="postgresql", username=user).render_as_string(hide_password=False)
    with psycopg.connect(dsn) as connection:
        connection.execute((FOLDER / name).read_bytes())


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    """A database made as deploy/README.md says."""
    with postgres.database(template="template0") as made:
        run_file(made, "roles.sql")
        migrate(of(made, "ferrule_owner"))
        for _ in range(2):
            run_file(made, "rights.sql", "ferrule_owner")
        yield made
        for role in ROLES:
            for statement in (f"drop owned by {role} cascade", f"drop role {role}"):
                with psycopg.connect(make_url(made).set(drivername="postgresql").render_as_string()) as one:
                    one.execute(statement.encode())


def of(url: str, role: str) -> str:
    return make_url(url).set(username=role).render_as_string(hide_password=False)


@pytest.fixture
def program(url: str) -> Iterator[Engine]:
    engine = make_engine(of(url, "ferrule_app"))
    yield engine
    engine.dispose()


def test_s23_the_program_raises_alerts_and_seals_and_its_role_changes_nothing_of_the_trail(
    program: Engine,
) -> None:
    Ward(program, {"lab|F1": ADA}).judge(judged())
    with writing(program) as connection:
        assert audit.seal(connection) > 0
    for table in ("audit", "audit_seal", "alert_event"):
        column = "seq" if table == "audit_seal" else "id"
        for what in (
            f"update {table} set {column} = {column}",
            f"delete from {table}",
            f"truncate {table} cascade",
        ):
            with pytest.raises(ProgrammingError, match="permission denied"), writing(program) as connection:
                connection.execute(text(what))
    for what in (
        "drop table audit",
        "alter table audit disable trigger all",
        "drop trigger audit_no_change on audit",
    ):
        with pytest.raises(ProgrammingError, match="must be owner"), writing(program) as connection:
            connection.execute(text(what))
    with reading(program) as connection:
        assert audit.verify(connection) == []


def test_s23_whoever_checks_the_trail_sees_it_and_nothing_else(program: Engine, url: str) -> None:
    auditor, reader = make_engine(of(url, "ferrule_audit")), make_engine(of(url, "ferrule_read"))
    with reading(auditor) as connection:
        assert audit.verify(connection) == []
    for engine, table in ((auditor, "patient"), (auditor, "alert"), (reader, "account"), (reader, "token")):
        with pytest.raises(ProgrammingError, match="permission denied"), reading(engine) as connection:
            connection.execute(text(f"select * from {table}"))
    with reading(reader) as connection:
        connection.execute(text("select * from alert"))
    auditor.dispose()
    reader.dispose()
