"""S08: what a session without the second factor is not enough for; S06: log-out by the provider's word."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import Engine, select

from alerts.tables import AUDIT
from tests.alerts.http_script import Receiver, receiver
from tests.services.openid_provider import OpenId
from tests.web.clinic import Clinic
from tests.web.forms import hidden
from tests.web.test_id_tokens import CLIENT, ISSUER, OTHER, keys, signed, this_moment
from tests.web.test_openid import PEOPLE, SITE, back_with, settings_of
from worker.settings import SettingsError, read_settings
from worker.tables import BREAK_GLASS, SESSION
from worker.web.id_tokens import NotTheirs
from worker.web.logout_tokens import EVENT, read_logout

__all__ = ["settings_of"]

STRONG = "urn:second-factor"
BOTH = {"u-1": {**PEOPLE["u-1"], "groups": ["lab-alerts", "lab-operators", "privacy"]}}


@pytest.fixture
def told() -> Iterator[Receiver]:
    with receiver() as listening:
        yield listening


@pytest.fixture
def provider(openid: Callable[..., OpenId], told: Receiver) -> Iterator[OpenId]:
    made = openid(BOTH, SITE, told.url)
    with made.on():
        yield made


@pytest.fixture
def door(
    seeded: Clinic,
    open_door: Callable[..., TestClient],
    provider: OpenId,
    settings_of: Callable[[OpenId], dict[str, str]],
) -> TestClient:
    return open_door(**settings_of(provider), FERRULE_OIDC_STEP_UP_ACR=f"urn:passkey {STRONG}")


FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "/break-glass": ("/break-glass", {"reason": "emergency", "comment": "in the shock room"}),
    "/privacy": ("/privacy/sensitive", {"patient": "urn:mrn:north|1", "flag": "true"}),
    "/quarantine": ("/quarantine/1/discard", {"because": "a test"}),
    "/storms": ("/storms/1/void", {"because": "a test"}),
}


@pytest.mark.parametrize("page", FORMS)
def test_s08_a_session_without_the_second_factor_is_sent_for_it_and_nothing_is_done(
    door: TestClient, provider: OpenId, seeded: Clinic, store: Engine, page: str
) -> None:
    door.get(back_with(door, provider, "u-1"))
    csrf = hidden(door.get("/inbox").text, "csrf")
    where, sent = FORMS[page]

    refused = door.post(where, data={**sent, "alert": str(seeded.alerts["others"]), "csrf": csrf})

    assert refused.status_code == 403
    assert f"/oidc/login?strong=true&amp;next={page}" in refused.text
    with store.connect() as connection:
        assert connection.execute(select(BREAK_GLASS)).all() == []
    program = door.post(where, data={**sent, "csrf": csrf}, headers={"accept": "application/json"})
    assert 'error="insufficient_user_authentication"' in program.headers["www-authenticate"]


def test_s08_with_the_second_factor_the_patient_opens_and_a_password_alone_brings_nobody_back(
    door: TestClient, provider: OpenId, seeded: Clinic
) -> None:
    door.get(back_with(door, provider, "u-1"))
    away = door.get("/oidc/login?strong=true&next=/break-glass").headers["location"]
    asked = parse_qs(urlsplit(away).query)
    assert (asked["acr_values"], asked["prompt"]) == ([f"urn:passkey {STRONG}"], ["login"])

    assert door.get(str(provider.sign_in(away, "u-1"))).status_code == 403, "a password alone"
    away = door.get("/oidc/login?strong=true&next=/break-glass").headers["location"]
    back = door.get(str(provider.sign_in(away, "u-1", "second factor")))

    assert (back.status_code, back.headers["location"]) == (303, "/break-glass")
    csrf, sent = hidden(door.get("/inbox").text, "csrf"), FORMS["/break-glass"][1]
    opened = door.post("/break-glass", data={**sent, "alert": str(seeded.alerts["others"]), "csrf": csrf})
    assert (opened.status_code, opened.headers.get("location")) == (303, "/break-glass")


def test_s08_without_the_setting_a_session_is_enough_and_the_setting_needs_a_provider() -> None:
    with pytest.raises(SettingsError, match="STEP_UP_ACR needs FERRULE_OIDC_ISSUER"):
        read_settings({"FERRULE_OIDC_STEP_UP_ACR": STRONG})


def test_s06_whoever_logs_out_at_the_provider_is_out_here_too(
    door: TestClient, provider: OpenId, told: Receiver, store: Engine
) -> None:
    with httpx2.Client() as browser:
        away = door.get("/oidc/login").headers["location"]
        assert door.get(str(provider.sign_in(away, "u-1", browser=browser))).status_code == 303
        assert door.get("/inbox").status_code == 200
        page = browser.get(f"{provider.issuer}/session/end?client_id=ferrule")
        fields = dict([("logout", "yes"), *_fields(page.text)])
        browser.post(f"{provider.issuer}/session/end/confirm", data=fields)
    said = dict(parse_qsl(told.heard[-1].body.decode()))

    assert door.get("/inbox").status_code == 200
    answer = door.post("/oidc/backchannel-logout", data=said)

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert door.get("/inbox").status_code == 401
    with store.connect() as connection:
        assert connection.execute(select(SESSION.c.sid)).scalar_one()
        entry = connection.execute(select(AUDIT).where(AUDIT.c.action == "logout")).one()
    assert (entry.actor_ident, entry.data) == ("u-1", {"by": "provider", "sessions": 1})
    door.get(back_with(door, provider, "u-1"))
    assert door.post("/oidc/backchannel-logout", data=said).status_code == 200
    assert door.get("/inbox").status_code == 200, "the same word again ends no later session"
    assert door.post("/oidc/backchannel-logout", data={"logout_token": "x"}).status_code == 400


def _fields(html: str) -> list[tuple[str, str]]:
    return re.findall(r'name="(xsrf)" value="([^"]*)"', html)


def logout_claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    whole = {"iss": ISSUER, "aud": CLIENT, "sub": "u-1", "iat": now, "exp": now + 120, "jti": "j"}
    whole |= {"events": {EVENT: {}}, "sid": "s"}
    return {name: value for name, value in {**whole, **changed}.items() if value is not None}


def heard(token: str) -> Any:
    return read_logout(token, keys, ISSUER, CLIENT, this_moment())


@pytest.mark.parametrize("changed", [{}, {"sid": None}, {"sub": None}, {"aud": [CLIENT]}])
def test_s06_a_logout_token_of_the_provider_is_read(changed: dict[str, Any]) -> None:
    out = heard(signed(logout_claims(**changed), typ="logout+jwt"))
    assert (out.subject, out.sid) == (changed.get("sub", "u-1"), changed.get("sid", "s"))


@pytest.mark.parametrize(
    ("changed", "header"),
    [
        ({"iss": "https://evil.example"}, {}),
        ({"aud": "another"}, {}),
        ({"exp": 1_700_000_000}, {}),
        ({"exp": None}, {}),
        ({"iat": None}, {}),
        ({"iat": 1_700_000_000}, {}),
        ({"iat": 4_000_000_000}, {}),
        ({"jti": None}, {}),
        ({"events": None}, {}),
        ({"events": {"another": {}}}, {}),
        ({"events": {EVENT: "yes"}}, {}),
        ({"events": [EVENT]}, {}),
        ({"nonce": "n"}, {}),
        ({"sub": None, "sid": None}, {}),
        ({"sub": 7}, {}),
        ({}, {"typ": "at+jwt"}),
        ({}, {"kid": "k1", "jku": "https://evil.example"}),
        ({}, {"key": OTHER}),
    ],
)
def test_s06_what_is_no_logout_token_logs_nobody_out(changed: dict[str, Any], header: dict[str, Any]) -> None:
    key = header.pop("key", None)
    body = logout_claims(**changed)
    token = signed(body, key, **header) if key else signed(body, **header)
    with pytest.raises(NotTheirs):
        heard(token)
    unsigned = jwt.encode({"alg": "none"}, body, RSAKey.generate_key(2048), algorithms=["none"])
    with pytest.raises(NotTheirs):
        heard(unsigned)


@pytest.mark.parametrize(
    "next",
    ["/inbox/17", "/inbox?tab=pool", "/calls", "/storms", "/unaddressed", "/overdue", "/break-glass?alert=7"],
)
def test_a_link_from_a_mail_comes_back_to_its_page_after_sign_in(
    door: TestClient, provider: OpenId, next: str
) -> None:
    assert door.get(back_with(door, provider, "u-1", next)).headers["location"] == next
