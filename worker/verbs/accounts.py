"""`ferrule accounts`: who can sign in here, who is signed in, and ending that at once.

Passwords come from a prompt or a file, never from the command line, and are printed nowhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from sqlalchemy import ColumnElement, Connection, Row, func, or_, select
from sqlalchemy.exc import IntegrityError

from alerts import audit
from worker.database import db_now, reading, writing
from worker.failures import NO, Failure
from worker.settings import PersonRole
from worker.tables import ACCOUNT, SESSION
from worker.terminal import at_terminal, system_and_id, the_database
from worker.web import sessions
from worker.web.passwords import hash_password

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="Who can sign in with us."
)

ROLES = get_args(PersonRole)
SHORTEST = 12
LONGEST_NAME = 200
Who = Annotated[str, typer.Argument(help="User name here, or the subject at the OpenID provider.")]


@app.command("list")
def listed(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Print the accounts: user name, roles, clinician, whether open, and how many sessions.

    Example: ferrule accounts list
    """
    with reading(the_database()) as connection:
        rows = [_shown(row) for row in connection.execute(_accounts())]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        state = "open" if row["active"] else "disabled"
        typer.echo(
            f"{row['account']}\t{row['role']}\t{row['clinician']}\t{state}\t{row['sessions']} sessions"
        )


@app.command()
def add(
    username: Annotated[str, typer.Argument(help="What they type to sign in.")],
    role: Annotated[list[str], typer.Option(help=f"One of {', '.join(ROLES)}; may be given again.")],
    name: Annotated[str, typer.Option(help="How pages call them.")],
    of: Annotated[str | None, typer.Option("--as", metavar="SYSTEM|ID", help="Which clinician.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="File with the password; else asked for.")
    ] = None,
) -> None:
    """Make an account with a password. It serves while FERRULE_LOCAL_ACCOUNTS is on.

    Example: ferrule accounts add ada --role clinician --name 'Dr. Ada' --as 'http://hl7.org/fhir/sid/us-npi|1234567893'
    """
    if unknown := sorted(set(role) - set(ROLES)):
        raise Failure(f"--role: expected {', '.join(ROLES)}; got {', '.join(unknown)}")
    if "clinician" in role and of is None:
        raise Failure("a clinician needs --as SYSTEM|ID, the identifier alerts are addressed to")
    if not (0 < len(username) <= LONGEST_NAME and username.isprintable()):
        raise Failure("expected a user name of printable characters")
    clinician = system_and_id("--as", of) if of else None
    password = _password(password_file)
    roles = " ".join(one for one in ROLES if one in role)
    values: dict[str, Any] = {"username": username, "role": roles, "name": name}
    if clinician is not None:
        values |= {"system": clinician.system, "ident": clinician.id}
    try:
        with writing(the_database()) as connection:
            now = db_now(connection)
            made = {**values, "password_hash": hash_password(password), "active": True, "created_at": now}
            account = connection.execute(ACCOUNT.insert().values(**made).returning(ACCOUNT.c.id)).scalar_one()
            _note(connection, "account.add", account, {"role": roles})
    except IntegrityError:
        raise Failure("there is an account of that name", NO) from None
    typer.echo(f"account {account}")


@app.command()
def disable(who: Who) -> None:
    """Close an account: nobody gets in with it, and whoever is in is out with the next request.

    Example: ferrule accounts disable ada
    """
    _change(who, "account.disable", active=False)


@app.command()
def enable(who: Who) -> None:
    """Open a closed account again. Example: ferrule accounts enable ada"""
    _change(who, "account.enable", active=True)


@app.command("sign-out")
def sign_out(who: Who) -> None:
    """End all sessions of an account, which stays open. Example: ferrule accounts sign-out ada"""
    _change(who, "account.sign-out", active=None)


def _change(who: str, action: str, *, active: bool | None) -> None:
    with writing(the_database()) as connection:
        row = _one(connection, who)
        ended = 0
        if active is not None:
            connection.execute(ACCOUNT.update().where(ACCOUNT.c.id == row.id).values(active=active))
        if not active:
            ended = sessions.end_all(connection, ACCOUNT.c.id == row.id, db_now(connection))
        _note(connection, action, row.id, {"sessions": ended})
    typer.echo(f"{who}: {ended} sessions ended")


def _one(connection: Connection, who: str) -> Row[Any]:
    found = connection.execute(select(ACCOUNT).where(_named(who))).all()
    if len(found) != 1:
        raise Failure("no such account, or several: `ferrule accounts list` has them", NO)
    return found[0]


def _named(who: str) -> ColumnElement[bool]:
    return or_(ACCOUNT.c.username == who, ACCOUNT.c.subject == who)


def _accounts() -> Any:
    alive = (SESSION.c.account_id == ACCOUNT.c.id) & SESSION.c.ended_at.is_(None)
    query = select(ACCOUNT, func.count(SESSION.c.id).label("sessions")).outerjoin(SESSION, alive)
    return query.group_by(ACCOUNT.c.id).order_by(ACCOUNT.c.id)


def _shown(row: Row[Any]) -> dict[str, Any]:
    clinician = f"{row.system}|{row.ident}" if row.system else ""
    account, where = row.username or row.subject, row.issuer or ""
    kept = {"account": account, "issuer": where, "role": row.role, "name": row.name, "clinician": clinician}
    return {**kept, "active": row.active, "sessions": row.sessions}


def _password(path: Path | None) -> str:
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n") if path else None
    except (OSError, UnicodeDecodeError):
        raise Failure("--password-file: cannot read it") from None
    password = (
        text if text is not None else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    if len(password) < SHORTEST:
        raise Failure(f"expected a password of at least {SHORTEST} characters")
    return str(password)


def _note(connection: Connection, action: str, account: int, data: dict[str, Any]) -> None:
    entry = audit.Entry(action, at_terminal(), "account", str(account), db_now(connection), data=data)
    audit.record(connection, [entry])
