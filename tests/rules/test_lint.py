"""What loads and yet should not stand: each finding names file, line and remedy."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rules.lint import Level, lint
from tests.rules.rule_files import write_rule

TODAY = date(2026, 11, 22)


def _codes(folder: Path) -> set[str]:
    return {found.code for found in lint(folder, None, TODAY)}


def test_the_library_has_no_error() -> None:
    assert [f.text() for f in lint(None, None, TODAY) if f.level is Level.ERROR] == []


def test_a_sound_rule_gives_nothing(tmp_path: Path) -> None:
    assert lint(write_rule(tmp_path), None, TODAY) == []


@pytest.mark.parametrize(
    ("leaf", "more", "code"),
    [
        ("ferritin < 30 mmol/L", "", "limit-implausible"),
        ("ferritin < 30 %", "", "unit-misfit"),
        ("hemoglobin < 7 g/L", "", "limit-implausible"),
        ("ferritin 100..30 ug/L", "", "empty-range"),
        ("ferritin < 30 ug/L", "yields_to: [no-such-rule]\n", "unknown-rule"),
        ("ferritin < 30 ug/L", "follow_up:\n  - {expect: moonlight, within: 3 d}\n", "unknown-follow-up"),
    ],
)
def test_b100_a_condition_that_cannot_be_meant_is_an_error(
    tmp_path: Path, leaf: str, more: str, code: str
) -> None:
    assert code in _codes(write_rule(tmp_path, leaf, more))


def test_a_file_that_does_not_load_is_one_finding_with_its_line(tmp_path: Path) -> None:
    (found,) = lint(write_rule(tmp_path, "feritin < 30 ug/L"), None, TODAY)
    assert (found.file, found.line, found.code) == ("made-up.yaml", 13, "unloadable")
    assert "feritin" in found.message


def test_every_file_that_does_not_load_is_a_finding_of_its_own(tmp_path: Path) -> None:
    write_rule(tmp_path, "feritin < 30 ug/L\n        - b12 < 180")
    (tmp_path / "broken.yaml").write_text("topic: [\n")
    assert [(f.file, f.line) for f in lint(tmp_path, None, TODAY)] == [("broken.yaml", 2)]
    (tmp_path / "broken.yaml").unlink()
    assert [(f.file, f.line) for f in lint(tmp_path, None, TODAY)] == [
        ("made-up.yaml", 13),
        ("made-up.yaml", 14),
    ]


def test_an_overdue_review_is_a_warning_and_no_failure(tmp_path: Path) -> None:
    found = lint(write_rule(tmp_path), None, date(2031, 1, 1))
    assert [(f.code, f.level) for f in found] == [("review-overdue", Level.WARNING)]


def test_a_headline_with_a_value_is_an_error_because_headlines_travel(tmp_path: Path) -> None:
    write_rule(tmp_path)
    path = tmp_path / "made-up.yaml"
    path.write_text(path.read_text().replace("A made-up headline", '"Ferritin {ferritin}"'))
    assert "headline-carries-value" in _codes(tmp_path)


def test_a_limit_is_shown_where_it_stands_and_a_definition_s_only_once(tmp_path: Path) -> None:
    write_rule(tmp_path, "one")
    path = tmp_path / "made-up.yaml"
    again = path.read_text().partition("rules:\n")[2].replace("made-up-rule", "made-up-twin")
    path.write_text(path.read_text() + again)
    definitions = "definitions:\n  one:\n    says: One\n    when: ferritin < 300000 ug/L\n"
    (tmp_path / "definitions.yaml").write_text(definitions)
    errors = [found for found in lint(tmp_path, None, TODAY) if found.level is Level.ERROR]
    assert [(e.file, e.line, e.code) for e in errors] == [("definitions.yaml", 4, "limit-implausible")]
    (found,) = lint(write_rule(tmp_path / "own", "ferritin < 300000 ug/L"), None, TODAY)
    assert (found.file, found.line) == ("made-up.yaml", 13)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("{ferritin}", "{feritin}", "unknown-placeholder"),
        ("expect: silent", "expect: fires", "one-sided-cases"),
        ("    rationale: Made up, so that the loader has something to read.\n", "", "no-rationale"),
    ],
)
def test_what_a_rule_lacks_is_found(tmp_path: Path, old: str, new: str, code: str) -> None:
    path = write_rule(tmp_path) / "made-up.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert _codes(tmp_path) == {code}


def test_a_finding_reads_as_a_compiler_s_line_and_as_data(tmp_path: Path) -> None:
    (found,) = lint(write_rule(tmp_path, "feritin < 30 ug/L"), None, TODAY)
    assert found.text().startswith("made-up.yaml:13: error: unknown analyte 'feritin'")
    assert found.text().endswith("[unloadable]")
    assert found.json() | {"message": ""} == {
        "level": "error", "code": "unloadable", "file": "made-up.yaml", "line": 13, "rule": "", "message": ""
    }  # fmt: skip


def test_a_folder_without_rule_files_is_one_finding_of_the_whole_set(tmp_path: Path) -> None:
    (found,) = lint(tmp_path, None, TODAY)
    assert (found.line, found.code) == (0, "unloadable")
    assert "no rule files" in found.text()
