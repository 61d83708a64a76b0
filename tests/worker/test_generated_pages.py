"""The generated pages: nothing that exists is missing from them, and they come out the same each time."""

import re
from pathlib import Path

import pytest

from tests.services.schema import open_engine
from worker import verbs
from worker.exposition import render
from worker.generated_pages import PAGES, commands_page, metrics_page, settings_page, states_page
from worker.settings import PREFIX, Settings


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_the_same_each_time_it_is_written(path: str) -> None:
    assert PAGES[path]() == PAGES[path]()


def test_every_setting_has_a_line_that_says_what_it_means() -> None:
    lines = re.findall(rf"^\| `{PREFIX}(\w+)` \| .* \| (.*) \|$", settings_page(), re.M)
    assert {name.lower() for name, _ in lines} == set(Settings.model_fields)
    assert [name for name, meaning in lines if not meaning] == []


def test_every_family_of_the_metrics_page_is_described(sqlite_url: str) -> None:
    scraped = set(re.findall(r"^# TYPE (\S+)", render(open_engine(sqlite_url)).decode(), re.M))
    assert set(re.findall(r"^\| `(\w+)`", metrics_page(), re.M)) == scraped


def test_every_command_is_described() -> None:
    """A verb's file has its name; a part of one begins with it (alerts_silent)."""
    files = {path.stem.partition("_")[0] for path in Path(verbs.__file__).parent.glob("[!_]*.py")}
    assert set(re.findall(r"^## `ferrule (\w+)`", commands_page(), re.M)) == files


def test_the_diagram_has_every_end_an_alert_can_come_to() -> None:
    assert set(re.findall(r"(\w+) --> \[\*\]", states_page())) == {"closed", "dismissed", "withdrawn"}
