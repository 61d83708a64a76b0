"""`ferrule patients`: which identifiers are one patient, and merging them by hand.

A merge asked for here is a message like any other: stored, judged by the workers, kept for a replay.
"""

from __future__ import annotations

import json
from typing import Annotated
from uuid import uuid4

import typer
from sqlalchemy import Connection, select

from alerts import audit
from worker.accepting import Inbound, accept
from worker.database import db_now, reading, writing
from worker.failures import NO, Failure
from worker.intake.event import MERGE
from worker.patients import members_of, patient_ids, rows_of
from worker.tables import PATIENT
from worker.terminal import at_terminal, system_and_id, the_database

SELF = "urn:ferrule:self"

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="Identifiers and who they are."
)

Key = tuple[str, str]
Survivor = Annotated[str, typer.Option(help="Who stays, as SYSTEM|ID.")]
Retired = Annotated[str, typer.Option(help="Who is the same person, as SYSTEM|ID.")]


@app.command()
def show(patient: Annotated[str, typer.Argument(help="SYSTEM|ID.")]) -> None:
    """Print the identifiers of a patient, the one their alerts stand under first.

    Example: ferrule patients show 'urn:mrn:north|123'
    """
    engine, key = the_database(), _key("PATIENT", patient)
    with reading(engine) as connection:
        root = patient_ids(connection, [key]).get(key)
        if root is None:
            raise Failure("no message ever spoke of this patient", NO)
        rows = members_of(connection, [root])[root]
        found = {row.id: row for row in connection.execute(select(PATIENT).where(PATIENT.c.id.in_(rows)))}
    for row in rows:
        typer.echo(f"{found[row].system}|{found[row].ident}")
    with writing(engine) as connection:
        _note(connection, "read", root)


@app.command()
def merge(survivor: Survivor, retired: Retired) -> None:
    """Make two identifiers one patient: judged together, alerts under the survivor.

    Example: ferrule patients merge --survivor 'urn:mrn:north|123' --retired 'urn:mrn:north|987'
    """
    _ask(_key("--survivor", survivor), _key("--retired", retired), undone=False)


@app.command()
def unmerge(survivor: Survivor, retired: Retired) -> None:
    """Take a merge back: each keeps what came for its own identifier, and both are judged again.

    Example: ferrule patients unmerge --survivor 'urn:mrn:north|123' --retired 'urn:mrn:north|987'
    """
    _ask(_key("--survivor", survivor), _key("--retired", retired), undone=True)


def _ask(survivor: Key, retired: Key, *, undone: bool) -> None:
    engine = the_database()
    with reading(engine) as connection:
        rows = rows_of(connection, [survivor, retired])
    for key in (survivor, retired):
        if key not in rows:
            raise Failure("no message ever spoke of one of them; see `ferrule patients show`", NO)
    ident = str(uuid4())
    both = (("survivor", survivor), ("retired", retired))
    data = {name: {"system": system, "id": number} for name, (system, number) in both}
    envelope = {"specversion": "1.0", "type": MERGE, "source": SELF, "id": ident}
    event = envelope | {"data": data | {"undone": undone}}
    accept(engine, [Inbound(SELF, ident, "event", json.dumps(event).encode())])
    with writing(engine) as connection:
        _note(connection, "patient.unmerge-asked" if undone else "patient.merge-asked", rows[retired])
    typer.echo("stored; a worker judges it within seconds")


def _note(connection: Connection, action: str, row: int) -> None:
    entry = audit.Entry(action, at_terminal(), "patient", str(row), db_now(connection), patient_id=row)
    audit.record(connection, [entry])


def _key(option: str, text: str) -> Key:
    named = system_and_id(option, text)
    return named.system, named.id
