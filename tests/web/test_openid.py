"""Sign-in with OpenID Connect, at a real provider that others wrote (oidc-provider, in node)."""

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from alerts.tables import AUDIT, RECIPIENT
from tests.services.openid_provider import SECRET, OpenId
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.forms import hidden
from worker.tables import ACCOUNT, SESSION, SIGN_IN

SITE = "http://testserver"
ROLES = '{"clinician": ["lab-alerts"], "operator": "lab-operators", "privacy-officer": ["privacy"]}'
PEOPLE = {
    "u-1": {"name": "Ada Example", "email": "ada@example.org", "groups": ["lab-alerts"], "npi": "1000000001"},
    "u-2": {"name": "Olga Operator", "groups": ["lab-operators", "privacy"]},
    "u-3": {"name": "Visitor", "groups": ["kitchen"], "npi": "1000000002"},
    "u-4": {"name": "No Number", "groups": ["lab-alerts"]},
}


@pytest.fixture
def settings_of() -> Callable[[OpenId], dict[str, str]]:
    def made(provider: OpenId) -> dict[str, str]:
        return {
            "FERRULE_LOCAL_ACCOUNTS": "off",
            "FERRULE_PUBLIC_URL": SITE,
            "FERRULE_OIDC_ISSUER": provider.issuer,
            "FERRULE_OIDC_CLIENT_ID": "ferrule",
            "FERRULE_OIDC_CLIENT_SECRET": SECRET,
            "FERRULE_OIDC_ROLES": ROLES,
        }

    return made


@pytest.fixture
def provider(openid: Callable[..., OpenId]) -> OpenId:
    return openid(PEOPLE, SITE)


@pytest.fixture
def on(provider: OpenId) -> Iterator[OpenId]:
    with provider.on():
        yield provider


@pytest.fixture
def door(
    seeded: Clinic,
    open_door: Callable[..., TestClient],
    provider: OpenId,
    settings_of: Callable[[OpenId], dict[str, str]],
) -> TestClient:
    return open_door(**settings_of(provider))


def back_with(door: TestClient, provider: OpenId, name: str, next: str = "/inbox") -> str:
    """Where the provider sends the browser back to, with a code."""
    away = door.get("/oidc/login", params={"next": next})
    assert away.status_code == 303, away.text
    return str(provider.sign_in(away.headers["location"], name))


def test_a_clinician_signs_in_and_reads_what_is_theirs(
    door: TestClient, on: OpenId, seeded: Clinic, store: Engine
) -> None:
    asked = door.get(f"/inbox/{seeded.alerts['high']}")
    assert asked.status_code == 401
    assert f"/oidc/login?next=/inbox/{seeded.alerts['high']}" in asked.text
    assert 'name="password"' not in asked.text, "local accounts are off"

    back = door.get(back_with(door, on, "u-1", f"/inbox/{seeded.alerts['high']}"))

    assert (back.status_code, back.headers["location"]) == (303, f"/inbox/{seeded.alerts['high']}")
    assert door.get(back.headers["location"]).status_code == 200
    assert door.get(f"/inbox/{seeded.alerts['others']}").status_code == 404
    assert door.get("/quarantine").status_code == 403
    with store.connect() as connection:
        login = connection.execute(select(AUDIT).where(AUDIT.c.action == "login")).one()
    assert (login.outcome, login.actor_ident) == ("done", "1000000001")


def test_s03_the_request_carries_state_nonce_and_a_challenge_by_s256(door: TestClient, on: OpenId) -> None:
    sent = parse_qs(urlsplit(door.get("/oidc/login").headers["location"]).query)

    assert sent["code_challenge_method"] == ["S256"]
    assert sent["redirect_uri"] == [f"{SITE}/oidc/callback"]
    assert min(len(sent[name][0]) for name in ("state", "nonce", "code_challenge")) >= 43


def test_s03_a_code_is_good_once_and_only_in_the_browser_that_asked(
    door: TestClient,
    on: OpenId,
    open_door: Callable[..., TestClient],
    settings_of: Callable[..., dict[str, str]],
) -> None:
    back = back_with(door, on, "u-1")
    other = open_door(**settings_of(on))
    other.get("/oidc/login")

    assert other.get(back).status_code == 403, "another browser, with a cookie of its own"
    assert door.get(back).status_code == 303
    door.cookies.delete("ferrule_session")
    assert door.get(back).status_code == 403, "the same address again"
    assert door.get("/inbox").status_code == 401


def test_s03_a_code_with_another_verifier_is_refused_by_the_provider(
    door: TestClient, on: OpenId, store: Engine
) -> None:
    back = back_with(door, on, "u-1")
    with store.execution_options(writes=True).begin() as connection:
        connection.execute(update(SIGN_IN).values(verifier="v" * 43))

    assert door.get(back).status_code == 403
    assert door.get("/inbox").status_code == 401


@pytest.mark.parametrize("change", ["state=guessed", "iss=https%3A%2F%2Fevil.example", "code=guessed"])
def test_s03_a_changed_answer_signs_nobody_in(door: TestClient, on: OpenId, change: str) -> None:
    name = change.partition("=")[0]
    parts = urlsplit(back_with(door, on, "u-1"))
    query = "&".join([*(p for p in parts.query.split("&") if not p.startswith(f"{name}=")), change])

    assert door.get(f"{parts.path}?{query}").status_code == 403
    assert door.get("/inbox").status_code == 401


def test_s04_a_person_is_issuer_and_subject_whatever_their_mail_and_name(
    on: OpenId, door: TestClient, store: Engine
) -> None:
    door.get(back_with(door, on, "u-1"))
    with store.execution_options(writes=True).begin() as connection:
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.subject == "u-1").values(name="Former Name"))

    door.get(back_with(door, on, "u-1"))

    with store.connect() as connection:
        rows = connection.execute(select(ACCOUNT).where(ACCOUNT.c.issuer == on.issuer)).all()
    assert [(row.subject, row.name, row.ident) for row in rows] == [("u-1", "Ada Example", "1000000001")]


@pytest.mark.parametrize(
    ("name", "line"), [("u-3", "no role in Ferrule"), ("u-4", "does not say which clinician")]
)
def test_whoever_has_no_role_or_no_number_is_told_so_and_gets_nothing(
    door: TestClient, on: OpenId, name: str, line: str
) -> None:
    answer = door.get(back_with(door, on, name))

    assert answer.status_code == 403
    assert line in answer.text
    assert door.get("/inbox").status_code == 401


def test_roles_come_from_claims_and_a_person_may_have_two(door: TestClient, on: OpenId) -> None:
    door.get(back_with(door, on, "u-2"))

    assert door.get("/quarantine").status_code == 200
    assert door.get("/inbox/1").status_code == 403


def test_s05_signing_in_again_is_a_new_session_and_the_old_one_is_dead(door: TestClient, on: OpenId) -> None:
    door.cookies.set("ferrule_session", "chosen by somebody else", domain="testserver.local")
    door.get(back_with(door, on, "u-1"))
    first = door.cookies.get("ferrule_session", domain="testserver.local")
    door.get(back_with(door, on, "u-1"))
    second = door.cookies.get("ferrule_session", domain="testserver.local")

    assert len({first, second, "chosen by somebody else"}) == 3
    door.cookies.set("ferrule_session", first or "", domain="testserver.local")
    assert door.get("/inbox").status_code == 401


@pytest.mark.parametrize("table", [ACCOUNT, RECIPIENT])
def test_s06_a_disabled_person_is_out_at_once_and_does_not_come_back(
    door: TestClient, on: OpenId, store: Engine, table: type
) -> None:
    door.get(back_with(door, on, "u-1"))
    assert door.get("/inbox").status_code == 200
    with store.execution_options(writes=True).begin() as connection:
        connection.execute(update(table).values(active=False))

    assert door.get("/inbox").status_code == 401
    assert "This account is closed." in door.get(back_with(door, on, "u-1")).text
    assert door.get("/inbox").status_code == 401


def test_s07_over_https_both_cookies_are_bound_to_the_host(
    seeded: Clinic,
    on: OpenId,
    open_door: Callable[..., TestClient],
    settings_of: Callable[..., dict[str, str]],
) -> None:
    door = open_door(**{**settings_of(on), "FERRULE_PUBLIC_URL": "https://testserver"})

    cookie = door.get("/oidc/login").headers["set-cookie"]

    assert cookie.startswith("__Host-ferrule_sign_in=")
    assert all(word in cookie for word in ("HttpOnly", "SameSite=lax", "Secure", "Path=/"))


@pytest.mark.parametrize("next", ["https://evil.example", "//evil.example", "/\\evil.example", "/logout"])
def test_s47_sign_in_leads_nowhere_but_to_our_pages(door: TestClient, on: OpenId, next: str) -> None:
    assert door.get(back_with(door, on, "u-1", next)).headers["location"] == "/inbox"


def test_log_out_ends_the_session_and_goes_on_to_the_provider(door: TestClient, on: OpenId) -> None:
    door.get(back_with(door, on, "u-1"))
    token = hidden(door.get("/inbox").text, "csrf")

    out = door.post("/logout", data={"csrf": token})

    assert out.status_code == 200
    assert f"{on.issuer}/session/end?client_id=ferrule&amp;post_logout_redirect_uri=" in out.text
    assert door.get("/inbox").status_code == 401


def test_f79_without_the_provider_live_sessions_go_on_and_nobody_new_gets_in(
    door: TestClient,
    provider: OpenId,
    open_door: Callable[..., TestClient],
    settings_of: Callable[..., dict[str, str]],
) -> None:
    fresh = open_door(**settings_of(provider))
    with provider.on():
        door.get(back_with(door, provider, "u-1"))
        late = back_with(door, provider, "u-1")

    assert door.get("/inbox").status_code == 200
    assert door.get(late).status_code == 503, "a code that nobody can confirm"
    assert door.get("/inbox").status_code == 200, "and the live session is still there"
    assert fresh.get("/oidc/login").status_code == 503
    assert fresh.get("/oidc/callback?code=x&state=y").status_code == 403
    assert fresh.get("/inbox").status_code == 401


def test_the_secrets_of_a_sign_in_are_neither_kept_in_clear_nor_left_behind(
    door: TestClient, on: OpenId, store: Engine
) -> None:
    door.get("/oidc/login")
    cookie = door.cookies["ferrule_sign_in"]
    with store.connect() as connection:
        assert cookie not in str(connection.execute(select(SIGN_IN)).all())

    door.get(back_with(door, on, "u-1"))

    with store.connect() as connection:
        assert connection.execute(select(SESSION.c.secret_sha256)).scalars().all() != [
            door.cookies["ferrule_session"]
        ]


def test_there_is_no_sign_in_elsewhere_unless_it_is_set_up(visitor: TestClient) -> None:
    assert visitor.get("/oidc/login").status_code == 404
    assert visitor.get("/oidc/callback").status_code == 404
    assert clinic.PASSWORD not in visitor.get("/login").text
