"""Ferrule's tables in an empty database, and an engine on it: as the program itself makes them."""

from sqlalchemy import Engine

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
