"""A database for one bench: a new SQLite file, or a new database on the server that DATABASE_URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from worker.database import make_engine
from worker.failures import UNREACHABLE, Failure
from worker.schema import upgrade
from worker.settings import Settings


@contextmanager
def database(settings: Settings, directory: Path) -> Iterator[str]:
    """The URL of an upgraded, empty database; nothing of the site's own is touched. Raises Failure."""
    given = make_url(settings.database)
    if settings.database_url is None or given.get_backend_name() == "sqlite":
        yield _upgraded(f"sqlite:///{directory / 'bench.sqlite3'}")
        return
    name = f"ferrule_bench_{os.getpid()}"
    _administer(given, f"CREATE DATABASE {name}")
    try:
        yield _upgraded(given.set(database=name).render_as_string(hide_password=False))
    finally:
        _administer(given, f"DROP DATABASE {name} WITH (FORCE)")


def _upgraded(url: str) -> str:
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    return url


def _administer(server: URL, statement: str) -> None:
    url = server.set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT", hide_parameters=True)
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    except DBAPIError:
        why = "the role in FERRULE_DATABASE_URL must be allowed to create a database for the bench"
        raise Failure(why, UNREACHABLE) from None
    finally:
        engine.dispose()
