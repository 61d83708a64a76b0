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


GUARDED = """\
headline:
  - {say: Only in pregnancy, when: pregnant}
  - say: A made-up headline
text:
  - {say: "Ferritin {ferritin} in pregnancy.", when: pregnant}
  - say: "Ferritin {ferritin}."
actions:
  - Start oral iron
  - {do: Test the partner, when: pregnant}
follow_up:
  - {expect: ferritin, within: 90 d}
  - {expect: hba2, within: 7 d, when: pregnant}
"""
ASKED = """\
      - name: pregnant
        given: now ferritin 9 ug/L; now pregnant 20 wk
        expect: fires
        headline: Only in pregnancy
        says: in pregnancy
        do: [Test the partner]
        expects: {ferritin: 90 d, hba2: 7 d}
      - name: not pregnant
        given: now ferritin 9 ug/L
        expect: fires
        do_not: [Test the partner]
        expects: {ferritin: 90 d}
"""


def _guarded(folder: Path, asked: str) -> Path:
    path = write_rule(folder, more=GUARDED) / "made-up.yaml"
    text = path.read_text().replace("    headline: A made-up headline\n", "")
    text = text.replace('    text: "Ferritin {ferritin}."\n    actions:\n      - Do nothing\n', "")
    path.write_text(text + asked)
    return folder


def test_words_with_a_condition_that_no_case_asks_for_are_a_warning_each(tmp_path: Path) -> None:
    found = lint(_guarded(tmp_path, ""), None, TODAY)
    assert {(f.level, f.code) for f in found} == {(Level.WARNING, "unpinned-words")}
    assert [(f.line, f.message.removeprefix("made-up-rule: ")) for f in found] == [
        (14, "no case has the headline 'Only in pregnancy'; add one, with 'headline'"),
        (17, "no case asks for the text of this condition; add one, with 'says' and words only it has"),
        (21, "no case pins the action 'Test the partner'; add one where it is asked for, with 'do'"),
        (21, "no case pins the action 'Test the partner'; add one where it is not, with 'do_not'"),
        (24, "no case pins the follow-up 'hba2'; add one where it follows, with 'expects'"),
        (24, "no case pins the follow-up 'hba2'; add one where it does not, with 'expects'"),
    ]


def test_words_that_cases_ask_for_on_both_sides_give_nothing(tmp_path: Path) -> None:
    assert lint(_guarded(tmp_path, ASKED), None, TODAY) == []


def test_words_that_two_texts_share_pin_neither(tmp_path: Path) -> None:
    found = lint(_guarded(tmp_path, ASKED.replace("says: in pregnancy", "says: Ferritin")), None, TODAY)
    assert [f.message.split(";")[0] for f in found] == [
        "made-up-rule: no case asks for the text of this condition"
    ]
