"""The manual of the language does not lie: every example on it is a condition."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from rules.building import Known, unknown_names
from rules.case_facts import case_facts
from rules.cases import run_cases
from rules.load import load_ruleset
from rules.naming import in_place
from rules.syntax import parse_leaf, parse_selection

PAGE = (files("rules") / "LANGUAGE.md").read_text(encoding="utf-8")
VOCABULARY = load_ruleset().vocabulary
PEAK = {"peak_hemoglobin": parse_selection("highest hemoglobin 0<..30 d before hemoglobin")}


def _examples() -> list[str]:
    tables = PAGE.split("## What a condition may say")[1].split("## Joining")[0]
    last_cells = [re.split(r"(?<!\\)\|", line)[-2] for line in tables.splitlines() if line.startswith("|")]
    return [text.replace("\\|", "|") for cell in last_cells for text in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("text", _examples())
def test_every_example_of_the_page_is_a_condition_of_known_names(text: str) -> None:
    known = Known(frozenset(VOCABULARY.definitions), PEAK, frozenset(VOCABULARY.tables))
    assert list(unknown_names(in_place(parse_leaf(text), PEAK), known)) == []


def test_the_page_has_an_example_for_each_line() -> None:
    assert len(_examples()) >= 30


@pytest.mark.whole_library
def test_the_site_s_file_of_the_page_is_taken_and_its_case_holds(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(PAGE.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    ruleset = load_ruleset(site=site)
    own = [case.case.name for case in ruleset.site_cases]
    assert own != []
    assert [f for f in run_cases(ruleset) if f is not None and f.case in own] == []


def test_the_case_lines_of_the_page_are_read() -> None:
    block = PAGE.split("## Cases")[1]
    lines = [
        re.sub(r"\s{4,}\(.*", "", line.strip()) for line in block.splitlines() if line.startswith("    ")
    ]
    history, _ = case_facts("\n".join(lines))
    assert (len(history.results), len(history.records), len(history.pregnancy)) == (4, 3, 1)
