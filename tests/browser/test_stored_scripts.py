"""S41: text of a message that is meant to run runs nowhere: list, alert and printed sheet, in a real browser.

The pages are opened without their Content-Security-Policy: what holds must be the writing alone.
"""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine, update

from alerts.tables import ALERT
from tests.browser.conftest import Open
from tests.web.clinic import Clinic
from worker.database import reading, writing
from worker.downtime_list import as_page, open_alerts
from worker.tables import PATIENT, RECORD, RESULT

pytestmark = pytest.mark.browser

CORPUS = (
    "<script>window.ran=1</script>",
    '"><img src=x onerror="window.ran=1">',
    "'><svg/onload=window.ran=1>",
    "</title></textarea></script><script>window.ran=1</script>",
    '" autofocus onfocus="window.ran=1" x="',
    '<a href="javascript:window.ran=1" id=clickme>x</a>',
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "<style>@import 'x'</style><math><mi xlink:href='javascript:window.ran=1'>",
    "{{constructor.constructor('window.ran=1')()}}${window.ran=1}",
    "<!--><script>window.ran=1</script-->\\u003cscript>window.ran=1\\u003c/script>",
)
MADE = "main :is(img, iframe, style, math, a[href^='javascript']), [onerror], [onload], [onfocus]"


def poison(store: Engine, text: str) -> None:
    """Every text that came with a message is this one."""
    with writing(store) as connection:
        connection.execute(update(PATIENT).values(name=text))
        connection.execute(update(RESULT).values(reported_unit=text, reported_value=text, notes=[text]))
        connection.execute(update(RECORD).values(name=text))
        connection.execute(update(ALERT).values(headline=text, text=text, actions=[text], sources=[text]))


def assert_inert(page: Page, where: str) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert page.evaluate("window.ran") is None, where
    assert page.locator(MADE).count() == 0, where
    assert "ran=1" in page.inner_text("body"), f"{where} shows none of it: the test looks at nothing"


def test_s41_no_text_of_a_message_runs_on_a_page(open_signed_in: Open, store: Engine, seeded: Clinic) -> None:
    page = open_signed_in("/inbox", axe=True)
    for text in CORPUS:
        poison(store, text)
        for path in ("/inbox", f"/inbox/{seeded.alerts['high']}"):
            page.goto(path)
            assert_inert(page, f"{path}: {text}")


def test_s41_no_text_of_a_message_runs_on_the_printed_sheet(
    chromium: Browser, store: Engine, seeded: Clinic, tmp_path: Path
) -> None:
    page = chromium.new_page()
    for text in CORPUS:
        poison(store, text)
        with reading(store) as connection:
            sheet = as_page(open_alerts(connection, seeded.now), seeded.now, ZoneInfo("UTC"))
        (tmp_path / "sheet.html").write_text(sheet, encoding="utf-8")
        page.goto((tmp_path / "sheet.html").as_uri())
        assert_inert(page, text)
    page.close()
