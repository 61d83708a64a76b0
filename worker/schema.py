"""Bringing the database's schema up to date, by the migrations of `worker.migrations`.

It changes no data and opens no connection of its own.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from worker.database import is_sqlite, writing

MIGRATIONS = Path(__file__).parent / "migrations"

_ADVISORY_LOCK = 0x46455252
"""Two starts at once: one upgrades, the other waits and finds it done. The number is arbitrary ("FERR")."""


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest version, in one transaction."""
    with writing(engine) as connection:
        if not is_sqlite(connection):
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        command.upgrade(_config(connection), "head")


def is_current(engine: Engine) -> bool:
    """Whether the schema is the newest version."""
    with engine.connect() as connection:
        return version(connection) == newest()


def is_behind(engine: Engine) -> bool:
    """Whether the database was made by an older program. An empty one is not, nor one of a newer program."""
    with engine.connect() as connection:
        have = version(connection)
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    return have in known and have != newest()


def version(connection: Connection) -> str | None:
    """The schema's version; None for an empty database."""
    return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The version this program needs."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
