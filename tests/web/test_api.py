"""/api/alerts: the promised fields, filters, pages."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from alerts.tables import AUDIT
from tests.web import clinic
from tests.web.clinic import Clinic

PROMISED = {
    "id",
    "patient",
    "rule",
    "version",
    "episode",
    "severity",
    "state",
    "reason",
    "recipient",
    "headline",
    "text",
    "evidence",
    "actions",
    "follow_up",
    "history",
    "raised_at",
    "updated_at",
    "etag",
}


def ids(client: TestClient, query: str = "") -> list[int]:
    return [item["id"] for item in client.get(f"/api/alerts{query}").json()["items"]]


def test_an_alert_has_every_promised_field(browser: TestClient, seeded: Clinic) -> None:
    alert = browser.get(f"/api/alerts/{seeded.alerts['high']}").json()

    assert alert.keys() >= PROMISED
    assert alert["patient"] == {"system": "urn:mrn:north", "id": "100456"}
    assert alert["recipient"] == {"system": clinic.EXAMPLE.system, "id": clinic.EXAMPLE.id}
    assert [step["step"] for step in alert["history"]] == ["raise", "tell"]
    assert alert["evidence"][0]["value"] == "1450", "as reported"
    assert "Mina" not in str(alert)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?severity=high", ["codeficiency", "high"]),
        ("?state=told&severity=critical", ["critical"]),
        ("?rule=b12-deficiency-untreated", ["covered"]),
        ("?patient=urn:mrn:north|100456", ["high"]),
        ("?patient=urn:mrn:south|100456", []),
        ("?state=closed", []),
    ],
)
def test_the_list_is_filtered(browser: TestClient, seeded: Clinic, query: str, names: list[str]) -> None:
    assert ids(browser, query) == [seeded.alerts[name] for name in names]


@pytest.mark.parametrize("query", ["?severity=awful", "?state=x", "?patient=noone", "?limit=0", "?cursor=x"])
def test_a_filter_that_means_nothing_names_its_field(browser: TestClient, query: str) -> None:
    answer = browser.get(f"/api/alerts{query}", headers={"accept": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == query[1:].split("=")[0]


def test_pages_follow_each_other_without_gap_or_repeat(browser: TestClient) -> None:
    everything, seen, cursor = ids(browser), [], ""
    while True:
        page = browser.get(f"/api/alerts?limit=2{cursor}").json()
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert seen == everything
    assert len(seen) == 5


def test_a_list_read_by_a_program_is_in_the_audit_trail(
    visitor: TestClient, seeded: Clinic, store: Engine
) -> None:
    bearer = {"authorization": f"Bearer {clinic.CLINICIAN_TOKEN}"}
    visitor.get("/api/alerts?severity=critical", headers=bearer)

    with store.connect() as connection:
        row = connection.execute(select(AUDIT).where(AUDIT.c.action == "list")).one()
    assert row.data["alerts"] == [seeded.alerts["critical"]]


def test_a_token_answers_in_the_name_of_its_clinician(visitor: TestClient, seeded: Clinic) -> None:
    bearer = {"authorization": f"Bearer {clinic.CLINICIAN_TOKEN}"}

    given = visitor.post(f"/api/alerts/{seeded.alerts['high']}/acknowledge", headers=bearer)

    assert given.json()["history"][-1]["by"]["id"] == clinic.EXAMPLE.id
