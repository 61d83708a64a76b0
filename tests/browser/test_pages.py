"""The pages in a real browser: reading, answering, arriving alerts, keyboard, phone, and axe."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from rules.findings import Severity
from tests.browser.conftest import AXE, SCHEMES, WIDTHS, Open
from tests.web import clinic
from tests.web.clinic import Clinic
from worker.accepting import Inbound, accept
from worker.database import writing
from worker.tables import SESSION

pytestmark = pytest.mark.browser

EVERY_LOOK = [(width, scheme) for width in WIDTHS for scheme in SCHEMES]
PATHS = [
    "/inbox",
    "/inbox?tab=following",
    "/inbox/1",
    "/inbox/2",
    "/inbox/999",
    "/login",
    "/cover",
    "/preferences",
]
OPERATORS = ["/quarantine", "/storms", "/unaddressed", "/calls", "/overdue"]


def violations(page: Page) -> list[Any]:
    """What axe finds against WCAG 2.2 A and AA, each with the elements it is about."""
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    page.evaluate(AXE.read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate(f"axe.run({{runOnly: {json.dumps(tags)}}})")
    assert len(found["passes"]) > 10
    return [(v["id"], v["help"], [n["target"] for n in v["nodes"]]) for v in found["violations"]]


@pytest.mark.parametrize(("width", "scheme"), EVERY_LOOK)
def test_axe_finds_nothing_on_any_page(open_signed_in: Open, width: str, scheme: str) -> None:
    page = open_signed_in(width=width, scheme=scheme, axe=True)
    for path in PATHS:
        page.goto(path)
        assert violations(page) == [], path


@pytest.mark.parametrize(("width", "scheme"), EVERY_LOOK)
def test_axe_finds_nothing_on_any_operators_page(
    open_signed_in: Open, store: Engine, seeded: Clinic, width: str, scheme: str
) -> None:
    _fill_the_queues(store, seeded)
    page = open_signed_in("/quarantine", width=width, scheme=scheme, axe=True, user="ops")
    for path in OPERATORS:
        page.goto(path)
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.goto("/calls")
    page.click("text=Show what to tell")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_call_is_written_down_with_the_keyboard_alone_and_without_a_script(
    open_signed_in: Open, store: Engine, seeded: Clinic
) -> None:
    _fill_the_queues(store, seeded)
    page = open_signed_in("/calls", script=False, user="ops")
    _tab_to(page, "Show what to tell")
    page.keyboard.press("Enter")
    expect(page.get_by_text("68 g/L").first).to_be_visible()
    page.get_by_label("What was told, with its unit").focus()
    page.keyboard.type("hemoglobin 68 g/L")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    _tab_to(page, "Write the call down")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The call is written down.")).to_be_visible()
    expect(page.get_by_text("Nobody has to be called.")).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_its_window(open_signed_in: Open, width: str) -> None:
    page = open_signed_in(width=width)
    for path in PATHS:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_every_control_is_large_enough_to_hit(open_signed_in: Open) -> None:
    page = open_signed_in(width="phone")
    for path in ("/inbox", "/inbox/2"):
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        controls = page.locator(
            "main button, main summary, main select, main fieldset label, nav a, .back, header a"
        )
        heights = {c.inner_text()[:30]: c.bounding_box() for c in controls.all() if c.is_visible()}
        assert len(heights) > 3
        small = {name: box for name, box in heights.items() if box and box["height"] < 43.5}
        assert small == {}, path


def test_an_alert_is_read_and_answered_without_a_script(open_signed_in: Open) -> None:
    page = open_signed_in(script=False)
    page.click("text=High B12 with iron deficiency")
    expect(page.get_by_text("above 914 pg/mL (laboratory)")).to_be_visible()
    expect(page.get_by_role("cell", name="corrected to 9 ng/mL")).to_be_visible()

    page.click("summary:has-text('Dismiss')")
    page.click("text=Known diagnosis")
    page.click("button:has-text('Dismiss')")

    expect(page.get_by_role("heading", name="Dismissed: Known diagnosis")).to_be_visible()


def test_a_new_alert_appears_by_itself_and_moves_nothing(
    open_signed_in: Open, store: Engine, seeded: Clinic
) -> None:
    page = open_signed_in()
    row = page.get_by_role("link", name="Iron and B12 both low")
    before = row.bounding_box()
    page.wait_for_timeout(700)

    _raise(store, seeded, "Hemoglobin 61 g/L just now")

    expect(page.locator("#arrivals")).to_contain_text("Hemoglobin 61 g/L just now", timeout=15_000)
    expect(page.locator("#tabs")).to_contain_text("Needs an answer 5")
    assert row.bounding_box() == before
    page.get_by_role("button", name="Show in the list").click()
    expect(page.locator("#list")).to_contain_text("Hemoglobin 61 g/L just now")


def test_an_empty_list_fills_by_itself(open_signed_in: Open, store: Engine, seeded: Clinic) -> None:
    page = open_signed_in("/inbox?tab=answered")
    expect(page.get_by_text("No alert has ended yet.")).to_be_visible()
    page.wait_for_timeout(700)

    with page.context.expect_page() as opened:
        page.evaluate("open('/inbox/2')")
    other = opened.value
    other.click("button:has-text('Explained: takes B12')")

    expect(page.locator("#list")).to_contain_text("High B12 with iron deficiency", timeout=15_000)


def test_the_chart_is_read_with_the_arrow_keys(open_signed_in: Open) -> None:
    page = open_signed_in("/inbox/2")
    plot = page.get_by_role("group", name="Ferritin")
    plot.focus()

    plot.press("End")
    expect(page.locator("#said")).to_contain_text("Ferritin 9 ng/mL, taken ")
    plot.press("ArrowLeft")
    expect(page.locator("#said")).to_contain_text("Ferritin 19 ng/mL")
    expect(page.locator("#said")).to_contain_text("corrected to 9 ng/mL")
    plot.press("Home")
    expect(page.locator("#said")).to_contain_text("Ferritin 38 ng/mL")


def test_the_chart_is_read_with_the_mouse(open_signed_in: Open) -> None:
    page = open_signed_in("/inbox/2")
    over = page.get_by_role("group", name="Hemoglobin").locator(".u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    expect(page.locator("#said")).to_contain_text("Hemoglobin 122 g/L")


def test_an_answer_can_be_given_with_the_keyboard_alone(open_signed_in: Open) -> None:
    page = open_signed_in("/inbox/2")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Acknowledge and follow up":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"

    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="You have it: acknowledged")).to_be_visible()


def test_a_page_left_open_asks_for_a_log_in_once_its_session_has_ended(
    open_signed_in: Open, store: Engine, seeded: Clinic
) -> None:
    page = open_signed_in()
    with writing(store) as connection:
        connection.execute(SESSION.update().values(ended_at=seeded.now))

    page.evaluate("htmx.trigger('#arrivals', 'sse:alert')")

    expect(page.get_by_label("Password")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Mina Fjord")).to_have_count(0)


def test_s30_nothing_of_a_patient_is_left_in_the_browser(open_signed_in: Open) -> None:
    page = open_signed_in("/inbox")
    page.click("text=High B12 with iron deficiency")
    page.go_back()

    assert page.evaluate("localStorage.length") == 0
    kept = page.evaluate("Object.values(sessionStorage)")
    assert set(kept) <= {"/inbox", "/inbox/2"}, "a path at most"
    assert "ferrule_session" not in page.evaluate("document.cookie")


def _raise(store: Engine, seeded: Clinic, headline: str) -> int:
    with writing(store) as connection:
        patient = seeded.patients["Pia Long-Hyphenated-Surname"]
        value = clinic.Value(0.01, "hemoglobin", "61", "g/L")
        return clinic.simple(
            connection, patient, seeded.now, value, "a-rule", Severity.CRITICAL, headline, hours=0
        )


def test_the_list_is_walked_and_an_alert_answered_with_single_keys(open_signed_in: Open) -> None:
    page = open_signed_in("/inbox")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Hemoglobin 68 g/L")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="High B12 with iron deficiency")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/inbox/2")

    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Acknowledge and follow up")).to_be_focused()
    page.keyboard.press("d")
    expect(page.get_by_label("Explained: takes B12, a multivitamin")).to_be_focused()
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="You have it: acknowledged")).to_be_visible()
    page.keyboard.press("u")
    page.wait_for_url("**/inbox?tab=following")


def test_the_keys_are_explained_and_can_be_switched_off(open_signed_in: Open) -> None:
    page = open_signed_in("/inbox")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.get_by_role("switch").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Hemoglobin 68 g/L")).not_to_be_focused()


def test_a_search_is_typed_and_sent_with_the_keyboard(open_signed_in: Open) -> None:
    page = open_signed_in("/inbox")
    page.keyboard.press("/")
    page.keyboard.type("fjord jk?")
    expect(page.get_by_label("Search your alerts")).to_have_value("fjord jk?")
    page.get_by_label("Search your alerts").fill("fjord")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 found")).to_be_visible()


def test_a_list_that_stands_open_follows_but_takes_nothing_from_under_somebodys_hands(
    open_signed_in: Open, store: Engine, seeded: Clinic
) -> None:
    with writing(store) as connection:
        clinic.add_operator(connection, seeded.now)
    page = open_signed_in("/unaddressed", user="ops")
    expect(page.get_by_text("Every open alert reaches somebody.")).to_be_visible()

    with writing(store) as connection:
        clinic.strand(connection, seeded.alerts["others"])
    why = page.get_by_label("Why")
    expect(why).to_be_visible(timeout=15_000)

    why.fill("the ward has been asked")
    with writing(store) as connection:
        clinic.strand(connection, seeded.alerts["critical"])
    expect(page.get_by_role("link", name="Show it")).to_be_visible(timeout=15_000)
    expect(why).to_have_value("the ward has been asked")
    page.get_by_role("link", name="Show it").click()
    expect(why).to_have_count(2)


def _fill_the_queues(store: Engine, seeded: Clinic) -> None:
    """An operator, and something in each of their queues."""
    accept(store, [Inbound("urn:lab:north", "bad", "event", b"{", ("not-json", "line 1", "send JSON"))])
    with writing(store) as connection:
        clinic.add_operator(connection, seeded.now)
        clinic.add_storm(connection, seeded.now)
        clinic.strand(connection, seeded.alerts["others"])
        clinic.put_on_call_list(connection, seeded.alerts["critical"], seeded.now)
        clinic.make_late(connection, seeded.alerts["high"], seeded.now)


def _tab_to(page: Page, words: str) -> None:
    """Walk to a control as the keyboard does; each stop shows where it is."""
    for _ in range(40):
        page.keyboard.press("Tab")
        active = page.locator(":focus")
        if active.count() and active.inner_text().strip() == words:
            return
    raise AssertionError(f"no way to {words}")
