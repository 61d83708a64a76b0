"""Which FHIR resources a sender sent, under which address and version.

The resources themselves stay in their messages. Everything is kept apart by sender: nobody's reference leads
to what another one sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from worker.database import is_sqlite, reading
from worker.intake.fhir_checks import Json
from worker.intake.fhir_package import MAX_BYTES
from worker.intake.fhir_resources import READ, Identified
from worker.intake.fhir_scope import Known, Part
from worker.intake.json_text import dumps, loads
from worker.tables import FHIR_IDENTIFIER, FHIR_RESOURCE, MESSAGE

MOST_MATCHES = 2  # one is the one, two are too many


@dataclass(frozen=True, slots=True)
class Kept:
    """A resource as it now stands: its address, its version, and what this message did to it."""

    type: str
    id: str
    version: int
    created: bool
    changed: bool


def register(
    connection: Connection,
    source: str,
    message: int,
    named: Sequence[tuple[str, Part]],
    now: datetime,
) -> list[Kept]:
    """Write down the parts of a stored message under their ids; in the transaction that stored it."""
    kept = []
    for identity, part in named:
        found = _row(connection, source, part.type, identity, lock=True)
        sha256 = hash_of(part)
        place = {"sha256": sha256, "message_id": message, "place": part.place, "updated_at": now}
        if found is None:
            row = _insert(connection, source, part.type, identity, place)
            found = None if row is not None else _row(connection, source, part.type, identity, lock=True)
        if found is None and row is not None:
            _name(connection, row, source, part)
            kept.append(Kept(part.type, identity, 1, created=True, changed=True))
        elif found is not None and found.sha256 != sha256:
            _replace(connection, found, place)
            _name(connection, found.id, source, part)
            kept.append(Kept(part.type, identity, found.version + 1, created=False, changed=True))
        elif found is not None:
            kept.append(Kept(part.type, identity, found.version, created=False, changed=False))
    return kept


def standing(connection: Connection, source: str, identity: str, part: Part) -> tuple[int, bool]:
    """The version a resource has (0: none), and whether that says the same as `part`."""
    found = _row(connection, source, part.type, identity, lock=True)
    return (found.version, found.sha256 == hash_of(part)) if found else (0, False)


def hash_of(part: Part) -> str:
    """What a resource says, as a hash."""
    return hashlib.sha256(dumps(part.json).encode()).hexdigest()


def version_of(connection: Connection, source: str, type_name: str, identity: str) -> int | None:
    """The version of a resource; None when it was never sent."""
    found = _row(connection, source, type_name, identity, lock=True)
    return found.version if found else None


def matching(
    connection: Connection, source: str, type_name: str, system: str | None, value: str
) -> list[Kept]:
    """The resources with an identifier, two at most; `system` None: of any system, "" of none."""
    resource, identifier = FHIR_RESOURCE, FHIR_IDENTIFIER
    asked = select(resource.c.resource_id, resource.c.version).join(
        identifier, identifier.c.fhir_resource_id == resource.c.id
    )
    same = (identifier.c.source == source, identifier.c.type == type_name, identifier.c.value == value)
    asked = asked.where(*same) if system is None else asked.where(*same, identifier.c.system == system)
    rows = connection.execute(asked.distinct().limit(MOST_MATCHES))
    return [Kept(type_name, row.resource_id, row.version, created=False, changed=False) for row in rows]


def remembered(engine: Engine, source: str) -> Known:
    """What a sender's references lead to, from the database."""

    def known(type_name: str, identity: str) -> Json | None:
        if type_name not in READ:
            return None
        with reading(engine) as connection:
            row = _with_bytes(connection, source, type_name, identity)
        return _resource_at(row.raw, row.place) if row is not None else None

    return known


def _with_bytes(connection: Connection, source: str, type_name: str, identity: str) -> Any:
    table = FHIR_RESOURCE
    asked = select(MESSAGE.c.raw, table.c.place).join(table, table.c.message_id == MESSAGE.c.id)
    same = (table.c.source == source, table.c.type == type_name, table.c.resource_id == identity)
    return connection.execute(asked.where(*same)).first()


def _resource_at(raw: bytes, place: str) -> Json | None:
    value = loads(raw, MAX_BYTES)
    if place:
        value = value["entry"][int(place.partition("[")[2].partition("]")[0])]["resource"]
    return value if isinstance(value, dict) else None


def _row(connection: Connection, source: str, type_name: str, identity: str, *, lock: bool) -> Any:
    table = FHIR_RESOURCE
    same = (table.c.source == source, table.c.type == type_name, table.c.resource_id == identity)
    asked = select(table.c.id, table.c.version, table.c.sha256).where(*same)
    return connection.execute(asked.with_for_update() if lock else asked).first()


def _insert(
    connection: Connection, source: str, type_name: str, identity: str, place: dict[str, Any]
) -> int | None:
    """The new row; None when somebody else was faster."""
    dialect = sqlite if is_sqlite(connection) else postgresql
    values = {"source": source, "type": type_name, "resource_id": identity, "version": 1, **place}
    statement = dialect.insert(FHIR_RESOURCE).values(values).on_conflict_do_nothing()
    row: int | None = connection.execute(statement.returning(FHIR_RESOURCE.c.id)).scalar_one_or_none()
    return row


def _replace(connection: Connection, found: Any, place: dict[str, Any]) -> None:
    table = FHIR_RESOURCE
    changed = table.update().where(table.c.id == found.id).values(version=found.version + 1, **place)
    connection.execute(changed)
    connection.execute(FHIR_IDENTIFIER.delete().where(FHIR_IDENTIFIER.c.fhir_resource_id == found.id))


def _name(connection: Connection, row: int, source: str, part: Part) -> None:
    """The identifiers of a resource, to be found by."""
    given = part.resource.identifier if isinstance(part.resource, Identified) else ()
    names = {(one.system or "", one.value) for one in given if one.value}
    about = {"fhir_resource_id": row, "source": source, "type": part.type}
    if names:
        rows = [about | {"system": system, "value": value} for system, value in sorted(names)]
        connection.execute(FHIR_IDENTIFIER.insert(), rows)
