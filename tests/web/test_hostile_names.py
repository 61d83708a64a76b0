"""B52: a patient's name is only ever a name, whatever a sender has put into it."""

import html
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from alerts import directory
from alerts.channels.channel import Line, Message
from alerts.channels.email import compose
from alerts.people import Address
from alerts.states import Step
from rules.findings import Severity
from tests.services.smtp import MailSink
from tests.web.clinic import Clinic
from tests.worker.made_up import deps_on, event, inbound, result
from worker.accepting import accept
from worker.database import reading, writing
from worker.downtime_list import as_page, as_text, open_alerts
from worker.pipeline import judge
from worker.tables import PATIENT
from worker.telling import push_due
from worker.web.people import LONGEST_NAME, shown_name

OVERRIDE = "Ada \u202egnp.exe Example"
SCRIPT = "<script>alert(1)</script>"


def pages(browser: TestClient, seeded: Clinic, store: Engine, name: str) -> list[str]:
    """The list and the alert's page, with the patient named so."""
    with writing(store) as connection:
        connection.execute(
            PATIENT.update().where(PATIENT.c.id == seeded.patients["Mina Fjord"]).values(name=name)
        )
    return [browser.get(path).text for path in ("/inbox", f"/inbox/{seeded.alerts['high']}")]


@pytest.mark.parametrize("name", [SCRIPT, '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}"])
def test_b52_markup_in_a_name_is_shown_as_text(
    browser: TestClient, seeded: Clinic, store: Engine, name: str
) -> None:
    for page in pages(browser, seeded, store, name):
        assert html.escape(name, quote=False) in html.unescape(page).replace("<", "&lt;").replace(">", "&gt;")
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert ">49<" not in page


def test_b52_an_override_cannot_turn_the_words_around_a_name(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    for page in pages(browser, seeded, store, OVERRIDE):
        assert "\u202e" not in page
        assert "Ada gnp.exe Example" in page


@pytest.mark.parametrize("name", ["דנה כהן", "ليلى حسن"])
def test_b52_a_name_from_right_to_left_is_isolated(
    browser: TestClient, seeded: Clinic, store: Engine, name: str
) -> None:
    for page in pages(browser, seeded, store, name):
        assert f"\u2068{name}\u2069" in page


def test_b52_emoji_stay_and_2000_characters_are_cut_with_a_marker(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    for page in pages(browser, seeded, store, "😀" + "x" * 2000):
        assert "😀" + "x" * (LONGEST_NAME - 2) + "…" in page
        assert "x" * LONGEST_NAME not in page


HOSTILE = f"{SCRIPT} \u202egnp.exe\x1b[2J\r\nBcc: x@example.org 😀" + "x" * 2000


def test_b52_the_printed_list_shows_a_name_inert_in_one_line_and_cut(
    store: Engine, seeded: Clinic, browser: TestClient
) -> None:
    pages(browser, seeded, store, HOSTILE)
    zone = ZoneInfo("UTC")
    with reading(store) as connection:
        entries = open_alerts(connection, seeded.now)
    text, printed = as_text(entries, seeded.now, zone), as_page(entries, seeded.now, zone)
    for one in (text, printed):
        assert not {"\u202e", "\x1b", "\r"} & set(one)
        assert "x" * LONGEST_NAME not in one
        assert "😀" in one
        assert "…" in one
    assert any(line.startswith("  patient: <script>") and "Bcc: x@" in line for line in text.splitlines())
    assert "<script>" not in printed
    assert "&lt;script&gt;" in printed


def test_b52_an_e_mail_carries_no_name_and_no_headline_turns_its_subject() -> None:
    headline = f"Ferritin 9 {HOSTILE}"
    line = Line(7, Step.RAISE, Severity.HIGH, headline)
    to = Address("urn:x", "1")
    message = Message("k" * 64, to, "ada@example.org", datetime(2026, 3, 1, tzinfo=UTC), (line,))
    mail = compose(message, "ferrule@example.org", "https://ferrule.example.org")
    assert mail["Bcc"] is None
    assert not {"\u202e", "\x1b", "\r", "\n"} & set(mail["Subject"])
    assert len(mail["Subject"]) <= 200
    page = mail.get_body(("html",))
    assert page is not None
    assert "<script>" not in page.get_content()


def test_b52_a_mail_of_a_patient_with_a_hostile_name_holds_nothing_of_it(
    engine: Engine, mail_sink: MailSink
) -> None:
    deps = deps_on(engine, smtp_url=mail_sink.url, smtp_from="ferrule@example.org")
    with writing(engine) as connection:
        directory.register(
            connection, Address("http://hl7.org/fhir/sid/us-npi", "1234567893"), email="a@example.org"
        )
    told = event("M1", [result("R1", "ferritin", "9"), result("R2", "b12", "1450")])
    told["data"]["patient"]["name"] = HOSTILE
    judge(deps, [receipt.message for receipt in accept(engine, [inbound(told)])])
    assert push_due(deps, "email")
    assert mail_sink.letters
    assert not any(part in letter for letter in mail_sink.letters for part in (b"script", b"gnp", b"Bcc"))


def test_b52_a_name_of_nothing_but_control_characters_is_no_name() -> None:
    assert shown_name("\u202e\u2069 ") == ""
    assert shown_name("Erika Muster") == "Erika Muster"
