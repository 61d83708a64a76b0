"""Who sees which alert: one's own, those of whom one covers, those of one's pools; on every way in."""

from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from alerts.people import Address, pool
from alerts.tables import AUDIT
from tests.web import clinic
from tests.web.clinic import BAKER, CHEN, EXAMPLE, Clinic
from tests.web.conftest import SignIn
from worker.database import writing
from worker.web.readers import Reader
from worker.web.scope import scope_of

DISMISS = {"reason": "not-relevant"}


@pytest.mark.parametrize(
    ("username", "seen"),
    [
        ("example", {"critical", "high", "codeficiency", "covered", "low"}),
        ("baker", {"covered"}),
        ("chen", {"others"}),
    ],
)
def test_each_clinician_reads_what_is_addressed_to_them_and_nothing_else(
    sign_in: SignIn, seeded: Clinic, username: str, seen: set[str]
) -> None:
    client = sign_in(username)

    for name, alert in seeded.alerts.items():
        wanted = 200 if name in seen else 404
        assert client.get(f"/inbox/{alert}").status_code == wanted, name
        assert client.get(f"/api/alerts/{alert}").status_code == wanted, name
    listed = {item["id"] for item in client.get("/api/alerts").json()["items"]}
    assert listed == {seeded.alerts[name] for name in seen}


@pytest.mark.parametrize("step", ["acknowledge", "dismiss"])
def test_somebody_elses_alert_cannot_be_answered_and_looks_as_if_it_were_not_there(
    browser: TestClient, seeded: Clinic, step: str
) -> None:
    others = browser.post(
        f"/api/alerts/{seeded.alerts['others']}/{step}", json=DISMISS if step == "dismiss" else {}
    )
    absent = browser.post(f"/api/alerts/999999/{step}", json=DISMISS if step == "dismiss" else {})

    assert others.status_code == absent.status_code == 404
    assert others.content == absent.content


@pytest.mark.parametrize("alert", ["0", "-1", str(2**63), str(2**80)])
def test_ids_that_no_alert_can_have_are_not_found(browser: TestClient, alert: str) -> None:
    assert browser.get(f"/inbox/{alert}").status_code == 404
    assert browser.get(f"/api/alerts/{alert}").status_code == 404


def test_asking_for_somebody_elses_alert_is_in_the_audit_trail(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    browser.get(f"/inbox/{seeded.alerts['others']}")

    with store.connect() as connection:
        row = connection.execute(select(AUDIT).where(AUDIT.c.outcome == "denied")).one()
    assert (row.actor_ident, row.object_id) == (EXAMPLE.id, str(seeded.alerts["others"]))


def addresses(engine: Engine, who: Address, now: datetime) -> set[Address]:
    with engine.connect() as connection:
        reader = Reader("clinician", "", who.system, who.id)
        return set(scope_of(connection, reader, now).addresses)


def test_s12_a_cover_holds_from_its_first_minute_to_its_last(engine: Engine) -> None:
    begins = datetime.fromisoformat("2026-03-02T08:00:00+00:00")
    ends = begins + timedelta(hours=10)
    with writing(engine) as connection:
        clinic.cover(connection, CHEN, BAKER, begins, ends)

    tick = timedelta(microseconds=1)
    assert CHEN not in addresses(engine, BAKER, begins - tick)
    assert CHEN in addresses(engine, BAKER, begins)
    assert CHEN in addresses(engine, BAKER, ends - tick)
    assert CHEN not in addresses(engine, BAKER, ends)
    assert BAKER not in addresses(engine, CHEN, begins), "the absent one does not cover back"


def test_members_see_what_is_addressed_to_their_pool(sign_in: SignIn, seeded: Clinic, store: Engine) -> None:
    with writing(store) as connection:
        patient = seeded.patients["Ivo Stone"]
        value = clinic.Value(1, "crp", "80", "mg/L")
        alert = clinic.simple(
            connection,
            patient,
            seeded.now,
            value,
            "a-rule",
            clinic.Severity.HIGH,
            "For the pool",
            to=pool("hematology"),
        )

    assert sign_in("example").get(f"/inbox/{alert}").status_code == 200
    assert sign_in("chen").get(f"/inbox/{alert}").status_code == 404
