"""Ferrule's tables in an empty database, and an engine on it: as the program itself makes them."""

import importlib
import importlib.util

from sqlalchemy import Engine, create_engine
from sqlmodel import SQLModel


def open_engine(url: str) -> Engine:
    """An engine with the settings of the program's own."""
    return create_engine(url, hide_parameters=True)


def migrate(url: str) -> None:
    """All tables of `alerts` and `worker`."""
    for module in ("alerts.tables", "worker.tables"):
        if importlib.util.find_spec(module) is not None:
            importlib.import_module(module)
    engine = open_engine(url)
    SQLModel.metadata.create_all(engine)
    engine.dispose()
