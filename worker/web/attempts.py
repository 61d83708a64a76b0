"""Sign-ins on their way: what a browser must bring back from the provider. Good once, for ten minutes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert

from worker.tables import SIGN_IN
from worker.web.sessions import SECRET_BYTES, digest

LIFE = timedelta(minutes=10)
COOKIE = "ferrule_sign_in"
COOKIE_HTTPS = "__Host-ferrule_sign_in"


@dataclass(frozen=True, slots=True)
class Attempt:
    """`secret` is the browser's cookie, of which only the hash is kept; `verifier` is PKCE's; `acr`, what it
    must come back with.
    """

    secret: str
    state: str
    nonce: str
    verifier: str
    next: str
    acr: str | None = None


def cookie_name(https: bool) -> str:
    """See `worker.web.sessions.cookie_name`."""
    return COOKIE_HTTPS if https else COOKIE


def begin(connection: Connection, next: str, now: datetime, *, acr: str | None = None) -> Attempt:
    """A new attempt; those that are too old go."""
    connection.execute(delete(SIGN_IN).where(SIGN_IN.c.created_at < now - LIFE))
    secret, state, nonce, verifier = (secrets.token_urlsafe(SECRET_BYTES) for _ in range(4))
    kept = {"state": state, "nonce": nonce, "verifier": verifier, "next": next, "created_at": now, "acr": acr}
    connection.execute(insert(SIGN_IN).values(secret_sha256=digest(secret), **kept))
    return Attempt(secret, state, nonce, verifier, next, acr)


def take(connection: Connection, secret: str, state: str, now: datetime) -> Attempt | None:
    """The attempt of this browser, which is then used up, whatever state came with it."""
    mine = delete(SIGN_IN).where(SIGN_IN.c.secret_sha256 == digest(secret)).returning(SIGN_IN)
    row = connection.execute(mine).first()
    if (
        row is None
        or now - row.created_at > LIFE
        or not secrets.compare_digest(row.state.encode(), state.encode())
    ):
        return None
    return Attempt(secret, row.state, row.nonce, row.verifier, row.next, row.acr)
