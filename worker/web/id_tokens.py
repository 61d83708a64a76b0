"""Whether an ID token is the provider's word about this sign-in, and what it says. No clock, no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Signatures with a private key alone: neither `none`, nor a shared secret that our own keys could feign."""

KEYS_OF_THE_TOKEN = frozenset({"jku", "jwk", "x5u", "x5c", "crit"})
"""Headers by which a token would bring its own key, or rules that we do not know."""

LEEWAY_SECONDS = 30
LONGEST = 16_384

Keys = Callable[[str | None], KeySet]
"""The provider's keys; asked for a `kid` that may be new."""


class NotTheirs(Exception):
    """The token does not prove anything. `reason` is a word of ours, never of the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token of this sign-in must say."""

    issuer: str
    client_id: str
    nonce: str
    acr: tuple[str, ...] = ()


def read(
    text: str, keys: Keys, expected: Expected, now: datetime, *, access_token: str | None = None
) -> Mapping[str, Any]:
    """The token's claims. Raises NotTheirs."""
    kid = kid_of(text)
    try:
        token = jwt.decode(text, keys(kid), algorithms=ALGORITHMS)
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": expected.issuer},
                "aud": {"essential": True, "value": expected.client_id},
                "sub": {"essential": True},
                "nonce": {"essential": True},
            },
            {"nonce": expected.nonce, "client_id": expected.client_id, "access_token": access_token},
        )
        claims.validate(int(now.timestamp()), LEEWAY_SECONDS)
    except JoseError as error:
        raise NotTheirs(str(error.error)) from None
    except (ValueError, TypeError):
        raise NotTheirs("not a token") from None
    if expected.acr and claims.get("acr") not in expected.acr:
        raise NotTheirs("acr")
    return dict(claims)


def kid_of(text: str, types: tuple[str, ...] = ("JWT", "APPLICATION/JWT")) -> str | None:
    """The key it claims to be signed with, by name; raises NotTheirs when its header is odd otherwise."""
    if len(text) > LONGEST:
        raise NotTheirs("too long")
    try:
        header = jws.extract_compact(text.encode()).headers()
    except (JoseError, ValueError, TypeError):
        raise NotTheirs("not a token") from None
    if KEYS_OF_THE_TOKEN & header.keys():
        raise NotTheirs("key in header")
    if str(header.get("typ", "JWT")).upper() not in types:
        raise NotTheirs("another type of token")
    kid = header.get("kid")
    return kid if isinstance(kid, str) else None
