"""What the demo needs before its first message: an empty record, and clinicians, one of whom signs in."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, func, select

from alerts.people import UNADDRESSED
from alerts.tables import POOL_MEMBER, RECIPIENT
from worker.database import db_now, writing
from worker.demo.people import CLINICIANS, NPI_SYSTEM
from worker.failures import Failure
from worker.settings import Settings
from worker.tables import ACCOUNT, MESSAGE
from worker.web.passwords import hash_password

USERNAME = "demo"
MARK = "demo-record"
"""Lies beside a record that a demo made, and may therefore be thrown away by the next one."""


@dataclass(frozen=True, slots=True)
class LogIn:
    """How the demo's clinician signs in; the password is made for this run."""

    username: str
    password: str


def clear_old_demo(settings: Settings) -> Path:
    """The directory of this run, DATA_DIR/demo: an earlier demo's record is removed, no other one."""
    directory = settings.data_dir.absolute()
    if (directory / "demo" / MARK).exists():
        _remove_record(directory)
    (directory / "demo").mkdir(parents=True, exist_ok=True)
    return directory / "demo"


def _remove_record(directory: Path) -> None:
    """Only what Ferrule itself keeps in a DATA_DIR: whatever else lies there is not ours to remove."""
    for name in ("broker", "metrics", "demo"):
        shutil.rmtree(directory / name, ignore_errors=True)
    for path in (directory / "runtime.json", *directory.glob("ferrule.sqlite3*")):
        path.unlink(missing_ok=True)


def set_stage(engine: Engine, directory: Path) -> LogIn:
    """Enter the clinicians and the account into an upgraded database. Raises Failure unless it is empty."""
    log_in = LogIn(USERNAME, secrets.token_urlsafe(9))
    with writing(engine) as connection:
        if connection.execute(select(func.count()).select_from(MESSAGE)).scalar_one():
            raise Failure("this record is not a demo's: give the demo an empty place with FERRULE_DATA_DIR")
        _enter_clinicians(connection)
        _enter_account(connection, log_in)
    (directory / MARK).write_text("made by `ferrule demo`; the next demo removes the record beside it\n")
    return log_in


def _enter_clinicians(connection: Connection) -> None:
    people = [{"system": NPI_SYSTEM, "ident": c.id, "name": c.name, "email": c.email} for c in CLINICIANS]
    connection.execute(RECIPIENT.delete().where(RECIPIENT.c.ident.in_([c.id for c in CLINICIANS])))
    connection.execute(RECIPIENT.insert(), people)
    # The first one also looks after what reaches nobody else.
    member = {"pool": UNADDRESSED.id, "system": NPI_SYSTEM, "ident": CLINICIANS[0].id}
    connection.execute(POOL_MEMBER.delete().where(POOL_MEMBER.c.ident == CLINICIANS[0].id))
    connection.execute(POOL_MEMBER.insert(), member)


def _enter_account(connection: Connection, log_in: LogIn) -> None:
    account = {
        "username": log_in.username,
        "password_hash": hash_password(log_in.password),
        "role": "clinician",
        "system": NPI_SYSTEM,
        "ident": CLINICIANS[0].id,
        "name": CLINICIANS[0].name,
        "active": True,
        "created_at": db_now(connection),
    }
    connection.execute(ACCOUNT.delete().where(ACCOUNT.c.username == log_in.username))
    connection.execute(ACCOUNT.insert(), account)
