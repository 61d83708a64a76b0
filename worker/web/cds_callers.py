"""Who calls the CDS Hooks service: the signed word (JWT) of a client that the site has listed, with its keys.

The keys come from the settings alone, never from an address that a token names. Each token serves once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import HTTPException, Request
from joserfc import jwt
from joserfc.errors import JoseError
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from worker import clock
from worker.database import is_sqlite, writing
from worker.settings import CdsClient
from worker.tables import CDS_CALL
from worker.web.deps import Have
from worker.web.id_tokens import ALGORITHMS, KEYS_OF_THE_TOKEN, LEEWAY_SECONDS, LONGEST

NEVER_IN_A_TOKEN = KEYS_OF_THE_TOKEN - {"jku"}
"""`jku` is usual in CDS Hooks; it is not looked at."""
LONGEST_LIFE = timedelta(hours=1)


class NotTheirs(Exception):
    """The token proves nothing. `reason` is a word of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Caller:
    """A listed client, by its issuer; `call` is the name of this one token."""

    issuer: str
    call: str
    expires_at: datetime


def caller_of(request: Request, have: Have) -> Caller:
    """The client that calls; HTTPException 401 for anybody else."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    now = clock.now()
    try:
        if scheme.lower() != "bearer":
            raise NotTheirs("no token")
        caller = read(
            token.strip(), have.settings.cds_clients, have.settings.links_to + request.url.path, now
        )
        with writing(have.engine) as connection:
            spend(connection, caller, now)
    except NotTheirs as why:
        challenge = {"WWW-Authenticate": "Bearer"}
        raise HTTPException(401, f"the client's JWT is not accepted: {why.reason}", challenge) from None
    return caller


def read(token: str, clients: Mapping[str, CdsClient], audience: str, now: datetime) -> Caller:
    """What a token says of its sender. Raises NotTheirs."""
    if len(token) > LONGEST:
        raise NotTheirs("too long")
    for issuer, client in clients.items():
        try:
            found = jwt.decode(token, client.keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError, TypeError):
            continue  # signed by none of this client's keys
        if NEVER_IN_A_TOKEN & found.header.keys():
            raise NotTheirs("key in header")
        return _caller(found.claims, issuer, audience, now)
    raise NotTheirs("unknown issuer or signature")


def _caller(claims: Mapping[str, object], issuer: str, audience: str, now: datetime) -> Caller:
    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
        iat={"essential": True},
        jti={"essential": True},
    )
    try:
        registry.validate(dict(claims))
        expires_at = datetime.fromtimestamp(int(str(claims["exp"])), UTC)
    except JoseError as error:
        raise NotTheirs(str(getattr(error, "claim", None) or error.error)) from None
    except (ValueError, TypeError, OverflowError, OSError):
        raise NotTheirs("claims") from None
    if expires_at - now > LONGEST_LIFE:
        raise NotTheirs("exp")
    call = hashlib.sha256(f"{issuer}\x1f{claims['jti']}".encode()).hexdigest()
    return Caller(issuer, call, expires_at)


def spend(connection: Connection, caller: Caller, now: datetime) -> None:
    """A token serves once. Raises NotTheirs the second time."""
    connection.execute(CDS_CALL.delete().where(CDS_CALL.c.expires_at < now - timedelta(minutes=5)))
    dialect = sqlite if is_sqlite(connection) else postgresql
    new = dialect.insert(CDS_CALL).values(call=caller.call, expires_at=caller.expires_at)
    if connection.execute(new.on_conflict_do_nothing().returning(CDS_CALL.c.call)).first() is None:
        raise NotTheirs("jti was used before")
