"""A site's own file: limits, words, statuses and rules of its own, signed, checked like the library."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.building import leaves
from rules.cases import run_cases
from rules.describe import change_lines
from rules.load import load_ruleset
from rules.ruleset import Ruleset
from rules.yaml_source import BadFile
from tests.rules.rule_files import write_rule

SIGNED = "site: Made-up Hospital\nsigned_by: Dr. Made Up\nsigned_on: 2026-11-01\n"
LOWER_FERRITIN = """\
changes:
  - in: iron_definite
    from: ferritin < 30 ug/L within 90 d
    to: ferritin < 15 ug/L within 90 d
    because: as the laboratory board decided
"""
ROW = """\
changes:
  - in: anemia
    row: {from: 15 y, sex: male}
    from: 130 g/L
    to: 135 g/L
    because: the laboratory's own lower limit
"""
CASE = """\
cases:
  - rule: iron-deficiency-not-otherwise-covered
    name: ferritin 20 is not deficient here
    given: |
      patient male 40 y
      2026-03-01  ferritin 20 ug/L
      2026-03-01  hemoglobin 140 g/L
    expect: silent
"""


def _site(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(SIGNED + text)
    return path


@pytest.mark.parametrize("name", ['""', '"  "'])
def test_an_empty_name_signs_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SIGNED.replace("Dr. Made Up", name))
    with pytest.raises(BadFile, match=r"site\.yaml:2: .*signed_by: a name; an empty one signs nothing"):
        load_ruleset(site=path)


@pytest.mark.whole_library
def test_a_changed_limit_is_in_force_and_says_where_it_comes_from(tmp_path: Path) -> None:
    ruleset = load_ruleset(site=_site(tmp_path, LOWER_FERRITIN + CASE))
    failures = [f for f in run_cases(ruleset) if f is not None]
    assert failures
    assert all(f.moved for f in failures)
    said = "\n".join(change_lines(ruleset, "iron-deficiency-not-otherwise-covered"))
    assert "ferritin < 30 ug/L within 90 d → ferritin < 15 ug/L within 90 d" in said
    assert "Dr. Made Up, Made-up Hospital, 2026-11-01" in said
    assert "changes nothing here" in "\n".join(change_lines(ruleset, "hemoglobin-critical"))


@pytest.mark.whole_library
def test_a_site_case_that_does_not_hold_is_a_failure(tmp_path: Path) -> None:
    ruleset = load_ruleset(site=_site(tmp_path, CASE))
    (failure,) = [f for f in run_cases(ruleset) if f is not None]
    assert not failure.moved
    assert failure.where.startswith("site.yaml:")


def _nested(folder: Path, change: str, more: str = "") -> Ruleset:
    """A rule whose limit stands among alternatives, of which one must hold, with a site's change over it."""
    rules = write_rule(
        folder / "rules", "at_least: {n: 1, of: [ferritin < 30 ug/L, {all: [tsat < 20 %]}]}", more
    )
    site = SIGNED + f"changes:\n  - {{in: made-up-rule, {change}, because: as the board decided}}\n"
    (folder / "site.yaml").write_text(site)
    return load_ruleset(rules, folder / "site.yaml")


def test_a_limit_within_nested_blocks_is_changed_there_and_nowhere_else(tmp_path: Path) -> None:
    changed = _nested(tmp_path, "from: tsat < 20 %, to: tsat < 16 %").rules["made-up-rule"]
    assert [leaf.text for leaf in leaves(changed.when)] == ["ferritin < 30 ug/L", "tsat < 16 %"]


def test_of_nested_blocks_the_conditions_are_named_and_not_how_many_must_hold(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"there stand: ferritin < 30 ug/L; high; tsat < 20 %$"):
        _nested(tmp_path, "from: tsat < 21 %, to: tsat < 16 %")


def test_a_hold_left_empty_is_no_condition_to_name(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"there stand: ferritin < 30 ug/L; high; tsat < 20 %$"):
        _nested(tmp_path, "from: tsat < 21 %, to: tsat < 16 %", more="hold:\n")


def test_a_row_of_a_table_may_read_otherwise(tmp_path: Path) -> None:
    table = load_ruleset(site=_site(tmp_path, ROW)).vocabulary.tables["anemia"]
    assert [row.printed for row in table.rows if row.words == "men and boys, from 15 y"] == ["135 g/L"]


def test_words_and_rules_of_the_site_s_own(tmp_path: Path) -> None:
    write_rule(tmp_path, name="ours.yaml")
    text = "rule_files:\n  - ours.yaml\nwording:\n  hemoglobin-critical:\n    headline: Phone the ward\n"
    ruleset = load_ruleset(site=_site(tmp_path, text))
    assert ruleset.rules["hemoglobin-critical"].headline == "Phone the ward"
    assert "made-up-rule" in ruleset.rules


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LOWER_FERRITIN.replace("< 30 ug", "< 33 ug"), r"site\.yaml:6: .*does not stand in 'iron_definite'"),
        (
            LOWER_FERRITIN.replace("iron_definite", "iron_defined"),
            r"site\.yaml:5: .*no rule, definition or table",
        ),
        (LOWER_FERRITIN.replace("< 15 ug/L", "< 15 furlong"), "unknown unit 'furlong'"),
        ("statuses:\n  hemoglobin-critcal: silent\n", r"site\.yaml:5: .*mean 'hemoglobin-critical'"),
        ("wording:\n  no-such-rule:\n    headline: x\n", r"site\.yaml:5: unknown rule"),
        ("limits: {}\n", r"site\.yaml:4: unknown key 'limits'"),
        (CASE.replace("iron-deficiency-not", "no-such"), r"site\.yaml:5: unknown rule 'no-such-otherwise"),
        (ROW.replace("male", "other"), r"site\.yaml:6: 0 rows of 'anemia' are for .*; name one"),
        (ROW + "    says: Below the limit\n", r"site\.yaml:10: 'anemia' is no definition"),
        (
            LOWER_FERRITIN.replace("iron_definite", "hemoglobin-critical"),
            r"there stand: critical; hemoglobin ",
        ),
    ],
)
def test_what_the_library_does_not_have_cannot_be_changed(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadFile, match=says):
        load_ruleset(site=_site(tmp_path, text))


def test_a_definition_s_words_do_not_keep_the_limit_that_was_changed(tmp_path: Path) -> None:
    says = load_ruleset(site=_site(tmp_path, LOWER_FERRITIN)).vocabulary.says["iron_definite"]
    assert says == "Ferritin below 30 µg/L (changed at this site)"
    anew = LOWER_FERRITIN + "    says: Ferritin below 15 µg/L\n"
    assert (
        load_ruleset(site=_site(tmp_path, anew)).vocabulary.says["iron_definite"] == "Ferritin below 15 µg/L"
    )


def test_a_status_is_among_the_changes_and_excuses_no_case(tmp_path: Path) -> None:
    rule = "iron-deficiency-not-otherwise-covered"
    ruleset = load_ruleset(site=_site(tmp_path, f"statuses:\n  {rule}: silent\n"))
    assert f"{rule}: status: active → status: silent" in list(change_lines(ruleset, rule))
    assert [change.meaning for change in ruleset.site_changes] == [False]


def test_the_fingerprint_names_the_site_s_file_too(tmp_path: Path) -> None:
    plain = load_ruleset().fingerprint
    first = load_ruleset(site=_site(tmp_path, "")).fingerprint
    assert len({plain, first, load_ruleset(site=_site(tmp_path, LOWER_FERRITIN)).fingerprint}) == 3


def test_a_status_that_is_the_rule_s_own_changes_nothing(tmp_path: Path) -> None:
    ruleset = load_ruleset(site=_site(tmp_path, "statuses:\n  hemoglobin-critical: active\n"))
    assert ruleset.rules["hemoglobin-critical"].status == "active"
    assert ruleset.site_changes == ()
