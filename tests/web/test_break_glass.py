"""S17: opening a patient who is not yours, and patients whom even a pool's members must open."""

from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import Engine, insert, select, update

from alerts.people import pool
from alerts.tables import ALERT, AUDIT
from tests.services.smtp import MailSink
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.conftest import SignIn
from tests.web.forms import answer, hidden
from tests.worker.intake.examples import HEADER, hl7
from worker.accepting import Inbound, accept
from worker.break_glass import LASTS
from worker.composition import Deps
from worker.database import writing
from worker.pipeline import judge
from worker.tables import ACCOUNT, BREAK_GLASS, PATIENT
from worker.web.passwords import hash_password

WHY = {"reason": "emergency", "comment": "admitted through the emergency room"}


@pytest.fixture
def officer(store: Engine, seeded: Clinic, sign_in: SignIn) -> TestClient:
    with writing(store) as connection:
        account = {
            "username": "officer",
            "password_hash": hash_password(clinic.PASSWORD),
            "name": "P. Officer",
        }
        row = {**account, "role": "privacy-officer", "active": True, "created_at": seeded.now}
        connection.execute(insert(ACCOUNT).values(row))
    return sign_in("officer")


def opens(browser: TestClient, **fields: str) -> Response:
    token = hidden(browser.get("/break-glass").text, "csrf")
    return browser.post("/break-glass", data={"csrf": token, **WHY, **fields})


def glass_rows(store: Engine) -> list[tuple[str, str]]:
    with store.connect() as connection:
        rows = connection.execute(select(AUDIT).where(AUDIT.c.action == "break-glass").order_by(AUDIT.c.id))
        return [(row.actor_ident, row.outcome) for row in rows]


def test_s17_a_clinician_who_says_why_reads_and_answers_anothers_patient(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    others = seeded.alerts["others"]
    assert browser.get(f"/inbox/{others}").status_code == 404

    assert opens(browser, alert=str(others)).status_code == 303

    assert f'href="/inbox/{others}"' in browser.get("/break-glass").text
    assert browser.get(f"/inbox/{others}").status_code == 200
    assert browser.get(f"/api/alerts/{others}").status_code == 200
    assert answer(browser, others, "acknowledge").status_code == 303
    assert glass_rows(store) == [(clinic.EXAMPLE.id, "done")]


def test_s17_the_patient_can_be_named_by_number_and_only_lists_of_ones_own_stay_as_they_were(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    before = [item["id"] for item in browser.get("/api/alerts").json()["items"]]
    with store.connect() as connection:
        whose = select(PATIENT).where(PATIENT.c.id == _patient_of(store, seeded.alerts["others"]))
        ident = connection.execute(whose).one().ident

    assert opens(browser, patient=ident).status_code == 303

    assert browser.get(f"/inbox/{seeded.alerts['others']}").status_code == 200
    assert [item["id"] for item in browser.get("/api/alerts").json()["items"]] == before


def _patient_of(store: Engine, alert: int) -> int:
    with store.connect() as connection:
        return int(connection.execute(select(ALERT.c.patient_id).where(ALERT.c.id == alert)).scalar_one())


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"comment": ""}, 422),
        ({"comment": "    "}, 422),
        ({"comment": "x"}, 422),
        ({"reason": ""}, 422),
        ({"reason": "curious"}, 422),
        ({"alert": "999999"}, 404),
        ({"alert": "", "patient": "no such number"}, 404),
        ({"alert": "", "patient": ""}, 404),
        ({"alert": "1 or 1=1"}, 422),
        ({"csrf": "guessed"}, 403),
    ],
    ids=str,
)
def test_s17_without_a_reason_or_a_patient_nothing_is_opened(
    browser: TestClient, seeded: Clinic, store: Engine, fields: dict[str, str], status: int
) -> None:
    asked = {"alert": str(seeded.alerts["others"]), **fields}

    assert opens(browser, **asked).status_code == status

    assert browser.get(f"/inbox/{seeded.alerts['others']}").status_code == 404
    with store.connect() as connection:
        assert connection.execute(select(BREAK_GLASS)).first() is None
    if status == 404:
        assert glass_rows(store) == [(clinic.EXAMPLE.id, "denied")]


def test_s17_it_ends_after_an_hour_and_is_nobody_elses(
    browser: TestClient, sign_in: SignIn, seeded: Clinic, store: Engine
) -> None:
    others = seeded.alerts["others"]
    opens(browser, alert=str(others))
    assert sign_in("baker").get(f"/inbox/{others}").status_code == 404

    with store.connect() as connection:
        row = connection.execute(select(BREAK_GLASS)).one()
    assert row.ends_at - row.started_at == LASTS == timedelta(minutes=60)
    with writing(store) as connection:
        connection.execute(update(BREAK_GLASS).values(ends_at=row.started_at))
    assert browser.get(f"/inbox/{others}").status_code == 404


def test_s17_the_privacy_officer_is_told_without_the_patient_and_sees_who_whom_and_why(
    sign_in: SignIn, officer: TestClient, seeded: Clinic, store: Engine, mail_sink: MailSink
) -> None:
    mail = {"FERRULE_SMTP_URL": mail_sink.url, "FERRULE_SMTP_FROM": "ferrule@example.org"}
    browser = sign_in("example", **mail, FERRULE_PRIVACY_EMAIL="privacy@example.org")
    opens(browser, alert=str(seeded.alerts["others"]))

    (message,) = mail_sink.messages
    said = f"{message['Subject']} {message.get_content()}"
    assert message["To"] == "privacy@example.org"
    assert "/privacy" in said
    for name in ("Stone", "1004", "Example", "emergency room"):
        assert name not in said
    listed = officer.get("/privacy").text
    assert all(word in listed for word in ("Dr. Ada Example", "emergency room", "urn:mrn:north|"))

    assert officer.post("/privacy/1/reviewed", data={"csrf": hidden(listed, "csrf")}).status_code == 303
    assert "by officer" in officer.get("/privacy").text
    with store.connect() as connection:
        done = select(AUDIT).where(AUDIT.c.action == "break-glass.review")
        assert connection.execute(done).one().actor_ident == "officer"


@pytest.mark.parametrize("relay", ["smtp://127.0.0.1:1"])
def test_f79_break_glass_works_when_nobody_can_be_told(sign_in: SignIn, seeded: Clinic, relay: str) -> None:
    mail = {"FERRULE_SMTP_URL": relay, "FERRULE_SMTP_FROM": "f@example.org"}
    browser = sign_in("example", **mail, FERRULE_PRIVACY_EMAIL="privacy@example.org")

    assert opens(browser, alert=str(seeded.alerts["others"])).status_code == 303
    assert browser.get(f"/inbox/{seeded.alerts['others']}").status_code == 200


def pooled(store: Engine, seeded: Clinic, at: datetime) -> int:
    with writing(store) as connection:
        value = clinic.Value(1, "crp", "80", "mg/L")
        patient = seeded.patients["Ivo Stone"]
        words = (clinic.Severity.HIGH, "For the pool")
        return clinic.simple(connection, patient, at, value, "a-rule", *words, to=pool("hematology"))


def test_a_pools_member_sees_a_sensitive_patient_by_break_glass_alone(
    browser: TestClient, officer: TestClient, seeded: Clinic, store: Engine
) -> None:
    alert = pooled(store, seeded, seeded.now)
    assert browser.get(f"/inbox/{alert}").status_code == 200
    token = hidden(officer.get("/privacy").text, "csrf")
    marked = {"csrf": token, "patient": "urn:mrn:north|100444", "flag": "true"}
    assert "Sensitive." in officer.post("/privacy/sensitive", data=marked).text

    assert browser.get(f"/inbox/{alert}").status_code == 404
    assert alert not in [item["id"] for item in browser.get("/api/alerts").json()["items"]]
    waits = browser.get("/break-glass").text
    assert f"/break-glass?alert={alert}" in waits, "it is not lost: it waits behind the glass"
    assert "For the pool" not in waits
    assert "Stone" not in waits

    assert opens(browser, alert=str(alert)).status_code == 303
    assert browser.get(f"/inbox/{alert}").status_code == 200
    assert alert in [item["id"] for item in browser.get("/api/alerts").json()["items"]]


def shown(browser: TestClient, alert: int) -> dict[str, bool]:
    """Whether each list shows the alert."""
    found = {door: f"/inbox/{alert}" in browser.get(door).text for door in ("/inbox", "/inbox/rows")}
    return found | {"api": alert in [item["id"] for item in browser.get("/api/alerts").json()["items"]]}


def test_a_patient_whom_a_message_protects_is_behind_the_glass_on_every_list(
    browser: TestClient, seeded: Clinic, store: Engine, deps: Deps
) -> None:
    """Of every single door `test_access.py` says the same (sensitive-pool)."""
    alert = pooled(store, seeded, seeded.now)
    assert shown(browser, alert) == {"/inbox": True, "/inbox/rows": True, "api": True}
    header = HEADER.replace("ORU^R01^ORU_R01", "ADT^A08")
    sent = hl7(header, "PID|1||100444^^^NORTH^MR", "PD1" + "|" * 12 + "Y")
    receipts = accept(store, [Inbound("urn:hl7v2:NORTH:LIS", "M1", "hl7", sent)])
    judge(deps, [receipt.message for receipt in receipts])

    assert browser.get(f"/inbox/{alert}").status_code == 404
    assert shown(browser, alert) == {"/inbox": False, "/inbox/rows": False, "api": False}
    assert f"/break-glass?alert={alert}" in browser.get("/break-glass").text


def test_a_sensitive_patient_stays_with_who_ordered_and_who_covers(
    sign_in: SignIn, officer: TestClient, seeded: Clinic
) -> None:
    token = hidden(officer.get("/privacy").text, "csrf")
    for ident in ("100123", "100456", "100789", "100222", "100333", "100444", "100555"):
        officer.post("/privacy/sensitive", data={"csrf": token, "patient": ident, "flag": "true"})

    assert sign_in("example").get(f"/inbox/{seeded.alerts['covered']}").status_code == 200
    assert sign_in("baker").get(f"/inbox/{seeded.alerts['covered']}").status_code == 200


def test_only_the_privacy_officer_reads_the_list_and_only_clinicians_break_glass(
    browser: TestClient, officer: TestClient
) -> None:
    assert browser.get("/privacy").status_code == 403
    assert officer.get("/break-glass").status_code == 403
    assert officer.get("/inbox/1").status_code == 403
