"""How a child process ends when it cannot start: one line in the log, no traceback, an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rules.yaml_source import BadFile
from worker.database import WrongDatabase
from worker.failures import USAGE
from worker.settings import SettingsError

KNOWN = (SettingsError, WrongDatabase, BadFile)


def run(main: Callable[[], None]) -> None:
    """Run a process's `main`; what a site has set wrongly is said in one line."""
    try:
        main()
    except KNOWN as error:
        print(f"ferrule: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(USAGE)
