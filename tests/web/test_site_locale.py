"""FERRULE_LOCALE on the pages, in the chart and on the printed list; never in what programs read."""

import asyncio
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from tests.web.clinic import CLINICIAN_TOKEN, Clinic
from tests.web.conftest import SignIn
from worker.composition import Deps
from worker.downtime_list import as_page, as_text, open_alerts
from worker.locales import locale_named, month_and_day, plain, whole_date
from worker.settings import read_settings
from worker.web import words
from worker.web.deps import in_the_sites_locale

TAGS = ("de-DE", "en-US")
UTC = ZoneInfo("UTC")


def spoken(said: str, tag: str) -> str:
    """As it stands on a page: English is the page's own language."""
    return f'<bdi lang="{tag}">{plain(said)}</bdi>' if said != plain(said) else said


def chart_of(page: str) -> dict[str, Any]:
    found = re.search(r'id="chart-data">(.*?)</script>', page)
    assert found
    drawn: dict[str, Any] = json.loads(found[1])
    return drawn


@pytest.mark.parametrize("tag", TAGS)
def test_the_alert_page_has_the_sites_dates_and_says_their_language(
    sign_in: SignIn, seeded: Clinic, tag: str
) -> None:
    page = sign_in(FERRULE_LOCALE=tag).get(f"/inbox/{seeded.alerts['high']}").text
    known = [point["t"] for panel in chart_of(page)["panels"] for point in panel["points"]]
    day = datetime.fromtimestamp(min(known), UTC).date()
    assert spoken(whole_date(day, locale_named(tag)), tag) in page
    assert '<html lang="en">' in page
    assert "\u2068" not in page


@pytest.mark.parametrize(("tag", "value"), [("de-DE", "1\u202f450 pg/mL"), ("en-US", "1,450 pg/mL")])
def test_a_value_is_read_the_same_on_every_page(
    sign_in: SignIn, seeded: Clinic, tag: str, value: str
) -> None:
    browser = sign_in(FERRULE_LOCALE=tag)
    for path in ("/inbox", f"/inbox/{seeded.alerts['high']}"):
        page = browser.get(path).text
        assert value in page
        assert "1.450" not in page


@pytest.mark.parametrize(("tag", "thousands"), [("de-DE", "\u202f"), ("en-US", ",")])
def test_the_chart_is_told_the_locale_and_its_dates_are_the_sites(
    sign_in: SignIn, seeded: Clinic, tag: str, thousands: str
) -> None:
    drawn = chart_of(sign_in(FERRULE_LOCALE=tag).get(f"/inbox/{seeded.alerts['high']}").text)
    assert (drawn["locale"], drawn["thousands"]) == (tag, thousands)
    point = drawn["panels"][0]["points"][0]
    day = datetime.fromtimestamp(point["t"], UTC).date()
    assert point["taken"] == plain(whole_date(day, locale_named(tag)))
    assert isinstance(point["y"], float)


@pytest.mark.parametrize("tag", TAGS)
def test_the_inbox_has_the_sites_dates(sign_in: SignIn, seeded: Clinic, tag: str) -> None:
    shown, plainly = (sign_in(**given).get("/inbox").text for given in ({"FERRULE_LOCALE": tag}, {}))
    assert '<html lang="en">' in shown
    told = re.findall(r"by (?:tomorrow )?(\d\d:\d\d)", plainly)
    assert told
    assert bool(re.search(r"\d\u202f[AP]M", shown)) is (tag == "en-US")


@pytest.mark.parametrize("tag", TAGS)
def test_the_printed_list_has_the_sites_dates(store: Engine, seeded: Clinic, tag: str) -> None:
    locale = locale_named(tag)
    with store.connect() as connection:
        entries = open_alerts(connection, seeded.now)
    raised = whole_date(entries[0].raised_at.date(), locale)
    born = next(entry.born for entry in entries if entry.born)
    text, page = (write(entries, seeded.now, UTC, locale) for write in (as_text, as_page))
    assert f"raised {plain(raised)}" in text
    assert f"born {plain(whole_date(born, locale))}" in text
    assert re.search(r"\n  values:  .*\n  for:     ", text)
    assert f"raised {spoken(raised, tag)}" in page
    assert f"({spoken(whole_date(entries[0].values[0][1].date(), locale), tag)})" in page
    assert month_and_day(born, locale) not in as_text(entries, seeded.now, UTC)


@pytest.mark.parametrize(
    "path", ["/api/alerts", "/api/alerts/{high}", "/fhir/metadata", "/fhir/DetectedIssue/{high}"]
)
def test_what_programs_read_is_the_same_in_every_locale(
    open_door: Callable[..., TestClient], seeded: Clinic, path: str
) -> None:
    asked = {"authorization": f"Bearer {CLINICIAN_TOKEN}", "accept": "application/json"}
    bodies = [
        open_door(**given).get(path.format(**seeded.alerts), headers=asked)
        for given in ({}, {"FERRULE_LOCALE": "de-DE"})
    ]
    assert bodies[0].status_code == 200
    assert bodies[0].json() == bodies[1].json()


@pytest.mark.parametrize(("path", "written"), [("/governance", "de_DE"), ("/api/governance", "None")])
def test_an_operation_beside_a_page_is_written_without_locale(deps: Deps, path: str, written: str) -> None:
    german = replace(deps, settings=read_settings({"FERRULE_LOCALE": "de-DE"}))
    app = SimpleNamespace(state=SimpleNamespace(deps=german))
    request = Request({"type": "http", "path": path, "headers": [], "server": ("test", 80), "app": app})

    async def chosen() -> str:
        await in_the_sites_locale(request)
        return str(words.LOCALE.get())

    # In a thread of its own: a browser test of the same process leaves its loop running.
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(asyncio.run, chosen()).result() == written
