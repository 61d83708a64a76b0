"""The queues of operators and rule owners as JSON: what their pages show, for the same people, as audited.

The examples of the OpenAPI document have the fields that the doors answer with.
"""

from typing import Any

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
from worker.web import examples


@pytest.fixture
def both(sign_in: SignIn, store: Engine, seeded: Clinic) -> TestClient:
    """The browser of an operator who owns the rules too, with something in every queue."""
    with writing(store) as connection:
        clinic.add_operator(connection, seeded.now)
        connection.execute(
            update(ACCOUNT).where(ACCOUNT.c.username == "ops").values(role="operator rule-owner")
        )
        clinic.add_storm(connection, seeded.now)
        clinic.strand(connection, seeded.alerts["others"])
        clinic.make_late(connection, seeded.alerts["high"], seeded.now)
    return sign_in("ops")


def newest_list(store: Engine) -> list[int]:
    """The alerts of the newest list in the audit trail."""
    query = select(AUDIT.c.data).where(AUDIT.c.action == "list").order_by(AUDIT.c.id.desc())
    with reading(store) as connection:
        noted: list[int] = connection.execute(query).scalars().first()["alerts"]
    return noted


def test_what_is_overdue_is_listed_without_a_patient(both: TestClient, seeded: Clinic, store: Engine) -> None:
    items = both.get("/api/overdue").json()["items"]
    assert [(one["alert"], one["expect"], one["days_late"]) for one in items] == [
        (seeded.alerts["high"], "b12", 5),
        (seeded.alerts["high"], "ferritin", 5),
    ]
    assert items[0]["recipient"] == {"system": clinic.EXAMPLE.system, "id": clinic.EXAMPLE.id}
    assert newest_list(store) == [seeded.alerts["high"]] * 2


def test_what_reaches_nobody_is_listed_without_a_patient(
    both: TestClient, seeded: Clinic, store: Engine
) -> None:
    (one,) = both.get("/api/unaddressed").json()["items"]
    assert (one["alert"], one["recipient"]["id"]) == (seeded.alerts["others"], "9999999999")
    assert newest_list(store) == [seeded.alerts["others"]]


def test_how_each_rule_fares_is_counted(
    both: TestClient, browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    answer(browser, seeded.alerts["codeficiency"], "dismiss", reason="rule-wrong", comment="seen last year")
    said = both.get("/api/governance").json()
    rules = {one["rule"]: one for one in said["rules"]}
    judged = rules["codeficiency-suspect-autoimmune-gastritis"]
    assert (said["days"], judged["answered"], judged["dismissed"]) == (30, 1, {"rule-wrong": 1})
    assert judged["half_answered_seconds"] >= 26 * 3600
    assert judged["comments"] == ["seen last year"]
    late = rules["b12-high-iron-deficient-unexplained"]
    assert (late["overdue"], late["half_answered_seconds"]) == (2, None)
    assert newest_list(store) == [seeded.alerts["codeficiency"]]
    few = {one["rule"] for one in both.get("/api/governance?days=1").json()["rules"]}
    assert "iron-deficiency-repeat" in rules.keys() - few


@pytest.mark.parametrize("path", ["/api/overdue", "/api/unaddressed", "/api/governance"])
def test_s15_no_name_no_number_of_a_patient_and_no_value_is_in_them(both: TestClient, path: str) -> None:
    text = both.get(path).text
    assert [word for word in ("Mina Fjord", "100456", "Ivo Stone", "100444", "1450") if word in text] == []


@pytest.mark.parametrize("path", ["/api/overdue", "/api/unaddressed", "/api/governance"])
def test_a_clinician_is_refused(browser: TestClient, path: str) -> None:
    assert browser.get(path).status_code == 403


def shape(value: Any) -> Any:
    """The names of fields, down to the first item of each list."""
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return {name: shape(one) for name, one in value.items()} if isinstance(value, dict) else None


@pytest.mark.parametrize(
    ("path", "example"),
    [
        ("/api/overdue", examples.OVERDUE),
        ("/api/unaddressed", examples.UNADDRESSED),
        ("/api/storms", examples.STORMS),
    ],
)
def test_the_examples_have_the_fields_of_the_answers(
    both: TestClient, path: str, example: dict[str, Any]
) -> None:
    assert shape(both.get(path).json()) == shape(example)


def test_the_example_of_a_rule_has_the_fields_of_the_answer(both: TestClient) -> None:
    said = both.get("/api/governance").json()
    assert said.keys() == examples.GOVERNANCE.keys()
    assert said["rules"][0].keys() == examples.GOVERNANCE["rules"][0].keys()


def test_the_example_of_an_alert_has_the_fields_of_the_answer(browser: TestClient, seeded: Clinic) -> None:
    alert = browser.get(f"/api/alerts/{seeded.alerts['high']}").json()
    assert alert.keys() == examples.AN_ALERT.keys()
    for part in ("evidence", "follow_up", "history"):
        assert alert[part][0].keys() == examples.AN_ALERT[part][0].keys()
