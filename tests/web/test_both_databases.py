"""One clinician's day on SQLite and on PostgreSQL: the list, an alert, an answer, the trail."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from alerts.tables import AUDIT
from rules.ruleset import Ruleset
from tests.web import clinic
from tests.web.forms import answer, hidden
from worker.composition import Deps, unheard
from worker.database import writing
from worker.settings import read_settings
from worker.tables import ACCOUNT
from worker.web.app import create_app


def test_a_clinician_signs_in_reads_and_answers(engine: Engine, ruleset: Ruleset) -> None:
    seeded = clinic.seed(engine)
    settings = read_settings({"FERRULE_LOCAL_ACCOUNTS": "on"})
    app = create_app(Deps(engine=engine, ruleset=ruleset, settings=settings, publish=unheard))
    with TestClient(app, headers={"accept": "text/html"}, client=("127.0.0.1", 1)) as browser:
        browser.post("/login", data={"username": "example", "password": clinic.PASSWORD})

        for tab in ("answer", "following", "information", "answered"):
            assert browser.get(f"/inbox?tab={tab}").status_code == 200
        assert len(browser.get("/api/alerts?severity=high").json()["items"]) == 2
        assert "1,450 pg/mL" in browser.get(f"/inbox/{seeded.alerts['high']}").text
        answered = answer(browser, seeded.alerts["high"], "acknowledge")
        assert "You have it: acknowledged" in answered.text
        assert browser.get("/inbox/arrivals?tab=answer&since=0").status_code == 200
        assert 'ferrule_alerts_open{rule="hemoglobin-critical"' in browser.get("/metrics").text

    with engine.connect() as connection:
        actions = set(connection.execute(select(AUDIT.c.action)).scalars())
    assert {"login", "list", "read", "alert.raise", "alert.acknowledge"} <= actions


@pytest.fixture
def anybody(engine: Engine, ruleset: Ruleset) -> Iterator[TestClient]:
    """The browser of somebody who is clinician, operator and rule owner at once; faults are shown as 500."""
    clinic.seed(engine)
    with writing(engine) as connection:
        every = "clinician operator rule-owner"
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.username == "example").values(role=every))
    settings = read_settings({"FERRULE_LOCAL_ACCOUNTS": "on"})
    app = create_app(Deps(engine=engine, ruleset=ruleset, settings=settings, publish=unheard))
    browser = TestClient(
        app, headers={"accept": "text/html"}, client=("127.0.0.1", 1), raise_server_exceptions=False
    )
    with browser:
        browser.post("/login", data={"username": "example", "password": clinic.PASSWORD})
        yield browser


UNSTORABLE = [
    "/api/alerts?rule=%00",
    "/api/alerts?patient=urn:mrn%7C%00",
    "/fhir/DetectedIssue?patient=urn:mrn%7C%00",
    "/api/silent-findings?rule=%00",
    "/governance/silent?rule=%00",
    "/quarantine?source=%00",
    "/inbox?words=%00",
]


@pytest.mark.parametrize("path", UNSTORABLE)
def test_what_no_database_can_hold_is_no_fault_of_ours(anybody: TestClient, path: str) -> None:
    """PostgreSQL keeps no NUL in a text, SQLite does: refused there, and not found here."""
    assert anybody.get(path).status_code < 500


UNSTORABLE_FORMS = [
    ("/login", {"username": "a\x00b", "password": "x"}),
    ("/inbox/search", {"words": "a\x00b"}),
    ("/inbox/1/reassign", {"to": "urn:npi|a\x00b", "reason": "away"}),
]


@pytest.mark.parametrize(("path", "fields"), UNSTORABLE_FORMS, ids=[path for path, _ in UNSTORABLE_FORMS])
def test_a_form_with_what_no_database_can_hold_is_no_fault_of_ours(
    anybody: TestClient, path: str, fields: dict[str, str]
) -> None:
    token = hidden(anybody.get("/cover").text, "csrf")
    assert anybody.post(path, data={"csrf": token, **fields}).status_code < 500


@pytest.mark.parametrize(("finding", "status"), [(1, 404), (2**70, 404)])
def test_a_verdict_on_what_is_not_there_is_answered(anybody: TestClient, finding: int, status: int) -> None:
    """Also with a NUL in its reason, and on a number that no database takes."""
    fields = {
        "csrf": hidden(anybody.get("/governance/silent").text, "csrf"),
        "verdict": "wrong",
        "because": "not\x00so",
    }
    assert anybody.post(f"/governance/silent/{finding}", data=fields).status_code == status
