"""The list: what is on it, in which order, what each row says, and what has arrived since."""

import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from alerts.tables import AUDIT
from rules.findings import Severity
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.conftest import SignIn
from worker.database import writing

HEADLINE = re.compile(r'class="headline"><a href="/inbox/(\d+)">')


def listed(client: TestClient, query: str = "") -> list[int]:
    return [int(found) for found in HEADLINE.findall(client.get(f"/inbox{query}").text)]


def test_the_most_severe_comes_first_and_then_who_has_waited_longest(
    browser: TestClient, seeded: Clinic
) -> None:
    assert listed(browser) == [
        seeded.alerts[name] for name in ("critical", "codeficiency", "high", "covered")
    ]


def test_low_severity_is_for_information_and_does_not_count_in_the_badge(
    browser: TestClient, seeded: Clinic
) -> None:
    assert listed(browser, "?tab=information") == [seeded.alerts["low"]]
    assert "<title>(4) Inbox" in browser.get("/inbox").text


def test_a_row_says_who_what_and_how_long(browser: TestClient) -> None:
    page = browser.get("/inbox").text

    row = page[page.index("High B12 with iron deficiency") :]
    assert row.index("1,450 pg/mL") < row.index("9 ng/mL") < row.index("108 g/L")
    assert row.count("<polyline") == 3
    assert "Mina Fjord" in row
    assert "F 34 · …0456" in row
    assert ">3 h<" in row


def test_only_mine_leaves_out_whom_one_covers(browser: TestClient, seeded: Clinic) -> None:
    assert seeded.alerts["covered"] not in listed(browser, "?mine=1")
    assert len(listed(browser, "?mine=1")) == 3


def test_the_frame_says_whom_one_covers_and_until_when(browser: TestClient) -> None:
    assert "covering: Dr. Ben Baker (until " in browser.get("/inbox").text


@pytest.mark.parametrize(
    ("tab", "why"),
    [
        ("following", "when you acknowledge or snooze it"),
        ("answered", "Dismissed, closed and withdrawn alerts"),
    ],
)
def test_an_empty_tab_says_why_it_is_empty(browser: TestClient, tab: str, why: str) -> None:
    assert why in browser.get(f"/inbox?tab={tab}").text


def test_a_long_list_is_shown_in_parts(browser: TestClient, seeded: Clinic) -> None:
    assert len(listed(browser, "?show=2")) == 2
    assert "show=52" in browser.get("/inbox?show=2").text


def test_what_arrives_is_shown_above_the_list_and_counted(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    page = browser.get("/inbox").text
    link = re.search(r'hx-get="(/inbox/arrivals[^"]*)"', page)
    assert link is not None
    url = link[1].replace("&amp;", "&")
    assert "New:" not in browser.get(url).text

    with writing(store) as connection:
        value = clinic.Value(0.01, "hemoglobin", "61", "g/L")
        patient = seeded.patients["Pia Long-Hyphenated-Surname"]
        headline = "Hemoglobin 61 g/L just now"
        clinic.simple(connection, patient, seeded.now, value, "r", Severity.CRITICAL, headline, hours=0)

    arrived = browser.get(url).text
    assert "<b>New:</b> Hemoglobin 61 g/L just now" in arrived
    assert re.search(r'Needs an answer <span class="count calls">5</span>', arrived)


def test_what_arrives_for_others_is_not_shown(sign_in: SignIn, seeded: Clinic, store: Engine) -> None:
    chen = sign_in("chen")
    with writing(store) as connection:
        value = clinic.Value(0.01, "hemoglobin", "61", "g/L")
        patient = seeded.patients["Pia Long-Hyphenated-Surname"]
        clinic.simple(connection, patient, seeded.now, value, "r", Severity.CRITICAL, "Not Chen's", hours=0)

    assert "Not Chen" not in chen.get("/inbox/arrivals?since=0").text


def test_each_list_that_was_shown_is_one_record_naming_alerts_and_patients(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    browser.get("/inbox?tab=information")

    with store.connect() as connection:
        row = connection.execute(select(AUDIT).where(AUDIT.c.action == "list")).one()
    assert row.data == {"alerts": [seeded.alerts["low"]], "patients": [seeded.patients["Lena Marsh"]]}
    assert row.actor_ident == clinic.EXAMPLE.id
    assert row.at - seeded.now < timedelta(minutes=5)


def test_the_front_door_leads_to_the_list(visitor: TestClient) -> None:
    assert visitor.get("/").headers["location"] == "/inbox"
