"""Searching one's own alerts: what is found, what is not, and what is left behind."""

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import Engine, select

from alerts.tables import AUDIT
from tests.web.clinic import Clinic
from tests.web.forms import hidden


def found(browser: TestClient, words: str) -> Response:
    """The page of a search."""
    token = hidden(browser.get("/inbox").text, "csrf")
    return browser.post("/inbox/search", data={"csrf": token, "words": words})


@pytest.mark.parametrize("words", ["fjord", "FJORD high", "100456", "b12-high-iron", "nothing on record"])
def test_an_alert_is_found_by_name_number_rule_and_headline(
    browser: TestClient, seeded: Clinic, words: str
) -> None:
    page = found(browser, words).text
    assert f'href="/inbox/{seeded.alerts["high"]}"' in page
    assert "1 found" in page


@pytest.mark.parametrize(
    "words", ["Ivo Stone", "100444", "f%d", "fj_rd", "fjord hemoglobin-critical", "' OR 1=1 --"]
)
def test_s44_what_is_not_theirs_or_does_not_fit_is_not_found(
    browser: TestClient, seeded: Clinic, words: str
) -> None:
    assert "Nothing found" in found(browser, words).text


def test_no_words_find_nothing(browser: TestClient, seeded: Clinic) -> None:
    assert 'href="/inbox/1"' not in found(browser, "   ").text


def test_the_words_are_in_no_address_and_what_was_shown_is_kept(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    page = found(browser, "fjord")
    assert "fjord" not in str(page.url)
    with store.connect() as connection:
        kept = connection.execute(select(AUDIT).where(AUDIT.c.action == "list").order_by(AUDIT.c.id.desc()))
        newest = kept.first()
    assert newest is not None
    assert newest.data["alerts"] == [seeded.alerts["high"]]
    assert "fjord" not in str(newest.data)


def test_a_search_needs_its_token(browser: TestClient, seeded: Clinic) -> None:
    assert browser.post("/inbox/search", data={"csrf": "x", "words": "fjord"}).status_code == 403
    assert browser.get("/inbox/search").status_code in (404, 405, 422)
