"""Ferrule's tables in an empty database, and an engine on it: as the program itself makes them."""

import importlib

from sqlalchemy import Engine
from sqlmodel import SQLModel

from worker.database import make_engine


def open_engine(url: str) -> Engine:
    """An engine with the program's own settings."""
    return make_engine(url)


def migrate(url: str) -> None:
    """All tables of `alerts` and `worker`."""
    for module in ("alerts.tables", "worker.tables"):
        importlib.import_module(module)
    engine = open_engine(url)
    SQLModel.metadata.create_all(engine)
    engine.dispose()
