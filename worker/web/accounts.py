"""Accounts of people who sign in elsewhere: made at the first sign-in, brought up to date at each.

An account is found by issuer and subject, never by a name or an address of mail. A disabled one stays so.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from alerts.directory import person as entry_of
from worker.database import is_sqlite
from worker.tables import ACCOUNT
from worker.web.id_tokens import NotTheirs
from worker.web.persons import Person


def account_of(connection: Connection, person: Person, now: datetime) -> int:
    """The account's id. Raises NotTheirs: it is disabled, or its clinician has left the directory."""
    mine = (ACCOUNT.c.issuer == person.issuer, ACCOUNT.c.subject == person.subject)
    dialect = sqlite if is_sqlite(connection) else postgresql
    values = {
        "role": " ".join(person.roles),
        "system": person.address.system if person.address else None,
        "ident": person.address.id if person.address else None,
        "name": person.name,
    }
    new = {"issuer": person.issuer, "subject": person.subject, "active": True, "created_at": now}
    connection.execute(dialect.insert(ACCOUNT).values(**new, **values).on_conflict_do_nothing())
    connection.execute(ACCOUNT.update().where(*mine).values(**values))
    row = connection.execute(select(ACCOUNT.c.id, ACCOUNT.c.active).where(*mine)).one()
    entry = entry_of(connection, person.address) if person.address else None
    if not row.active or (entry is not None and not entry.active):
        raise NotTheirs("disabled")
    return int(row.id)
