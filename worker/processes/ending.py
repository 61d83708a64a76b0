"""How a child process ends when it cannot start: one line in the log, no traceback, an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from rules.yaml_source import BadFile
from worker.database import WrongDatabase
from worker.failures import USAGE
from worker.schema import is_behind
from worker.settings import SettingsError


class Behind(Exception):
    """The database lacks a migration: judging would fail on every message, and set them all aside."""


KNOWN = (SettingsError, WrongDatabase, BadFile, Behind)


def refuse_if_behind(engine: Engine) -> None:
    """Raise Behind. A database that does not answer is no reason not to start: work waits for it."""
    try:
        behind = is_behind(engine)
    except SQLAlchemyError:
        return
    if behind:
        raise Behind("the database's schema is older than this program: ferrule db upgrade")


def run(main: Callable[[], None]) -> None:
    """Run a process's `main`; what a site has set wrongly is said in one line."""
    try:
        main()
    except KNOWN as error:
        print(f"ferrule: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(USAGE)
