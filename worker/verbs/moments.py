"""A moment on a command line: a time with its offset, or one line that says what was expected."""

from __future__ import annotations

from datetime import datetime

from worker.failures import Failure


def moment(option: str, text: str) -> datetime:
    """The time an option names. Raises Failure, naming it."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Failure(f"{option}: expected a time with its offset, such as 2026-03-08T08:00:00Z")
    return at
