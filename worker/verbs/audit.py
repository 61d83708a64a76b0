"""`ferrule audit`: is the sealed trail of who read and did what still as it was written?"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from joserfc.jwk import OKPKey
from sqlalchemy import Engine

from alerts import audit as trail
from worker.database import db_now, make_engine, reading, writing
from worker.failures import NO, Failure
from worker.head_signing import NoHead, Signed, opened, read_key, sign, signing_key
from worker.settings import Settings, read_settings

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="The sealed trail.")


@app.callback()
def audit() -> None:
    """The sealed trail of who read and did what."""


@app.command()
def verify(
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only records up to this time.")] = None,
    head: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Heads that were kept elsewhere, one a line.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Public key of the heads; else FERRULE_AUDIT_KEY's.")
    ] = None,
) -> None:
    """Check the whole chain, and that no kept head has been cut off; exit 1 when it is broken.

    Example: ferrule audit verify --head /mnt/elsewhere/ferrule-audit-heads --key audit-public.pem
    """
    settings = read_settings()
    kept = _heads(head, _key(key, settings)) if head else []
    engine = make_engine(settings.database)
    now_at = _sealed(engine)
    with reading(engine) as connection:
        breaks = trail.verify(connection, _time(until))
        breaks += [
            trail.Break("head", one.head.seq, None) for one in kept if not trail.stands(connection, one.head)
        ]
    for broken in breaks:
        typer.echo(f"broken: {broken.kind} at {broken.seq or broken.audit_id}", err=True)
    if breaks:
        raise Failure(f"the audit chain is broken in {len(breaks)} place(s)", NO)
    typer.echo(f"the chain of {now_at.seq} records is whole; its head is {now_at.hash}")
    if kept:
        typer.echo(f"it holds all {len(kept)} heads of {head}")


@app.command("export-head")
def export_head() -> None:
    """Print the signed head of the chain; keep it on another machine.

    Example: ferrule audit export-head | ssh elsewhere 'cat >> ferrule-audit-heads'
    """
    settings = read_settings()
    signer = signing_key(settings)
    if signer is None:
        raise Failure("set FERRULE_AUDIT_KEY_FILE: `openssl genpkey -algorithm ed25519` makes a key")
    engine = make_engine(settings.database)
    head = _sealed(engine)
    with reading(engine) as connection:
        typer.echo(sign(head, db_now(connection), signer))


def _sealed(engine: Engine) -> trail.Head:
    with writing(engine) as connection:
        while trail.seal(connection):
            pass
        return trail.head(connection)


def _key(path: Path | None, settings: Settings) -> OKPKey:
    if path is not None:
        try:
            return read_key(path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            raise Failure("--key: expected a file with a PEM Ed25519 key") from None
    own = signing_key(settings)
    if own is None:
        raise Failure("--head needs --key PEM, or FERRULE_AUDIT_KEY_FILE")
    return own


def _heads(path: Path, key: OKPKey) -> list[Signed]:
    """Every line must be a head that the key signed: a file that was tampered with says nothing."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        raise Failure(f"--head: cannot read {path}") from None
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(opened(line, key))
        except NoHead as error:
            raise Failure(f"{path}:{number}: {error}", NO) from None
    if not found:
        raise Failure(f"--head: {path} holds no head")
    return found


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Failure("--until: expected a time such as 2026-03-01T08:00:00Z") from None
    if at.tzinfo is None:
        raise Failure("--until: expected a time with its offset, such as 2026-03-01T08:00:00Z")
    return at
