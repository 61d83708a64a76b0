"""The operators' work-list: what it shows, what it does not, and what its answers leave behind."""

from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert, select

from alerts.tables import AUDIT
from tests.web import clinic
from tests.web.conftest import SignIn
from tests.worker.made_up import deps_on
from worker.accepting import Inbound, accept
from worker.database import reading, writing
from worker.may_be_critical import critical_due
from worker.tables import ACCOUNT, MESSAGE
from worker.web.passwords import hash_password

RAW = b'{"patient": "Erika Mustermann", broken'
TOKEN = {"authorization": f"Bearer {clinic.OPERATOR_TOKEN}", "accept": "application/json"}


@pytest.fixture
def operator(sign_in: SignIn, store: Engine) -> TestClient:
    """An operator's browser, with one broken message in quarantine."""
    with writing(store) as connection:
        account = {
            "username": "ops",
            "password_hash": hash_password(clinic.PASSWORD),
            "role": "operator",
            "name": "Ops",
            "active": True,
            "created_at": datetime.now(UTC),
        }
        connection.execute(insert(ACCOUNT), [account])
    accept(store, [Inbound("urn:lab:north", "bad", "event", RAW, ("not-json", "line 1", "send JSON"))])
    return sign_in("ops")


def csrf_of(page: str) -> str:
    return page.split('name="csrf" value="')[1].split('"')[0]


def actions(store: Engine) -> list[str]:
    with reading(store) as connection:
        found = connection.execute(select(AUDIT.c.action).where(AUDIT.c.object_kind == "message"))
        return list(found.scalars())


def test_the_list_shows_reason_place_remedy_and_age_but_no_message(operator: TestClient) -> None:
    page = operator.get("/quarantine")
    assert page.status_code == 200
    assert all(word in page.text for word in ("not-json", "line 1", "send JSON", "0 min", "urn:lab:north"))
    assert "Mustermann" not in page.text


def test_s15_a_message_is_shown_only_to_who_says_why_and_that_is_kept(
    operator: TestClient, store: Engine
) -> None:
    token = csrf_of(operator.get("/quarantine").text)
    refused = operator.post("/quarantine/1/message", data={"csrf": token, "because": " "})
    assert refused.status_code == 422
    shown = operator.post("/quarantine/1/message", data={"csrf": token, "because": "the laboratory asks"})
    assert "Mustermann" in shown.text
    assert actions(store) == ["quarantine-read"]


def test_b41_what_may_be_critical_stands_first_and_says_so_in_words(
    operator: TestClient, store: Engine
) -> None:
    raw = b"MSH|^~\\&|LIS|NORTH\rOBX|1|NM|2823-3||7.1513|mmol/L||HH|||F\r"
    accept(store, [Inbound("urn:lab:north", "hh", "hl7", raw, ("no-patient", "PID", "send PID"))])
    critical_due(deps_on(store))
    page = operator.get("/quarantine").text
    assert page.index("May hold a critical value") < page.index("send PID") < page.index("send JSON")
    assert page.count("May hold a critical value") == 1
    assert "7.1513" not in page
    items = operator.get("/api/quarantine", headers={"accept": "application/json"}).json()["items"]
    assert [item["may_be_critical"] for item in items] == [True, False]


def test_an_item_is_released_from_the_page(operator: TestClient, store: Engine) -> None:
    token = csrf_of(operator.get("/quarantine").text)
    assert operator.post("/quarantine/1/release", data={"csrf": token}).status_code == 303
    with reading(store) as connection:
        row = connection.execute(select(MESSAGE).where(MESSAGE.c.message_id == "bad")).one()
    assert (row.state, row.reading) == ("pending", 1)
    assert actions(store) == ["read-again"]
    assert operator.post("/quarantine/1/release", data={"csrf": token}).status_code == 404


def test_a_discard_needs_a_reason(operator: TestClient, store: Engine) -> None:
    token = csrf_of(operator.get("/quarantine").text)
    assert operator.post("/quarantine/1/discard", data={"csrf": token}).status_code == 422
    sent = {"csrf": token, "because": "a test of the laboratory"}
    assert operator.post("/quarantine/1/discard", data=sent).status_code == 303
    assert "Nothing waits" in operator.get("/quarantine").text
    assert actions(store) == ["quarantine-discard"]


def test_a_form_without_its_token_changes_nothing(operator: TestClient) -> None:
    assert operator.post("/quarantine/1/release", data={"csrf": "wrong"}).status_code == 403
    assert "not-json" in operator.get("/quarantine").text


def test_a_clinician_has_no_such_page(operator: TestClient, sign_in: SignIn, visitor: TestClient) -> None:
    clinician = sign_in()
    assert clinician.get("/quarantine").status_code == 403
    assert clinician.post("/api/quarantine/1/release").status_code == 403
    assert visitor.get("/api/quarantine", headers={"accept": "application/json"}).status_code == 401


def test_programs_get_the_same_as_json(operator: TestClient, visitor: TestClient) -> None:
    found = visitor.get("/api/quarantine", headers=TOKEN).json()
    assert found["heaps"][0] | {"age": ""} == {
        "reason": "not-json",
        "source": "urn:lab:north",
        "count": 1,
        "critical": 0,
        "age": "",
    }
    assert found["apart"] == []
    assert visitor.post("/api/quarantine/1/release", headers=TOKEN).status_code == 200
    assert visitor.post("/api/quarantine/1/release", headers=TOKEN).status_code == 404
