"""Cover, pools and preferences: what a clinician sees, writes down, and cannot write down for others."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from alerts import directory
from alerts.tables import AUDIT, COVER
from tests.web.clinic import BAKER, CHEN, EXAMPLE, Clinic
from tests.web.conftest import SignIn
from tests.web.forms import hidden
from worker.database import reading

CHOSEN = f"{CHEN.system}|{CHEN.id}"


def sent(browser: TestClient, path: str, **fields: Any) -> Any:
    """A form, sent with its token."""
    return browser.post(path, data={"csrf": hidden(browser.get("/cover").text, "csrf"), **fields})


def days(seeded: Clinic, number: float) -> str:
    """A moment as a browser's date field sends it."""
    return (seeded.now + timedelta(days=number)).strftime("%Y-%m-%dT%H:%M")


def test_the_page_says_whom_one_covers_until_when_and_ones_pools(browser: TestClient) -> None:
    page = browser.get("/cover").text
    assert "Dr. Ben Baker</b>" in page
    assert "Hematology on call" in page
    assert "Nobody: an alert that you do not answer goes to a pool" in page


def test_a_cover_that_is_written_down_shows_ones_alerts_to_the_colleague(
    browser: TestClient, seeded: Clinic, sign_in: SignIn, store: Engine
) -> None:
    colleague = sign_in("chen")
    assert colleague.get(f"/inbox/{seeded.alerts['high']}").status_code == 404
    assert (
        sent(browser, "/cover", by=CHOSEN, since=days(seeded, -1), until=days(seeded, 3)).status_code == 303
    )
    assert colleague.get(f"/inbox/{seeded.alerts['high']}").status_code == 200
    assert "Dr. Chun Chen</b>" in browser.get("/cover").text

    with reading(store) as connection:
        number = connection.execute(select(COVER.c.id).where(COVER.c.covering_ident == CHEN.id)).scalar_one()
    assert sent(colleague, f"/cover/{number}/end").status_code == 404, "only the absent one ends it"
    assert sent(browser, f"/cover/{number}/end").status_code == 303
    assert colleague.get(f"/inbox/{seeded.alerts['high']}").status_code == 404
    with reading(store) as connection:
        acted = connection.execute(select(AUDIT.c.action).where(AUDIT.c.object_kind == "cover")).scalars()
        assert list(acted) == ["cover.add", "cover.end"]


@pytest.mark.parametrize(
    ("by", "since", "until"),
    [
        ("", 0, 1),
        ("urn:x|nobody", 0, 1),
        (f"{EXAMPLE.system}|{EXAMPLE.id}", 0, 1),
        ("urn:ferrule:pool|hematology", 0, 1),
        (CHOSEN, 2, 1),
        (CHOSEN, -2, -1),
        (CHOSEN, 0, None),
    ],
)
def test_a_cover_that_cannot_be_is_refused(
    browser: TestClient, seeded: Clinic, store: Engine, by: str, since: float, until: float | None
) -> None:
    end = days(seeded, until) if until is not None else "soon"
    assert sent(browser, "/cover", by=by, since=days(seeded, since), until=end).status_code == 422
    with reading(store) as connection:
        kept = connection.execute(select(COVER).where(COVER.c.absent_ident == EXAMPLE.id)).all()
    assert kept == []


def test_preferences_are_kept_and_shown_again(sign_in: SignIn, store: Engine) -> None:
    browser = sign_in(FERRULE_SMTP_URL="smtp://mail.example:25")
    assert 'value="email" checked' in browser.get("/preferences").text
    wish = {"digest": "07:30", "quiet_from": "20:00", "quiet_until": "07:00", "zone": "Europe/Oslo"}
    assert sent(browser, "/preferences", **wish).status_code == 303
    page = browser.get("/preferences").text
    assert all(f'value="{value}"' in page for value in wish.values())
    assert 'value="email" checked' not in page
    with reading(store) as connection:
        person = directory.person(connection, EXAMPLE)
        other = directory.person(connection, BAKER)
        noted = connection.execute(select(AUDIT).where(AUDIT.c.action == "preferences")).all()
    assert person is not None
    assert person.preferences.channels == ()
    assert other is not None
    assert other.preferences.channels is None
    assert len(noted) == 1


@pytest.mark.parametrize(
    "wish",
    [
        {"digest": "half past"},
        {"quiet_from": "20:00"},
        {"zone": "Mars/Olympus"},
        {"channel": "pigeon"},
    ],
)
def test_preferences_that_cannot_be_change_nothing(
    browser: TestClient, store: Engine, wish: dict[str, str]
) -> None:
    refused = sent(browser, "/preferences", **wish)
    assert refused.status_code == 422
    assert "Nothing was changed" in refused.text


def test_forms_need_their_token(browser: TestClient, seeded: Clinic) -> None:
    assert browser.post("/cover", data={"csrf": "x", "by": CHOSEN}).status_code == 403
    assert browser.post("/cover/1/end", data={"csrf": "x"}).status_code == 403
    assert browser.post("/preferences", data={"csrf": "x"}).status_code == 403
