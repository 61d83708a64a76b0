"""The rule owners' page: counts, reasons and comments by rule; no name, no value, and for them alone."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from alerts.tables import AUDIT
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.conftest import SignIn
from tests.web.forms import answer
from worker.database import reading, writing
from worker.tables import ACCOUNT


@pytest.fixture
def owner(sign_in: SignIn, store: Engine, seeded: Clinic) -> TestClient:
    """The browser of somebody who answers for the rules."""
    with writing(store) as connection:
        clinic.add_operator(connection, seeded.now, "owner")
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.username == "owner").values(role="rule-owner"))
        clinic.make_late(connection, seeded.alerts["high"], seeded.now)
    return sign_in("owner")


def rule_on(page: str, rule: str) -> str:
    """What the page says of one rule."""
    return page[page.index(f">{rule}</h2>") :].split("</section>")[0]


def test_a_rule_owner_sees_how_each_rule_fares(
    owner: TestClient, browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    answer(browser, seeded.alerts["codeficiency"], "dismiss", reason="rule-wrong", comment="seen last year")
    assert owner.get("/").headers["location"] == "/governance"
    page = owner.get("/governance").text
    said = rule_on(page, "codeficiency-suspect-autoimmune-gastritis")
    assert "Answered</dt><dd>1" in said
    assert "The rule is wrong here (1)" in said
    assert "seen last year" in said
    late = rule_on(page, "b12-high-iron-deficient-unexplained")
    assert "no answer yet" in late
    assert "Follow-ups overdue</dt><dd>2" in late
    for text in ("Rosa Quill", "100456", "68 g/L"):
        assert text not in page
    with reading(store) as connection:
        noted = connection.execute(select(AUDIT).where(AUDIT.c.action == "list").order_by(AUDIT.c.id.desc()))
        newest = noted.first()
    assert newest is not None
    assert newest.data["alerts"] == [seeded.alerts["codeficiency"]]


def test_older_alerts_are_left_out(owner: TestClient) -> None:
    assert "No rule raised" not in owner.get("/governance?days=1").text
    assert "iron-deficiency-repeat" not in owner.get("/governance?days=1").text
    assert "iron-deficiency-repeat" in owner.get("/governance?days=7").text


def test_others_have_no_such_page(owner: TestClient, browser: TestClient) -> None:
    assert browser.get("/governance").status_code == 403
    assert owner.get("/inbox/1").status_code == 403
    assert owner.get("/quarantine").status_code == 403
