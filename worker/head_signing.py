"""Signing the head of the audit chain, and reading what was signed: a line, a JWS over number, hash and time.

Where such a line is kept, and when, `worker.audit_heads` says; what the chain is, `alerts.audit`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from alerts.audit import Head
from alerts.channels.guarded_http import WrongUrl, target_of
from alerts.snapshot import time_text
from worker.settings import Settings, SettingsError

KIND = "ferrule-audit-head"
ALGORITHM = "Ed25519"


class NoHead(ValueError):
    """Raised for a line that is no head, or that another key signed."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A head as it was signed, and when."""

    head: Head
    at: datetime


def read_key(pem: str) -> OKPKey:
    """An Ed25519 key, private or public, from PEM. Raises ValueError."""
    try:
        key = OKPKey.import_key(pem)
    except Exception:
        # Whatever its parsers raise: what they say may show a part of the key.
        raise ValueError("expected a PEM key") from None
    if key.as_dict(private=False)["crv"] != "Ed25519":
        raise ValueError("expected an Ed25519 key")
    return key


def signing_key(settings: Settings) -> OKPKey | None:
    """The site's key; None where it has none. Raises SettingsError."""
    if settings.audit_key is None:
        return None
    try:
        key = read_key(settings.audit_key.get_secret_value())
    except ValueError as error:
        raise SettingsError(f"FERRULE_AUDIT_KEY: {error}") from None
    if not key.is_private:
        raise SettingsError("FERRULE_AUDIT_KEY: expected the private key")
    return key


def check(settings: Settings) -> None:
    """Raise now what would stop a head later. Raises SettingsError."""
    signing_key(settings)
    if settings.audit_heads_url is not None:
        try:
            target_of(settings.audit_heads_url.get_secret_value(), settings.private_host_names)
        except WrongUrl as error:
            raise SettingsError(f"FERRULE_AUDIT_HEADS_URL: {error}") from None


def sign(head: Head, at: datetime, key: OKPKey) -> str:
    """One line without its end."""
    said = {"seq": head.seq, "hash": head.hash, "at": time_text(at)}
    header = {"alg": ALGORITHM, "typ": KIND, "kid": key.thumbprint()}
    return jws.serialize_compact(header, json.dumps(said), key, algorithms=[ALGORITHM])


def opened(line: str, key: OKPKey) -> Signed:
    """What a line says, when `key` signed it. Raises NoHead."""
    try:
        found = jws.deserialize_compact(line.strip(), key, algorithms=[ALGORITHM])
        said = json.loads(found.payload or b"")
        if found.headers().get("typ") != KIND:
            raise NoHead("signed for something else")
        return Signed(Head(int(said["seq"]), str(said["hash"])), datetime.fromisoformat(said["at"]))
    except (JoseError, ValueError, KeyError, TypeError, AttributeError):
        raise NoHead("no head, or signed with another key") from None


def readable(lines: Iterable[str], key: OKPKey) -> Iterator[Signed]:
    """The heads among the lines."""
    for line in lines:
        try:
            yield opened(line, key)
        except NoHead:
            continue
