"""B52: a patient's name is only ever a name, whatever a sender has put into it."""

import html

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from tests.web.clinic import Clinic
from worker.database import writing
from worker.tables import PATIENT
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


def test_b52_a_name_of_nothing_but_control_characters_is_no_name() -> None:
    assert shown_name("\u202e\u2069 ") == ""
    assert shown_name("Erika Muster") == "Erika Muster"
