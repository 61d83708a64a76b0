"""Who acts from a terminal, and on which database; how a person is named on a command line."""

from __future__ import annotations

import getpass

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
