"""S21: each look, step and refusal is one record: who, what, which patient, when, from where, how it went."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from alerts.tables import ALERT, AUDIT
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.conftest import SignIn
from tests.web.forms import answer, hidden

ADDRESS = "10.0.0.9"


def look(
    browser: TestClient, high: int, others: int
) -> dict[str, tuple[Callable[[], Any], int, tuple[str, str]]]:
    """What is done, what is answered, and the (action, outcome) that the trail must show."""

    def csrf() -> str:
        return hidden(browser.get("/cover").text, "csrf")

    return {
        "view": (lambda: browser.get(f"/inbox/{high}"), 200, ("read", "done")),
        "view by a program": (lambda: browser.get(f"/api/alerts/{high}"), 200, ("read", "done")),
        "list": (lambda: browser.get("/inbox"), 200, ("list", "done")),
        "search": (
            lambda: browser.post("/inbox/search", data={"csrf": csrf(), "words": "fjord"}),
            200,
            ("list", "done"),
        ),
        "acknowledge": (lambda: answer(browser, high, "acknowledge"), 303, ("alert.acknowledge", "done")),
        "override": (
            lambda: answer(browser, high, "dismiss", reason="not-relevant"), 303, ("alert.dismiss", "done")
        ),
        "denied": (lambda: browser.get(f"/inbox/{others}"), 404, ("read", "denied")),
        "config": (
            lambda: browser.post("/preferences", data={"csrf": csrf(), "bundle": "on"}),
            303,
            ("preferences", "done"),
        ),
        "break-glass": (
            lambda: browser.post(
                "/break-glass",
                data={"csrf": csrf(), "alert": str(others), "reason": "emergency", "comment": "shock room"},
            ),
            303,
            ("break-glass", "done"),
        ),
        "logout": (lambda: browser.post("/logout", data={"csrf": csrf()}), 303, ("logout", "done")),
    }  # fmt: skip


KINDS = (
    "view", "view by a program", "list", "search", "acknowledge", "override", "denied", "config",
    "break-glass", "logout",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_s21_each_look_and_each_step_is_one_record(
    sign_in: SignIn, seeded: Clinic, store: Engine, kind: str
) -> None:
    browser, high = sign_in(), seeded.alerts["high"]
    does, status, wanted = look(browser, high, seeded.alerts["others"])[kind]

    assert does().status_code == status

    with store.connect() as connection:
        by_them = AUDIT.c.actor_ident == clinic.EXAMPLE.id
        rows = connection.execute(select(AUDIT).where(by_them, AUDIT.c.action == wanted[0])).all()
        patient = connection.execute(select(ALERT.c.patient_id).where(ALERT.c.id == high)).scalar_one()
    if kind in ("acknowledge", "override"):
        assert [row.patient_id for row in rows] == [patient]
    (row,) = rows
    assert (row.action, row.outcome, row.actor_system, row.origin) == (*wanted, clinic.NPI, ADDRESS)
    assert abs(row.at - seeded.now) < timedelta(hours=1)
    if kind.startswith("view"):
        assert (row.object_kind, row.object_id, row.patient_id) == ("alert", str(high), patient)
    if kind in ("list", "search"):
        assert high in row.data["alerts"]
        assert patient in row.data["patients"]


def test_s21_a_log_in_and_a_refused_one_are_a_record_each(visitor: TestClient, store: Engine) -> None:
    for password in ("wrong password", clinic.PASSWORD):
        visitor.post("/login", data={"username": "example", "password": password})
    with store.connect() as connection:
        rows = connection.execute(select(AUDIT).where(AUDIT.c.action == "login").order_by(AUDIT.c.id)).all()
    assert [(row.outcome, row.actor_ident, row.origin) for row in rows] == [
        ("denied", "unknown", ADDRESS),
        ("done", clinic.EXAMPLE.id, ADDRESS),
    ]
