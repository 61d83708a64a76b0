"""Log-in, sessions and log-out with local accounts."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from alerts.tables import AUDIT
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.conftest import SignIn
from tests.web.forms import answer, hidden
from worker.metrics import SECURITY_EVENTS
from worker.tables import ACCOUNT, LOGIN_FAILURE, SESSION
from worker.web import sessions, throttle
from worker.web.login import our_page


def test_a_right_password_opens_the_inbox(browser: TestClient) -> None:
    assert browser.get("/inbox").status_code == 200


@pytest.mark.parametrize(("username", "password"), [("example", "wrong"), ("nobody", clinic.PASSWORD)])
def test_a_wrong_name_and_a_wrong_password_are_refused_alike(
    visitor: TestClient, username: str, password: str
) -> None:
    answer = visitor.post("/login", data={"username": username, "password": password})

    assert answer.status_code == 401
    assert "User name or password is not right." in answer.text
    assert not answer.cookies


def test_without_the_setting_there_is_no_log_in(seeded: Clinic, open_door: Callable[..., TestClient]) -> None:
    client = open_door(FERRULE_LOCAL_ACCOUNTS="off")

    assert client.get("/login").status_code == 404
    assert client.post("/login", data={"username": "example", "password": clinic.PASSWORD}).status_code == 404
    assert "Sign-in is not set up here" in client.get("/inbox").text


def test_the_page_that_was_asked_for_comes_after_log_in(visitor: TestClient) -> None:
    form = visitor.get("/inbox/2")
    assert form.status_code == 401

    sent = {"username": "example", "password": clinic.PASSWORD, "next": hidden(form.text, "next")}
    assert visitor.post("/login", data=sent).headers["location"] == "/inbox/2"


@pytest.mark.parametrize(
    "next",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/inbox/../x",
        "/logout",
        "javascript:x",
        "/inbox?tab=a&b",
    ],
)
def test_log_in_leads_nowhere_but_to_our_pages(next: str) -> None:
    assert our_page(next) == "/inbox"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(visitor: TestClient) -> None:
    answer = visitor.post("/login", data={"username": "example", "password": clinic.PASSWORD})

    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_over_https_the_cookie_is_bound_to_the_host(seeded: Clinic, sign_in: SignIn) -> None:
    client = sign_in(FERRULE_PUBLIC_URL="https://testserver")

    assert list(client.cookies) == ["__Host-ferrule_session"]
    assert client.get("/inbox").headers["strict-transport-security"]


def test_each_log_in_is_a_new_session_and_only_its_hash_is_kept(sign_in: SignIn, store: Engine) -> None:
    first, second = (sign_in().cookies["ferrule_session"] for _ in range(2))

    assert first != second
    assert len(first) >= 43, "256 bits"
    with store.connect() as connection:
        kept = connection.execute(select(SESSION.c.secret_sha256)).scalars().all()
    assert first not in kept
    assert sessions.digest(first) in kept


def test_after_log_out_the_cookie_is_worth_nothing(browser: TestClient) -> None:
    secret = browser.cookies["ferrule_session"]
    token = hidden(browser.get("/inbox").text, "csrf")

    assert browser.post("/logout", data={"csrf": token}).status_code == 303
    browser.cookies.set("ferrule_session", secret)
    assert browser.get("/inbox").status_code == 401


def test_log_out_needs_the_forms_token(browser: TestClient) -> None:
    assert browser.post("/logout").status_code == 403
    assert browser.get("/inbox").status_code == 200


@pytest.mark.parametrize(
    ("column", "age"),
    [
        ("seen_at", sessions.IDLE + timedelta(seconds=5)),
        ("created_at", sessions.ABSOLUTE + timedelta(seconds=5)),
    ],
)
def test_a_session_ends_when_idle_and_after_a_working_day(
    browser: TestClient, store: Engine, seeded: Clinic, column: str, age: timedelta
) -> None:
    with store.execution_options(writes=True).begin() as connection:
        connection.execute(update(SESSION).values({column: seeded.now - age}))

    assert browser.get("/inbox").status_code == 401


def test_reading_keeps_a_session_alive(browser: TestClient, store: Engine, seeded: Clinic) -> None:
    with store.execution_options(writes=True).begin() as connection:
        connection.execute(update(SESSION).values(seen_at=seeded.now - timedelta(minutes=10)))

    browser.get("/inbox")

    with store.connect() as connection:
        seen = connection.execute(select(SESSION.c.seen_at)).scalar_one()
    assert seen >= seeded.now - timedelta(seconds=1)


@pytest.mark.parametrize("path", ["/inbox/arrivals", "/inbox/rows"])
def test_what_an_open_page_asks_for_by_itself_does_not_keep_a_session_alive(
    browser: TestClient, store: Engine, seeded: Clinic, path: str
) -> None:
    seen = seeded.now - timedelta(minutes=10)
    with store.execution_options(writes=True).begin() as connection:
        connection.execute(update(SESSION).values(seen_at=seen))

    assert browser.get(path).status_code == 200

    with store.connect() as connection:
        assert connection.execute(select(SESSION.c.seen_at)).scalar_one() == seen


def test_an_open_page_whose_session_has_ended_is_made_to_ask_for_a_log_in(
    browser: TestClient, store: Engine, seeded: Clinic
) -> None:
    with store.execution_options(writes=True).begin() as connection:
        connection.execute(update(SESSION).values(ended_at=seeded.now))

    answer = browser.get("/inbox/arrivals", headers={"hx-request": "true"})

    assert answer.status_code == 401
    assert answer.headers["hx-refresh"] == "true"


def test_a_disabled_account_is_out_at_once(browser: TestClient, store: Engine) -> None:
    with store.execution_options(writes=True).begin() as connection:
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.username == "example").values(active=False))

    assert browser.get("/inbox").status_code == 401


def test_log_ins_good_and_bad_are_in_the_audit_trail_without_what_was_typed(
    visitor: TestClient, store: Engine
) -> None:
    visitor.post("/login", data={"username": "example", "password": clinic.PASSWORD})
    visitor.post("/login", data={"username": "my password by mistake", "password": "x"})

    with store.connect() as connection:
        rows = connection.execute(select(AUDIT).where(AUDIT.c.action == "login").order_by(AUDIT.c.id)).all()
    assert [(row.outcome, row.actor_ident, row.origin) for row in rows] == [
        ("done", clinic.EXAMPLE.id, "10.0.0.9"),
        ("denied", "unknown", "10.0.0.9"),
    ]
    assert "mistake" not in str(rows)


def failing(client: TestClient, times: int, username: str = "example") -> list[int]:
    wrong = {"username": username, "password": "wrong"}
    return [client.post("/login", data=wrong).status_code for _ in range(times)]


def test_s60_after_five_wrong_passwords_even_the_right_one_must_wait(
    visitor: TestClient, store: Engine, seeded: Clinic
) -> None:
    assert failing(visitor, 6) == [401] * 5 + [429]

    right = {"username": "example", "password": clinic.PASSWORD}
    answer = visitor.post("/login", data=right)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "900")
    with store.execution_options(writes=True).begin() as connection:
        connection.execute(update(LOGIN_FAILURE).values(first_at=seeded.now - throttle.WINDOW))
    assert visitor.post("/login", data=right).status_code == 303


def test_s60_wrong_passwords_from_elsewhere_do_not_lock_a_clinician_out(
    visitor: TestClient, open_door: Callable[..., TestClient]
) -> None:
    failing(visitor, 5)

    right = {"username": "example", "password": clinic.PASSWORD}
    assert open_door(address="10.0.0.10").post("/login", data=right).status_code == 303


def test_s60_an_address_that_tries_many_names_must_wait(visitor: TestClient) -> None:
    tried = [failing(visitor, 1, f"name{number}")[0] for number in range(throttle.OF_AN_ADDRESS + 1)]

    assert tried == [401] * throttle.OF_AN_ADDRESS + [429]


def test_s60_who_is_signed_in_answers_alerts_whatever_others_try(
    browser: TestClient, visitor: TestClient, seeded: Clinic
) -> None:
    failing(visitor, 6)

    assert answer(browser, seeded.alerts["high"], "acknowledge").status_code == 303


def test_s70_five_failed_log_ins_are_a_security_event_once(visitor: TestClient) -> None:
    def counted() -> float:
        return SECURITY_EVENTS.labels("logins-refused")._value.get()

    before = counted()
    failing(visitor, 4)
    assert counted() == before
    failing(visitor, 3)
    assert counted() == before + 1


def test_a_right_password_forgets_the_wrong_ones_before_it(visitor: TestClient) -> None:
    right = {"username": "example", "password": clinic.PASSWORD}
    for _ in range(3):
        assert failing(visitor, 4) == [401] * 4
        assert visitor.post("/login", data=right).status_code == 303
