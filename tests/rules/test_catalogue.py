"""The catalogue: complete, and every link in it leads somewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from rules.catalogue import FORMATS, case_words, render
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


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_everything_a_rule_can_say_or_ask_for_is_there_to_be_signed(format: str) -> None:
    page = unescape(render(RULESET, format))
    for rule in RULESET.rules.values():
        for case in (*rule.headlines, *rule.texts, *rule.actions):
            assert case.value in page
        assert f"quiet for {rule.rearm_days} d" in page
    assert RULESET.fingerprint in page or format == "md"


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_what_a_site_has_changed_stands_first_with_who_signed_it(format: str, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "site: North\nsigned_by: Dr. Made Up\nsigned_on: 2026-11-01\nstatuses: {folate-low: silent}\n"
        "changes:\n  - {in: iron_definite, from: ferritin < 30 ug/L within 90 d,\n"
        "     to: ferritin < 25 ug/L within 90 d, because: our own reference study}\n"
    )
    page = unescape(render(load_ruleset(site=site), format))
    head = page.split("B12")[0]
    for said in ("Changed at this site", "ferritin < 25 ug/L within 90 d", "Dr. Made Up", "status: silent"):
        assert said in head
    assert "Changed at this site" not in render(RULESET, format)


def test_what_a_case_shows_stands_there_in_words() -> None:
    page = render(RULESET, "md")
    section = page.split("### b12-high-iron-deficient-supplement\n")[1].split("\n### ")[0]
    (row,) = (
        line for line in section.splitlines() if line.startswith("| fires with an active oral product |")
    )
    for said in (
        "fires, moderate; says: … may mask a B12 absorption problem …",
        "to do: Consider stopping or reducing B12 that is not indicated, and recheck in 3 months",
        "not to do: Find out why B12 injections are given",
        "awaits Vitamin B12 within 90 d, Ferritin within 90 d",
        "then quiet for 90 d",
    ):
        assert said in row


def test_every_kind_of_expectation_has_words() -> None:
    rule = RULESET.rules["dimorphic-picture"]
    asked = replace(rule.cases[0], missing=("tsat",), headline="A headline", expects=(), beside=())
    assert [
        words for words in case_words(asked, rule) if not words.startswith(("fires", "to do", "then quiet"))
    ] == [
        "would be settled by Transferrin saturation",
        "headline: A headline",
        "awaits nothing",
        "told beside nothing",
    ]
