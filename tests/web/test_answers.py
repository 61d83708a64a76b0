"""Answering an alert with the page's forms and through the API: what is taken, refused, and said."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from alerts.tables import ALERT, ALERT_EVENT, AUDIT, FOLLOW_UP
from tests.web.clinic import CHEN, EXAMPLE, Clinic
from tests.web.conftest import SignIn
from tests.web.forms import answer, hidden
from worker.exposition import render

LATER = (datetime.now(UTC) + timedelta(days=3)).isoformat()
ANSWERS: list[tuple[str, dict[str, Any], dict[str, str], str]] = [
    ("acknowledge", {}, {}, "acknowledged"),
    ("acknowledge", {"comment": "will call"}, {"comment": "will call"}, "acknowledged"),
    ("dismiss", {"reason": "known-diagnosis"}, {"reason": "known-diagnosis"}, "dismissed"),
    ("snooze", {"until": LATER, "reason": "visit"}, {"until": LATER, "reason": "visit"}, "snoozed"),
    ("resolve", {"reason": "seen"}, {"reason": "seen"}, "closed"),
    (
        "reassign",
        {"to": {"system": CHEN.system, "id": CHEN.id}, "reason": "her patient"},
        {"to": f"{CHEN.system}|{CHEN.id}", "reason": "her patient"},
        "raised",
    ),
]


def state(store: Engine, alert: int) -> str:
    with store.connect() as connection:
        return str(connection.execute(select(ALERT.c.state).where(ALERT.c.id == alert)).scalar_one())


@pytest.mark.parametrize(("step", "body", "form", "to"), ANSWERS)
def test_an_answer_by_form_is_taken_and_leads_back_to_the_alert(
    browser: TestClient, seeded: Clinic, store: Engine, step: str, body: object, form: dict[str, str], to: str
) -> None:
    alert = seeded.alerts["high"]

    sent = answer(browser, alert, step, **form)

    assert (sent.status_code, sent.headers["location"]) == (303, f"/inbox/{alert}?answered=1")
    assert state(store, alert) == to


@pytest.mark.parametrize(("step", "body", "form", "to"), ANSWERS)
def test_the_same_answer_through_the_api_gives_the_alert_as_it_is_now(
    browser: TestClient, seeded: Clinic, step: str, body: dict[str, Any], form: object, to: str
) -> None:
    alert = seeded.alerts["high"]

    given = browser.post(f"/api/alerts/{alert}/{step}", json=body)

    assert given.status_code == 200
    assert given.json()["state"] == to
    assert given.json()["history"][-1]["by"] == {"system": EXAMPLE.system, "id": EXAMPLE.id}
    assert given.headers["etag"] == given.json()["etag"]


def test_acknowledging_needs_no_body(browser: TestClient, seeded: Clinic) -> None:
    assert browser.post(f"/api/alerts/{seeded.alerts['high']}/acknowledge").json()["state"] == "acknowledged"


def test_a_step_is_one_event_and_one_record_of_who_did_it(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    answer(browser, seeded.alerts["high"], "dismiss", reason="lab-error", comment="clotted")

    with store.connect() as connection:
        step = connection.execute(select(ALERT_EVENT).where(ALERT_EVENT.c.step == "dismiss")).one()
        record = connection.execute(select(AUDIT).where(AUDIT.c.action == "alert.dismiss")).one()
    assert (step.actor_ident, step.reason, step.data["comment"]) == (EXAMPLE.id, "lab-error", "clotted")
    assert (record.event_id, record.origin) == (step.id, "10.0.0.9")


def test_after_an_acknowledgement_the_page_says_what_happens_next(
    browser: TestClient, seeded: Clinic
) -> None:
    alert = seeded.alerts["high"]
    page = browser.get(answer(browser, alert, "acknowledge").headers["location"]).text

    assert "You have it: acknowledged " in page
    assert "Vitamin B12 and ferritin are expected by " in page
    assert "You will hear from us only if one of them does not arrive" in page
    assert "Acknowledged by Dr. Ada Example" in page
    assert f"/inbox/{alert}/acknowledge" not in page, "what cannot be done again is not offered"


def test_an_answered_alert_leaves_the_first_tab_and_can_be_found_again(
    browser: TestClient, seeded: Clinic
) -> None:
    link = f'href="/inbox/{seeded.alerts["high"]}"'
    answer(browser, seeded.alerts["high"], "acknowledge")

    assert link not in browser.get("/inbox").text
    assert link in browser.get("/inbox?tab=following").text

    answer(browser, seeded.alerts["high"], "dismiss", reason="already-acted")
    assert link in browser.get("/inbox?tab=answered").text


def test_one_click_says_that_a_supplement_explains_it(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    page = browser.get(f"/inbox/{seeded.alerts['high']}").text
    assert "Explained: takes B12</button>" in page

    answer(browser, seeded.alerts["high"], "dismiss", reason="explained-by-supplement")

    assert "Dismissed: Explained: takes B12" in browser.get(f"/inbox/{seeded.alerts['high']}").text


def test_a_covering_clinician_answers_for_the_absent_one(browser: TestClient, seeded: Clinic) -> None:
    assert browser.post(f"/api/alerts/{seeded.alerts['covered']}/acknowledge").status_code == 200


def test_what_was_passed_on_is_with_the_other_from_then_on(sign_in: SignIn, seeded: Clinic) -> None:
    alert, to = seeded.alerts["high"], {"system": CHEN.system, "id": CHEN.id}
    sign_in().post(f"/api/alerts/{alert}/reassign", json={"to": to, "reason": "her patient"})

    chen = sign_in("chen")
    assert f'href="/inbox/{alert}"' in chen.get("/inbox").text
    assert chen.get(f"/api/alerts/{alert}").json()["recipient"] == to


@pytest.mark.parametrize(
    ("step", "body", "field"),
    [
        ("dismiss", {}, "reason"),
        ("dismiss", {"reason": "because"}, "reason"),
        ("dismiss", {"reason": "lab-error", "comment": "x" * 1001}, "comment"),
        ("snooze", {"reason": "later"}, "until"),
        ("snooze", {"until": "2020-01-01T00:00:00Z", "reason": "later"}, "until"),
        ("snooze", {"until": "2999-01-01T00:00:00Z", "reason": "later"}, "until"),
        ("snooze", {"until": "2999-01-01T00:00:00", "reason": "no offset"}, "until"),
        ("snooze", {"until": LATER, "reason": "  "}, "reason"),
        ("resolve", {}, "reason"),
        ("reassign", {"to": {"system": "urn:nowhere", "id": "1"}, "reason": "x"}, "to"),
        ("reassign", {"to": {"system": CHEN.system}, "reason": "x"}, "to.id"),
        ("acknowledge", {"state": "closed"}, "state"),
        ("acknowledge", {"acknowledged_by": "somebody"}, "acknowledged_by"),
    ],
)
def test_an_answer_that_cannot_be_taken_names_the_field_and_changes_nothing(
    browser: TestClient, seeded: Clinic, store: Engine, step: str, body: dict[str, Any], field: str
) -> None:
    given = browser.post(
        f"/api/alerts/{seeded.alerts['high']}/{step}", json=body, headers={"accept": "application/json"}
    )

    assert given.status_code == 422
    assert field in [fault["field"] for fault in given.json()["detail"]]
    assert state(store, seeded.alerts["high"]) == "told"


def test_a_form_without_a_reason_is_said_on_the_alerts_page(browser: TestClient, seeded: Clinic) -> None:
    page = answer(browser, seeded.alerts["high"], "dismiss")

    assert page.status_code == 422
    assert "Please fill in: the reason." in page.text
    assert "<details open><summary>Dismiss" in page.text


def test_a_form_with_a_colleague_who_has_left_is_said_on_the_alerts_page(
    browser: TestClient, seeded: Clinic
) -> None:
    page = answer(browser, seeded.alerts["high"], "reassign", to="urn:nowhere|1", reason="x")

    assert page.status_code == 422
    assert "somebody active in the directory" in page.text


def test_a_step_the_state_does_not_allow_is_a_conflict_and_says_the_state(
    browser: TestClient, seeded: Clinic
) -> None:
    alert = seeded.alerts["high"]
    browser.post(f"/api/alerts/{alert}/dismiss", json={"reason": "lab-error"})

    again = browser.post(f"/api/alerts/{alert}/acknowledge")

    assert again.status_code == 409
    assert again.json()["state"] == "dismissed"


def test_two_people_answering_at_once_leave_one_answer_and_tell_the_second(
    sign_in: SignIn, seeded: Clinic, store: Engine
) -> None:
    alert, first, second = seeded.alerts["covered"], sign_in("example"), sign_in("baker")
    seen = second.get(f"/inbox/{alert}").text
    answer(first, alert, "acknowledge")

    fields = {"csrf": hidden(seen, "csrf"), "etag": hidden(seen, "etag"), "reason": "not-relevant"}
    late = second.post(f"/inbox/{alert}/dismiss", data=fields)

    assert late.status_code == 412
    assert "The alert has changed since you opened it." in late.text
    assert "Acknowledged by Dr. Ada Example" in late.text
    assert state(store, alert) == "acknowledged"


def test_if_match_guards_an_answer(browser: TestClient, seeded: Clinic) -> None:
    url = f"/api/alerts/{seeded.alerts['high']}"
    etag = browser.get(url).headers["etag"]

    for wrong in ('"99"', "rubbish"):
        assert browser.post(f"{url}/acknowledge", headers={"if-match": wrong}).status_code == 412
    assert browser.post(f"{url}/acknowledge", headers={"if-match": etag}).status_code == 200


def test_reading_changes_nothing(browser: TestClient, seeded: Clinic, store: Engine) -> None:
    for step in ("acknowledge", "dismiss", "resolve"):
        assert browser.get(f"/inbox/{seeded.alerts['high']}/{step}").status_code == 405
        assert browser.get(f"/api/alerts/{seeded.alerts['high']}/{step}").status_code == 405
    assert state(store, seeded.alerts["high"]) == "told"


def test_an_answer_is_counted_by_rule_and_kind(sign_in: SignIn, seeded: Clinic) -> None:
    here = sign_in()
    here.post(f"/api/alerts/{seeded.alerts['low']}/dismiss", json={"reason": "rule-wrong"})

    page = render().decode()
    assert 'alerts_answered_total{answer="rule-wrong",rule="iron-deficiency-repeat"} 1.0' in page


def test_of_what_could_be_followed_up_only_what_is_agreed_on_is_waited_for(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    alert = seeded.alerts["high"]
    assert browser.get(f"/inbox/{alert}").text.count('name="agreed"') == 2
    page = browser.get(
        answer(browser, alert, "acknowledge", agreeing="1", agreed="b12").headers["location"]
    ).text
    assert "Vitamin B12 is expected by " in page
    assert "ferritin are expected" not in page
    with store.connect() as connection:
        rows = connection.execute(select(FOLLOW_UP.c.expect, FOLLOW_UP.c.state)).all()
    assert dict(tuple(row) for row in rows) == {"b12": "expected", "ferritin": "cancelled"}


def test_agreeing_to_no_follow_up_waits_for_none(browser: TestClient, seeded: Clinic) -> None:
    sent = answer(browser, seeded.alerts["high"], "acknowledge", agreeing="1")
    assert "Nothing more is expected" in browser.get(sent.headers["location"]).text


def test_a_follow_up_that_the_alert_does_not_expect_is_refused_on_its_page(
    browser: TestClient, seeded: Clinic
) -> None:
    sent = answer(browser, seeded.alerts["high"], "acknowledge", agreeing="1", agreed="gold")
    assert sent.status_code == 422
    assert "Nothing was changed" in sent.text
    assert "What to do" in sent.text


def test_a_day_of_ones_own_goes_before_the_offered_ends_of_a_snooze(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    day = (seeded.now + timedelta(days=11)).date()
    early = (seeded.now + timedelta(days=1)).isoformat()
    answer(browser, seeded.alerts["high"], "snooze", until=early, day=day.isoformat(), reason="leave")
    with store.connect() as connection:
        row = connection.execute(select(ALERT).where(ALERT.c.id == seeded.alerts["high"])).one()
    assert row.snoozed_until == datetime.combine(day, time(8), UTC)


@pytest.mark.parametrize("day", ["2020-01-01", "2999-01-01", "tomorrow", "2026-13-45"])
def test_a_day_that_cannot_be_is_refused_on_the_alerts_page(
    browser: TestClient, seeded: Clinic, day: str
) -> None:
    sent = answer(browser, seeded.alerts["high"], "snooze", day=day, reason="leave")
    assert sent.status_code == 422
    assert "Nothing was changed" in sent.text
    assert "What to do" in sent.text


def test_explained_by_a_supplement_says_until_when_that_stands_on_the_record(
    browser: TestClient, seeded: Clinic
) -> None:
    alert = seeded.alerts["high"]
    end = seeded.now + timedelta(days=90)
    until = f"{end.day} {end:%b %Y}"
    assert f"on the record until {until}" in browser.get(f"/inbox/{alert}").text
    sent = answer(browser, alert, "dismiss", reason="explained-by-supplement")
    page = browser.get(sent.headers["location"]).text
    assert f"A B12 product stands on the record until {until}" in page
    assert "Explained: takes B12</button>" not in browser.get(f"/inbox/{seeded.alerts['critical']}").text
