"""What verbs share: who acts at this terminal, on which database, and how a person or a moment is named
there.
"""

from __future__ import annotations

import getpass
from datetime import datetime

from sqlalchemy import Engine

from alerts.people import SELF_SYSTEM, Actor, Address
from worker.database import make_engine
from worker.failures import Failure
from worker.settings import read_settings


def the_database() -> Engine:
    """The database of the settings."""
    return make_engine(read_settings().database)


def at_terminal() -> Actor:
    """Whoever is logged in at this machine."""
    return Actor(SELF_SYSTEM, f"operator:{getpass.getuser()}", "command line")


def system_and_id(option: str, text: str) -> Address:
    """`SYSTEM|ID`. Raises Failure, naming the option."""
    system, bar, ident = text.rpartition("|")
    if not (bar and system and ident):
        raise Failure(f"{option}: expected SYSTEM|ID")
    return Address(system, ident)


def moment(option: str, text: str) -> datetime:
    """The time an option names. Raises Failure, naming it."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Failure(f"{option}: expected a time with its offset, such as 2026-03-08T08:00:00Z")
    return at
