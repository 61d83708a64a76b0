"""GET /fhir/DetectedIssue and /fhir/Communication: what the inbox shows, as R4, to those it shows it to."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from fhir.resources.R4B import get_fhir_model_class
from httpx2 import Response
from sqlalchemy import Engine, select, update

from alerts.leases import writing
from alerts.states import Step, Taken
from alerts.tables import ALERT, ALERT_EVENT, AUDIT, DELIVERY
from alerts.telling import tell
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.conftest import SignIn

MINA = "urn:mrn:north|100456"


@pytest.fixture
def told(store: Engine, seeded: Clinic) -> int:
    """Dr. Example is told of Mina's alert by the inbox."""
    alert = seeded.alerts["high"]
    with writing(store) as connection:
        event = connection.execute(
            select(ALERT_EVENT).where(ALERT_EVENT.c.alert_id == alert, ALERT_EVENT.c.step == "raise")
        ).one()
        tell(connection, Taken(alert, event.id, Step.RAISE, 1), [clinic.EXAMPLE], seeded.now, ("fhir",))
        sent = seeded.now - timedelta(minutes=1)
        connection.execute(update(DELIVERY).values(state="sent", sent_at=sent))
    return alert


@pytest.fixture
def browser(sign_in: SignIn) -> TestClient:
    """A program in Dr. Example's session."""
    return program(sign_in("example"))


def program(client: TestClient) -> TestClient:
    client.headers["accept"] = "application/fhir+json"
    return client


def resources(reply: Response) -> list[dict[str, object]]:
    assert reply.status_code == 200, reply.text
    get_fhir_model_class("Bundle").model_validate(reply.json())
    return [entry["resource"] for entry in reply.json().get("entry", [])]


def test_a_patients_alerts_are_detected_issues(browser: TestClient, told: int) -> None:
    (issue,) = resources(browser.get("/fhir/DetectedIssue", params={"patient": MINA}))
    assert (issue["id"], issue["status"], issue["severity"]) == (str(told), "final", "high")
    assert browser.get(f"/fhir/DetectedIssue/{told}").json() == issue
    assert "Mina" not in str(issue)


def test_who_was_told_is_a_communication_and_a_record_system_is_nobody(
    browser: TestClient, told: int
) -> None:
    (one,) = resources(browser.get("/fhir/Communication", params={"patient": MINA}))
    reply = browser.get(f"/fhir/Communication/{one['id']}")
    get_fhir_model_class("Communication").model_validate(reply.json())
    assert reply.json() == one
    assert reply.headers["content-type"].startswith("application/fhir+json")
    assert (reply.json()["status"], reply.json()["medium"]) == ("completed", [{"text": "inbox"}])
    assert reply.json()["recipient"][0]["identifier"]["value"] == clinic.EXAMPLE.id
    assert reply.json()["about"][0]["identifier"]["value"] == str(told)


def test_somebody_elses_alert_is_not_there(sign_in: SignIn, told: int) -> None:
    other = program(sign_in("chen"))
    assert resources(other.get("/fhir/DetectedIssue", params={"patient": MINA})) == []
    assert resources(other.get("/fhir/Communication", params={"patient": MINA})) == []
    for path in (f"DetectedIssue/{told}", "Communication/1", "DetectedIssue/0", "Communication/x"):
        reply = other.get(f"/fhir/{path}")
        assert (reply.status_code, reply.json()["resourceType"]) == (404, "OperationOutcome")


@pytest.mark.parametrize("patient", ["", "100456", "|100456", "urn:mrn:north|", "Patient/1"])
def test_a_search_names_its_patient(browser: TestClient, patient: str) -> None:
    for kind in ("DetectedIssue", "Communication"):
        reply = browser.get(f"/fhir/{kind}", params={"patient": patient})
        assert (reply.status_code, reply.json()["resourceType"]) == (400, "OperationOutcome")


def test_s21_each_look_is_in_the_audit_trail(browser: TestClient, store: Engine, told: int) -> None:
    browser.get("/fhir/DetectedIssue", params={"patient": MINA})
    browser.get(f"/fhir/DetectedIssue/{told}")
    with store.connect() as connection:
        rows = connection.execute(select(AUDIT).order_by(AUDIT.c.id.desc()).limit(2)).all()
        patient = connection.execute(select(ALERT.c.patient_id).where(ALERT.c.id == told)).scalar()
    assert [(row.action, row.object_id, row.patient_id) for row in rows] == [
        ("read", str(told), patient),
        ("list", "", None),
    ]
    assert rows[1].data["alerts"] == [told]
