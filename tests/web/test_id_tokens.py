"""S02: what is no ID token of this sign-in is refused, whatever is wrong with it."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from worker.web.id_tokens import Expected, NotTheirs, read

ISSUER, CLIENT, NONCE = "https://id.example.org", "ferrule", "the nonce of this sign-in"
KEY = RSAKey.generate_key(2048, {"kid": "k1"})
OTHER = RSAKey.generate_key(2048, {"kid": "k1"})
EXPECTED = Expected(ISSUER, CLIENT, NONCE)
# The same in each test process, so that all collect the same tests.
LONG_AGO, FAR_AHEAD = 1_700_000_000, 4_000_000_000


def this_moment() -> datetime:
    """Asked anew by each test: tokens are good for minutes, and a run of all tests takes longer."""
    return datetime.now(UTC)


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    whole = {"iss": ISSUER, "aud": CLIENT, "sub": "u-1", "nonce": NONCE, "iat": now, "exp": now + 300}
    return {name: value for name, value in {**whole, **changed}.items() if value is not None}


def signed(body: Mapping[str, Any], key: Any = KEY, **header: Any) -> str:
    head = {"alg": "RS256", "kid": "k1", **header}
    return jwt.encode(
        {k: v for k, v in head.items() if v is not None}, dict(body), key, algorithms=[head["alg"]]
    )


def keys(_kid: str | None) -> KeySet:
    return KeySet.import_key_set({"keys": [KEY.as_dict(private=False)]})


def test_a_token_of_this_sign_in_is_read() -> None:
    assert read(signed(claims()), keys, EXPECTED, this_moment())["sub"] == "u-1"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": None},
        {"aud": [CLIENT, "another"]},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"sub": None},
        {"exp": LONG_AGO},
        {"exp": None},
        {"nbf": FAR_AHEAD},
        {"iat": None},
    ],
    ids=str,
)
def test_s02_a_token_whose_claims_are_not_ours_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(NotTheirs):
        read(signed(claims(**changed)), keys, EXPECTED, this_moment())


def test_s02_a_token_by_another_key_is_refused() -> None:
    with pytest.raises(NotTheirs):
        read(signed(claims(), OTHER), keys, EXPECTED, this_moment())


def test_s02_a_token_without_a_signature_is_refused() -> None:
    for alg in ("none", "None", "NONE"):
        text = (
            f"{part(json.dumps({'alg': alg, 'kid': 'k1'}).encode())}.{part(json.dumps(claims()).encode())}."
        )
        with pytest.raises(NotTheirs):
            read(text, keys, EXPECTED, this_moment())


def test_s02_a_token_signed_with_our_public_key_as_a_secret_is_refused() -> None:
    for pem in (KEY.as_pem(private=False), KEY.as_pem(private=False).strip()):
        forged = _hs256(pem)
        with pytest.raises(NotTheirs):
            read(forged, keys, EXPECTED, this_moment())


def part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _hs256(secret: bytes) -> str:
    head = part(json.dumps({"alg": "HS256", "kid": "k1"}).encode())
    text = f"{head}.{part(json.dumps(claims()).encode())}"
    return f"{text}.{part(hmac.digest(secret, text.encode(), hashlib.sha256))}"


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/chain"},
        {"jwk": OTHER.as_dict(private=False)},
        {"typ": "at+jwt"},
        {"typ": "logout+jwt"},
    ],
    ids=lambda header: next(iter(header)) + str(header.get("typ", "")),
)
def test_s02_a_token_that_brings_its_key_or_is_of_another_type_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(NotTheirs):
        read(signed(claims(), **header), keys, EXPECTED, this_moment())


def test_s02_an_unknown_key_is_refused() -> None:
    with pytest.raises(NotTheirs):
        read(signed(claims(), RSAKey.generate_key(2048), kid="k2"), keys, EXPECTED, this_moment())


@pytest.mark.parametrize("text", ["", ".", "a.b.c", "a.b", "x" * 20_000, "é.é.é", "eyJhbGciOiJSUzI1NiJ9..x"])
def test_s02_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(NotTheirs):
        read(text, keys, EXPECTED, this_moment())


def test_a_token_by_an_elliptic_key_is_read_and_one_by_a_shared_secret_is_not() -> None:
    curve = ECKey.generate_key("P-256", {"kid": "k1"})
    assert read(signed(claims(), curve, alg="ES256"), lambda _: KeySet([curve]), EXPECTED, this_moment())
    shared = OctKey.generate_key(256, {"kid": "k1"})
    with pytest.raises(NotTheirs):
        read(signed(claims(), shared, alg="HS256"), lambda _: KeySet([shared]), EXPECTED, this_moment())


@pytest.mark.parametrize(("acr", "taken"), [("mfa", True), ("pwd", False), (None, False)])
def test_s08_where_a_second_factor_is_asked_for_a_sign_in_without_it_is_refused(
    acr: str | None, taken: bool
) -> None:
    expected = Expected(ISSUER, CLIENT, NONCE, ("mfa", "hwk"))
    if taken:
        assert read(signed(claims(acr=acr)), keys, expected, this_moment())
        return
    with pytest.raises(NotTheirs):
        read(signed(claims(acr=acr)), keys, expected, this_moment())
