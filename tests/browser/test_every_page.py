"""The pages of rule owners and privacy officers, and those beside the inbox: axe, width, keyboard alone."""

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, update

from alerts import silent
from alerts.people import Actor
from alerts.silent import Verdict
from alerts.tables import ALERT, SILENT_FINDING
from tests.browser.conftest import Open
from tests.browser.test_pages import violations
from tests.web import clinic
from tests.web.clinic import Clinic
from worker.database import writing
from worker.tables import ACCOUNT

pytestmark = pytest.mark.browser

BESIDE_THE_INBOX = ("/break-glass", "/inbox?tab=information", "/inbox?tab=answered")
OF_OTHER_ROLES = ("/governance", "/governance/silent", "/privacy")
LOOKS = (("desktop", "light"), ("phone", "dark"))


@pytest.fixture
def found(store: Engine, seeded: Clinic) -> None:
    """Somebody with both roles, and two findings of a silent rule, one of them judged."""
    copied = [
        column
        for column in SILENT_FINDING.c
        if column.name in ALERT.c and column.name not in ("id", "reason")
    ]
    with writing(store) as connection:
        clinic.add_operator(connection, seeded.now, "owner")
        roles = {"role": "rule-owner privacy-officer"}
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.username == "owner").values(roles))
        for name in ("high", "codeficiency"):
            alert = connection.execute(ALERT.select().where(ALERT.c.id == seeded.alerts[name])).one()
            row = {column.name: getattr(alert, column.name) for column in copied}
            connection.execute(SILENT_FINDING.insert().values({**row, "found_at": seeded.now}))
        by = Actor("urn:ferrule:account", "owner")
        silent.adjudicate(connection, 1, Verdict.RIGHT, "the chart says so too", by, seeded.now)


def check(page: Page, path: str) -> None:
    assert violations(page) == [], path
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_axe_finds_nothing_beside_the_inbox_and_on_the_pages_of_other_roles(
    open_signed_in: Open, found: None, width: str, scheme: str
) -> None:
    for user, paths in (("example", BESIDE_THE_INBOX), ("owner", OF_OTHER_ROLES)):
        page = open_signed_in(paths[0], width=width, scheme=scheme, axe=True, user=user)
        for path in paths:
            page.goto(path)
            check(page, path)
    page = open_signed_in(width=width, scheme=scheme, axe=True)
    page.fill("#words", "fjord")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 found")).to_be_visible()
    check(page, "search")


def walk_to(page: Page, words: str) -> None:
    """Press Tab until the control that begins with these words has the focus, which must be seen."""
    for _ in range(60):
        page.keyboard.press("Tab")
        active = page.locator(":focus")
        if active.count() and active.inner_text().strip().startswith(words):
            assert active.evaluate("one => getComputedStyle(one).outlineStyle") != "none"
            return
    raise AssertionError(f"no way to {words}")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_from_the_inbox_to_an_answer_and_back_with_tab_and_enter_alone(
    open_signed_in: Open, script: bool
) -> None:
    page = open_signed_in(script=script)
    for words in ("High B12 with iron deficiency", "Acknowledge and follow up"):
        walk_to(page, words)
        page.keyboard.press("Enter")
        page.wait_for_load_state()
    expect(page.get_by_role("heading", name="You have it: acknowledged")).to_be_visible()
    walk_to(page, "← Back to the list")
    page.keyboard.press("Enter")
    expect(page.locator("#list")).to_contain_text("High B12 with iron deficiency")


def test_a_silent_finding_is_judged_without_a_script(open_signed_in: Open, found: None) -> None:
    page = open_signed_in("/governance", script=False, user="owner")
    page.get_by_role("button", name="Judge what they found").click()
    finding = page.locator("section.item.answer").first
    finding.get_by_label("Wrong: it should not be told").check()
    finding.get_by_label("Why").fill("the ferritin was taken after an infusion")
    finding.get_by_role("button", name="Keep the verdict").click()
    page.get_by_role("link", name="Back to the rules").click()
    expect(page.get_by_text("0 right, 1 wrong, 0 unsure")).to_be_visible()
