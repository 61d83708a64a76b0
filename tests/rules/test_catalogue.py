"""The catalogue: complete, and every link in it leads somewhere."""

from __future__ import annotations

import re

import pytest

from rules.catalogue import FORMATS, render
from rules.load import load_ruleset

RULESET = load_ruleset()


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_every_rule_definition_and_source_is_in_it(format: str) -> None:
    page = render(RULESET, format)
    for rule in RULESET.rules.values():
        assert rule.id in page
        for name in rule.sources:
            assert RULESET.sources[name].checked in page
    for name in RULESET.vocabulary.definitions:
        assert name in page
    assert "{%" not in page


def test_every_link_leads_to_a_place_on_the_page() -> None:
    page = render(RULESET, "html")
    places = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= places
    assert not re.search(r'(?:src|href)="(?!#)', page)


def test_every_limit_that_can_decide_a_rule_is_listed_with_it() -> None:
    page = render(RULESET, "md")
    section = page.split("### hemoglobin-critical\n")[1].split("\n### ")[0]
    assert "`hemoglobin (also preliminary) < 70 g/L within 90 d`" in section
