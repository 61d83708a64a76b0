"""The operators' pages: where they land, storms, alerts that reach nobody, the call list, what is overdue."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from alerts.tables import ALERT, ALERT_EVENT, AUDIT, STORM
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.conftest import SignIn
from tests.web.forms import hidden
from worker.database import reading, writing

PAGES = ("/quarantine", "/storms", "/unaddressed", "/calls", "/overdue")


@pytest.fixture
def operator(sign_in: SignIn, store: Engine, seeded: Clinic) -> TestClient:
    """An operator's browser, with something in every queue."""
    with writing(store) as connection:
        clinic.add_operator(connection, seeded.now)
        clinic.add_storm(connection, seeded.now)
        clinic.strand(connection, seeded.alerts["others"])
        clinic.put_on_call_list(connection, seeded.alerts["critical"], seeded.now)
        clinic.make_late(connection, seeded.alerts["high"], seeded.now)
    return sign_in("ops")


def sent(browser: TestClient, path: str, **fields: str) -> Any:
    """A form of the page, sent with its token."""
    return browser.post(path, data={"csrf": hidden(browser.get("/storms").text, "csrf"), **fields})


def audited(store: Engine, **named: Any) -> int:
    """How many records of the trail say so."""
    with reading(store) as connection:
        rows = connection.execute(select(AUDIT)).all()
    return sum(all(getattr(row, name) == value for name, value in named.items()) for row in rows)


def test_an_operator_lands_on_a_page_of_theirs_and_finds_the_others(operator: TestClient) -> None:
    assert operator.get("/inbox").headers["location"] == "/"
    assert operator.get("/").headers["location"] == "/quarantine"
    page = operator.get("/quarantine").text
    assert all(f'<a href="{path}"' in page for path in PAGES)
    assert 'href="/inbox"' not in page


def test_a_clinician_lands_in_the_inbox_and_sees_no_operators_page(
    operator: TestClient, browser: TestClient
) -> None:
    assert browser.get("/").headers["location"] == "/inbox"
    assert [browser.get(path).status_code for path in PAGES] == [403] * len(PAGES)
    assert not any(f'<a href="{path}"' in browser.get("/inbox").text for path in PAGES)


def test_somebody_without_any_page_is_told_so_and_not_sent_in_a_circle(
    operator: TestClient, sign_in: SignIn, store: Engine, seeded: Clinic
) -> None:
    with writing(store) as connection:
        clinic.add_operator(connection, seeded.now, "machine")
        connection.exec_driver_sql("UPDATE account SET role = 'intake' WHERE username = 'machine'")
    assert sign_in("machine").get("/").status_code == 403


@pytest.mark.parametrize("path", PAGES)
def test_s15_operators_lists_show_no_name_and_no_value(operator: TestClient, path: str) -> None:
    page = operator.get(path)
    assert page.status_code == 200
    for text in ("Rosa Quill", "Mina Fjord", "Ivo Stone", "68 g/L", "100123", "1,450", "11 ng/mL"):
        assert text not in page.text


def test_a_storm_is_decided_once_and_with_a_reason(operator: TestClient, store: Engine) -> None:
    assert "rule iron-deficiency-repeat" in operator.get("/storms").text
    assert sent(operator, "/storms/1/void", because="  ").status_code == 422
    assert sent(operator, "/storms/1/void", because="a unit was wrong").status_code == 303
    assert sent(operator, "/storms/1/release", because="no").status_code == 409
    with reading(store) as connection:
        storm = connection.execute(select(STORM)).one()
    assert (storm.outcome, storm.reason) == ("void", "a unit was wrong")
    assert "a unit was wrong" in operator.get("/storms?every=1").text
    assert audited(store, action="storm.void") == 1


def test_an_alert_that_reaches_nobody_is_given_to_somebody(
    operator: TestClient, store: Engine, seeded: Clinic
) -> None:
    path = f"/unaddressed/{seeded.alerts['others']}"
    to = f"{clinic.BAKER.system}|{clinic.BAKER.id}"
    assert "9999999999 (not in the directory)" in operator.get("/unaddressed").text
    assert sent(operator, path, to=to, because="").status_code == 422
    assert sent(operator, path, to="urn:x|nobody", because="rota").status_code == 422
    assert sent(operator, path, to=to, because="rota").status_code == 303
    assert "Every open alert reaches somebody" in operator.get("/unaddressed").text
    with reading(store) as connection:
        row = connection.execute(select(ALERT).where(ALERT.c.id == seeded.alerts["others"])).one()
    assert row.recipient_ident == clinic.BAKER.id


def test_an_operator_hands_on_no_alert_that_somebody_has(operator: TestClient, seeded: Clinic) -> None:
    to = f"{clinic.BAKER.system}|{clinic.BAKER.id}"
    assert sent(operator, f"/unaddressed/{seeded.alerts['high']}", to=to, because="x").status_code == 409


def test_what_to_tell_is_opened_for_a_listed_alert_alone_and_that_is_kept(
    operator: TestClient, store: Engine, seeded: Clinic
) -> None:
    shown = sent(operator, f"/calls/{seeded.alerts['critical']}/open")
    assert "Rosa Quill" in shown.text
    assert "68 g/L" in shown.text
    assert audited(store, action="read", object_id=str(seeded.alerts["critical"])) == 1
    assert sent(operator, f"/calls/{seeded.alerts['high']}/open").status_code == 404


def test_f68_a_call_is_written_down_once_with_whom_what_and_whether_it_was_read_back(
    operator: TestClient, store: Engine, seeded: Clinic
) -> None:
    path = f"/calls/{seeded.alerts['critical']}"
    call = {"to": "Dr. Ada Example", "told": "hemoglobin 68 g/L", "at": "2026-03-01T09:12"}
    again = sent(operator, path, **call)
    assert again.status_code == 422
    assert "hemoglobin 68 g/L" in again.text, "what was filled in stays"
    assert sent(operator, path, **call | {"told": " "}, read_back="yes").status_code == 422
    assert sent(operator, path, **call | {"at": "2099-01-01T00:00"}, read_back="yes").status_code == 422
    assert sent(operator, path, **call, read_back="yes").status_code == 303
    with reading(store) as connection:
        step = connection.execute(select(ALERT_EVENT).where(ALERT_EVENT.c.step == "call")).one()
    assert (step.reason, step.data["told"]) == ("read-back", "hemoglobin 68 g/L")
    assert "Nobody has to be called" in operator.get("/calls").text


def test_somebody_who_did_not_read_it_back_is_called_again(operator: TestClient, seeded: Clinic) -> None:
    path = f"/calls/{seeded.alerts['critical']}"
    sent(operator, path, to="the ward", told="hemoglobin 68 g/L", read_back="no")
    assert "Calls so far</dt><dd>1" in operator.get("/calls").text
    assert "they did not read it back" in sent(operator, f"{path}/open").text


def test_what_is_overdue_is_listed_with_its_owner(operator: TestClient) -> None:
    page = operator.get("/overdue").text
    assert all(words in page for words in ("Vitamin B12", "5 d", "Dr. Ada Example"))


def test_no_form_is_taken_without_its_token(operator: TestClient, seeded: Clinic) -> None:
    critical, others = seeded.alerts["critical"], seeded.alerts["others"]
    for path in ("/storms/1/void", f"/calls/{critical}", f"/calls/{critical}/open", f"/unaddressed/{others}"):
        assert operator.post(path, data={"csrf": "wrong", "because": "x"}).status_code == 403
