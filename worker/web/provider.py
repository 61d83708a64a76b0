"""The OpenID provider as it is talked to: what it says of itself, its keys, and a code made into claims.

What it said is kept for an hour and used longer when it cannot be reached; without any answer nobody gets in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from worker import clock
from worker.settings import LOOPBACK, Settings
from worker.web.id_tokens import Expected, NotTheirs, read
from worker.web.logout_tokens import LoggedOut, read_logout

TIMEOUT_SECONDS = 5.0
KEPT_SECONDS = 3600.0
ASKED_AGAIN_SECONDS = 30.0
"""A token with an unknown key has the keys fetched again, at most this often."""
LARGEST_ANSWER = 1024 * 1024


class Unreachable(Exception):
    """The provider does not answer, or not with what it should."""


@dataclass
class Kept:
    """An answer of the provider, and when it was asked for."""

    document: dict[str, Any] = field(default_factory=dict)
    asked_at: float = float("-inf")

    def is_young(self, seconds: float) -> bool:
        """Whether it was asked for within so many seconds."""
        return clock.monotonic_seconds() - self.asked_at < seconds


class Provider:
    """One OpenID provider, for all sign-ins of a process."""

    def __init__(self, settings: Settings) -> None:
        assert settings.oidc_issuer
        assert settings.oidc_client_id
        self.issuer = settings.oidc_issuer
        self.client_id = settings.oidc_client_id
        self.redirect_uri = f"{settings.links_to}/oidc/callback"
        self.home = f"{settings.links_to}/login"
        self._secret = settings.oidc_client_secret
        self._scope = settings.oidc_scope
        self._acr = tuple((settings.oidc_acr or "").split())
        self._lock = Lock()
        self._metadata, self._keys = Kept(), Kept()

    def way_in(self, state: str, nonce: str, verifier: str, acr: str | None = None) -> str:
        """Where to send a browser that wants to sign in; with `acr`, once more and more surely. Raises
        Unreachable.
        """
        asked = {"nonce": nonce}
        if wanted := acr or " ".join(self._acr):
            asked["acr_values"] = wanted
        if acr:
            asked["prompt"] = "login"
        with self._client() as client:
            url, _ = client.create_authorization_url(
                self._endpoint("authorization_endpoint"), state=state, code_verifier=verifier, **asked
            )
        return str(url)

    def way_out(self) -> str | None:
        """Where a browser logs out at the provider too, if it has such a place and can be asked."""
        try:
            url = httpx2.URL(self._endpoint("end_session_endpoint"))
        except Unreachable:
            return None
        asked = {"client_id": self.client_id, "post_logout_redirect_uri": self.home}
        return str(url.copy_merge_params(asked))

    def claims(
        self, code: str, verifier: str, nonce: str, now: datetime, acr: str | None = None
    ) -> Mapping[str, Any]:
        """What the provider says of whom the code is about. Raises Unreachable or NotTheirs."""
        try:
            with self._client() as client:
                token = client.fetch_token(
                    self._endpoint("token_endpoint"), code=code, code_verifier=verifier
                )
        except OAuthError:
            raise NotTheirs("code refused") from None
        except (httpx2.HTTPError, ValueError):
            raise Unreachable("token endpoint") from None
        if not isinstance(token.get("id_token"), str):
            raise NotTheirs("no token")
        expected = Expected(self.issuer, self.client_id, nonce, tuple(acr.split()) if acr else self._acr)
        return read(token["id_token"], self._keys_for, expected, now, access_token=token.get("access_token"))

    def logged_out(self, logout_token: str, now: datetime) -> LoggedOut:
        """Whom the provider has logged out, by its own word. Raises Unreachable or NotTheirs."""
        return read_logout(logout_token, self._keys_for, self.issuer, self.client_id, now)

    def _client(self) -> OAuth2Client:
        secret = self._secret.get_secret_value() if self._secret else None
        return OAuth2Client(
            self.client_id,
            secret,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            scope=self._scope,
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
        )

    def _endpoint(self, name: str) -> str:
        with self._lock:
            if not self._metadata.is_young(KEPT_SECONDS):
                where = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
                self._metadata = self._renewed(self._metadata, where)
        if self._metadata.document.get("issuer") != self.issuer:
            raise Unreachable("not the configured issuer")
        return _safe(self._metadata.document.get(name))

    def _keys_for(self, kid: str | None) -> KeySet:
        where = self._endpoint("jwks_uri")
        with self._lock:
            known = {key.get("kid") for key in self._keys.document.get("keys", ())}
            fresh = ASKED_AGAIN_SECONDS if kid not in known else KEPT_SECONDS
            if not self._keys.is_young(fresh):
                self._keys = self._renewed(self._keys, where)
        public = [key for key in self._keys.document.get("keys", ()) if key.get("kty") in ("RSA", "EC")]
        try:
            keys = KeySet.import_key_set({"keys": public})
        except (JoseError, ValueError):
            raise Unreachable("keys") from None
        if kid is None and len(keys.keys) != 1:
            raise NotTheirs("no kid")
        return keys

    def _renewed(self, kept: Kept, where: str) -> Kept:
        """The answer of now; when there is none, the one that is kept, for a while; else Unreachable."""
        try:
            return Kept(_fetch(where), clock.monotonic_seconds())
        except Unreachable:
            if not kept.document:
                raise
            return Kept(kept.document, clock.monotonic_seconds() - KEPT_SECONDS + ASKED_AGAIN_SECONDS)


def _safe(url: object) -> str:
    """An endpoint that the provider names; http only on this machine."""
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or not (parts.scheme == "https" or parts.hostname in LOOPBACK):
        raise Unreachable("endpoint")
    return str(url)


def _fetch(url: str) -> dict[str, Any]:
    """A JSON object, of a size that is no attack, from exactly there."""
    body = b""
    try:
        with httpx2.stream("GET", url, timeout=TIMEOUT_SECONDS, follow_redirects=False) as answer:
            if answer.status_code != httpx2.codes.OK:
                raise Unreachable("status")
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise Unreachable("too long")
        document = json.loads(body)
    except (httpx2.HTTPError, ValueError):
        raise Unreachable("no answer") from None
    if not isinstance(document, dict):
        raise Unreachable("no object")
    return document
