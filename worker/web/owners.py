"""An alert in the operators' queues: how severe, which rule, whose, how long. No value, no headline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from alerts.directory import one_of
from alerts.people import Address
from alerts.tables import RECIPIENT
from worker.web import words
from worker.web.timeline import names_of


@dataclass(frozen=True, slots=True)
class Queued:
    """One row of a queue."""

    alert: int
    severity: str
    rule: str
    owner: str
    phone: str
    wait: str


def queued(connection: Connection, rows: Iterable[Row[Any]], since: str, now: datetime) -> tuple[Queued, ...]:
    """The rows of `alert`, each waiting since the moment in its column `since`."""
    rows = list(rows)
    owners = {Address(row.recipient_system, row.recipient_ident) for row in rows}
    names, phones = names_of(connection, owners), phones_of(connection, owners)
    return tuple(_queued(row, since, names, phones, now) for row in rows)


def phones_of(connection: Connection, addresses: Iterable[Address]) -> dict[Address, str]:
    """The telephone numbers of those people of the directory who have one."""
    query = select(RECIPIENT).where(one_of(RECIPIENT, addresses), RECIPIENT.c.phone.is_not(None))
    return {Address(row.system, row.ident): row.phone for row in connection.execute(query)}


def _queued(
    row: Row[Any], since: str, names: dict[Address, str], phones: dict[Address, str], now: datetime
) -> Queued:
    owner = Address(row.recipient_system, row.recipient_ident)
    name, phone = names.get(owner, f"{owner.id} (not in the directory)"), phones.get(owner, "")
    return Queued(row.id, row.severity, row.rule, name, phone, words.wait(getattr(row, since), now))
