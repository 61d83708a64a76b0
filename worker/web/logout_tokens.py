"""Whether a logout token is the provider's word (OpenID Connect Back-Channel Logout 1.0, 2.6), and of whom.

Pure: no clock, no network, no session. Given twice it says the same: what came after it is not meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from joserfc import jwt
from joserfc.errors import JoseError

from worker.web.id_tokens import ALGORITHMS, LEEWAY_SECONDS, Keys, NotTheirs, kid_of

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYPES = ("LOGOUT+JWT", "APPLICATION/LOGOUT+JWT", "JWT")
OLDEST_SECONDS = 300


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """One session of a person at the provider (`sid`), or all of theirs, as of `at`."""

    subject: str | None
    sid: str | None
    at: datetime


def read_logout(text: str, keys: Keys, issuer: str, client_id: str, now: datetime) -> LoggedOut:
    """Whom it logs out. Raises NotTheirs."""
    kid = kid_of(text, TYPES)
    wanted = jwt.JWTClaimsRegistry(
        int(now.timestamp()),
        LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        iat={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
        events={"essential": True},
    )
    try:
        claims = jwt.decode(text, keys(kid), algorithms=ALGORITHMS).claims
        wanted.validate(claims)
    except JoseError as error:
        raise NotTheirs(str(error.error)) from None
    except (ValueError, TypeError):
        raise NotTheirs("not a token") from None
    if not isinstance(claims["events"], dict) or not isinstance(claims["events"].get(EVENT), dict):
        raise NotTheirs("another event")
    if "nonce" in claims:
        raise NotTheirs("an ID token")
    subject, sid = claims.get("sub"), claims.get("sid")
    if not all(isinstance(one, str | None) for one in (subject, sid)) or not (subject or sid):
        raise NotTheirs("nobody")
    if now.timestamp() - claims["iat"] > OLDEST_SECONDS:
        raise NotTheirs("too old")
    return LoggedOut(subject, sid, datetime.fromtimestamp(claims["iat"], UTC))
