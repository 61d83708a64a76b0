"""Ferrule's tables in an empty database, and an engine on it: as the program itself makes them."""

from sqlalchemy import Connection, Engine, text

from worker.database import make_engine
from worker.schema import upgrade


def open_engine(url: str) -> Engine:
    """An engine with the program's own settings."""
    return make_engine(url)


def migrate(url: str) -> None:
    """All tables of `alerts` and `worker`, by the migrations."""
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()


def take_off_guards(connection: Connection) -> None:
    """Let rows be changed that are only added to, as the owner of the database may; until the rollback."""
    if connection.dialect.name == "postgresql":
        for table in ("audit", "audit_seal", "alert_event"):
            connection.execute(text(f"alter table {table} disable trigger user"))
        return
    for name in (
        connection.execute(text("select name from sqlite_master where type = 'trigger'")).scalars().all()
    ):
        connection.execute(text(f'drop trigger "{name}"'))
