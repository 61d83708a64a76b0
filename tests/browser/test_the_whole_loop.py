"""The acceptance of the closed loop, in a real browser: what is put on the queue is met, answered and ended.

Broker, worker, poller, mail relay, web server and browser are real. Only the clock that timers are due by is
moved, so that an hour need not be waited for; the browsers stay signed in.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from celery import Celery
from playwright.sync_api import expect
from sqlalchemy import Connection, Engine

from alerts import directory
from alerts.people import Address
from alerts.routing import Covering
from tests.browser.conftest import Open
from tests.integration.machine import machine, producer, submit
from tests.services.process import wait_until
from tests.services.smtp import MailSink, mail_relay
from tests.services.valkey import Valkey
from tests.web import clinic
from tests.web.clinic import BAKER, CHEN, EXAMPLE
from tests.web.serving import serving
from tests.worker.made_up import LOINC, deps_on, event, result
from worker.composition import Deps
from worker.database import db_now, make_engine, writing
from worker.schema import upgrade
from worker.telling import timers_due

pytestmark = pytest.mark.browser

SLOW_START_MS = 90_000
SOON_MS = 30_000
HEADLINE = "High B12 with iron deficiency"
CRITICAL = "Critical hemoglobin, below 70 g/L"
LOINC.setdefault("hemoglobin", ("718-7", "g/L"))


@dataclass(frozen=True)
class House:
    """Workers and a poller on one database, for all tests of this file; each test has its own patient."""

    engine: Engine
    producer: Celery
    mail: MailSink
    settings: dict[str, str]

    def send(self, id: str, results: list[dict[str, Any]], patient: str) -> None:
        """Put a report on the queue, ordered by Dr. Example."""
        orderer = {"system": EXAMPLE.system, "id": EXAMPLE.id}
        submit(self.producer, event(id, results, patient=patient, orderer=orderer))

    def letters_to(self, name: str) -> list[str]:
        """The subjects of what was mailed to somebody, in order."""
        found = [m["subject"] for m in self.mail.messages if f"{name}@example.org" in str(m["to"])]
        return [str(subject) for subject in found]


@dataclass
class Moved:
    """The clock that timers are due by: the database's, some time on."""

    by: timedelta = timedelta(0)

    def __call__(self, connection: Connection) -> datetime:
        return db_now(connection) + self.by


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, valkey: Valkey) -> Iterator[House]:
    valkey.client().flushall()
    place = tmp_path_factory.mktemp("loop")
    engine = make_engine(f"sqlite:///{place}/ferrule.sqlite3")
    upgrade(engine)
    with writing(engine) as connection:
        now = db_now(connection)
        clinic.add_people(connection, now)
        clinic.add_operator(connection, now)
        directory.register_pool(
            connection, "hematology", [CHEN], name="Hematology on call", email="pool@example.org"
        )
    with mail_relay() as mail:
        settings = {"smtp_url": mail.url, "fallback_pool": "hematology"}
        with machine(place, str(engine.url), valkey.url, **settings) as made:
            made.worker()
            made.poller()
            with closing(producer(valkey.url)) as outside:
                yield House(engine, outside, mail, settings)
    engine.dispose()


@pytest.fixture
def store(house: House) -> Engine:
    return house.engine


@pytest.fixture
def moved() -> Moved:
    return Moved()


@pytest.fixture
def deps(house: House, moved: Moved) -> Deps:
    return replace(deps_on(house.engine, local_accounts="on", **house.settings), clock=moved)


@pytest.fixture
def address(deps: Deps) -> Iterator[str]:
    with serving(deps) as address:
        yield address


def test_an_alert_comes_by_itself_is_understood_and_answered_and_ends_when_what_it_waited_for_has_come(
    open_signed_in: Open, house: House
) -> None:
    # Given an inbox that stands open
    page = open_signed_in()
    expect(page.get_by_text("Nothing needs your answer.")).to_be_visible()

    # When a report is put on the queue, the alert stands there, without a reload
    page.evaluate("window.untouched = true")
    house.send("M1", [result("F1", "ferritin", "9"), result("B1", "b12", "1450")], "loop")
    alert = page.get_by_role("link", name=HEADLINE)
    expect(alert).to_be_visible(timeout=SLOW_START_MS)
    expect(page.locator("#tabs")).to_contain_text("Needs an answer 1")
    assert page.evaluate("window.untouched")

    # Then it can be understood: the values, the chart, and why it fired
    alert.click()
    expect(page.get_by_role("row", name=re.compile("^Ferritin"))).to_contain_text("9 ng/mL")
    expect(page.get_by_role("row", name=re.compile("^Vitamin B12"))).to_contain_text("1,450 pg/mL")
    expect(page.locator("#plots canvas").first).to_be_visible()
    page.get_by_text("Why this fired").click()
    expect(page.locator(".tree")).to_contain_text("ferritin")
    expect(page.locator(".tree .true").first).to_be_visible()

    # And answered, whereupon the page says what is waited for
    page.get_by_role("button", name="Acknowledge and follow up").click()
    expect(page.get_by_role("heading", name="You have it: acknowledged")).to_be_visible()
    expect(page.get_by_text("is expected by").first).to_be_visible()
    address = page.url
    page.goto("/inbox?tab=following")
    expect(page.get_by_role("link", name=HEADLINE)).to_be_visible()

    # When the results it waits for come by the queue, it leaves the list and is closed
    now = [result("B2", "b12", "1380", hours_ago=0), result("H2", "hemoglobin", "128", hours_ago=0)]
    house.send("M2", now, "loop")
    page.goto("/inbox?tab=answered")
    expect(page.get_by_role("link", name=HEADLINE)).to_be_visible(timeout=SOON_MS)
    page.goto(address)
    expect(page.get_by_role("heading", name="Closed", exact=True)).to_be_visible()
    expect(page.locator("section.next")).to_contain_text("What was waited for has come.")


def test_f68_an_alert_nobody_answers_reaches_cover_pool_and_call_list_at_their_times(
    open_signed_in: Open, house: House, deps: Deps, moved: Moved
) -> None:
    # Given an operator's call list and the inbox of the orderer, both open
    calls, page = open_signed_in("/calls", user="ops"), open_signed_in()
    expect(calls.get_by_text("Nobody has to be called.")).to_be_visible()

    # When a critical result comes
    house.send("M3", [result("H1", "hemoglobin", "61", hours_ago=1)], "ignored")
    expect(page.get_by_role("link", name=CRITICAL)).to_be_visible(timeout=SLOW_START_MS)
    wait_until(lambda: CRITICAL in house.letters_to("example"), "the orderer is not told", 30)
    put_in_charge(house, BAKER)

    # Then each rung comes at its time and not before, and tells whoever is next
    for minutes, who, subject in RUNGS:
        moved.by = timedelta(minutes=minutes - 1)
        assert timers_due(deps) == 0, f"before the {minutes} minutes"
        moved.by = timedelta(minutes=minutes)
        assert timers_due(deps) == 1, f"not at {minutes} minutes"
        told = (who, f"{subject}{CRITICAL}", minutes // 60 + 1)
        wait_until(lambda told=told: house.letters_to(told[0]).count(told[1]) >= told[2], str(told), 30)

    # And the call list, which stands open, shows it by itself
    expect(calls.get_by_role("heading", name="hemoglobin-critical")).to_be_visible(timeout=SOON_MS)
    expect(calls.locator("#queue")).to_contain_text("Dr. Ada Example")

    # And the alert's page says what was done, and the alert is still open
    page.get_by_role("link", name=CRITICAL).click()
    page.get_by_text("History", exact=True).click()
    history = page.locator("details", has=page.get_by_text("History", exact=True))
    for line in ("Reminded: nobody had answered", "told to Dr. Ben Baker", "told to Hematology on call"):
        expect(history).to_contain_text(line)
    expect(page.get_by_role("button", name="Acknowledge and follow up")).to_be_visible()


RUNGS = (
    (15, "example", "Reminder: "),
    (30, "baker", "Nobody has answered: "),
    (45, "pool", "Nobody has answered: "),
    (60, "pool", "Nobody has answered: "),
)
"""After how many minutes, to whom, in which words: the ladder of a critical alert as it is built in."""


def put_in_charge(house: House, who: Address) -> None:
    """Somebody covers the orderer from now on."""
    with writing(house.engine) as connection:
        now = db_now(connection)
        directory.cover(connection, Covering(EXAMPLE, who, now, now + timedelta(days=1)))
