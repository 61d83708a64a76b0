"""One clinician's day on SQLite and on PostgreSQL: the list, an alert, an answer, the trail."""

from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from alerts.tables import AUDIT
from rules.ruleset import Ruleset
from tests.web import clinic
from tests.web.forms import answer
from worker.composition import Deps, unheard
from worker.settings import read_settings
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
