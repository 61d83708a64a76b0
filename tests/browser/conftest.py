"""A served clinic and pages of a real browser, signed in, in every look."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import Engine

from rules.load import load_ruleset
from tests.services.schema import open_engine
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.serving import serving
from worker.composition import Deps, unheard
from worker.settings import read_settings

AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")

Open = Callable[..., Page]


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Engine]:
    """The clinic's database."""
    engine = open_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def seeded(store: Engine) -> Clinic:
    """The clinic's rows."""
    return clinic.seed(store)


@pytest.fixture
def address(store: Engine, seeded: Clinic) -> Iterator[str]:
    """Where the clinic is served."""
    settings = read_settings({"FERRULE_LOCAL_ACCOUNTS": "on"})
    with serving(Deps(engine=store, ruleset=load_ruleset(), settings=settings, publish=unheard)) as address:
        yield address


@pytest.fixture
def open_signed_in(chromium: Browser, address: str) -> Iterator[Open]:
    """Opens a page in a new browser profile, signed in; a script error or a refused asset fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(
        path: str = "/inbox",
        width: str = "desktop",
        scheme: str = "light",
        script: bool = True,
        axe: bool = False,
        user: str = "example",
    ) -> Page:
        wide, high = WIDTHS[width]
        context = chromium.new_context(
            base_url=address,
            viewport={"width": wide, "height": high},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=script,
            bypass_csp=axe,  # axe writes styles of its own while it looks
            locale="en-US",
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda line: complaints.append(line.text) if "Security Policy" in line.text else None
        )
        page.goto("/login")
        page.fill("#username", user)
        page.fill("#password", clinic.PASSWORD)
        page.click("main button")
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
