"""A case that does not hold, or says no fact, is told with its place and with what came instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.cases import Failure, case_count, run_cases
from rules.load import load_ruleset
from rules.ruleset import Ruleset
from tests.rules.rule_files import write_rule

DEFINITION = "definitions:\n  low:\n    says: Low\n    when: ferritin < 30 ug/L\n    cases:\n      - {case}\n"


def _ruleset(folder: Path, old: str = "", new: str = "") -> Ruleset:
    path = write_rule(folder) / "made-up.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1) if old else path.read_text())
    return load_ruleset(folder)


def _failure(ruleset: Ruleset) -> Failure:
    (failure,) = [found for found in run_cases(ruleset) if found is not None]
    return failure


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "ferritin 9 ng/mL",
            "feritin 9 ng/mL",
            "unknown analyte 'feritin' in a case; did you mean 'ferritin'?",
        ),
        ("expect: fires\n", "expect: fires\n        severity: low\n", "expected severity low, came high"),
        (
            "expect: fires\n",
            "expect: fires\n        headline: Another\n",
            "expected headline 'Another', came 'A made-up headline'",
        ),
        ("expect: fires\n", "expect: silent\n", "expected silent, came fires"),
        (
            "expect: fires\n",
            "expect: fires\n        missing: [tsat]\n",
            "expected missing tsat; came nothing",
        ),
    ],
)
def test_what_a_case_expected_stands_beside_what_came(tmp_path: Path, old: str, new: str, said: str) -> None:
    failure = _failure(_ruleset(tmp_path, old, new))
    assert failure.where == "made-up.yaml:19"
    assert said in failure.said


def test_a_case_that_did_not_think_of_the_hold_is_told_that_it_holds(tmp_path: Path) -> None:
    write_rule(tmp_path, more="hold: {any: [b12 > 1000 pg/mL]}\nhold_because: B12 is given\n")
    assert _failure(load_ruleset(tmp_path)).said == "expected fires, came held"


def test_a_result_that_no_condition_could_use_is_named_under_a_case_that_fails(tmp_path: Path) -> None:
    failure = _failure(_ruleset(tmp_path, "ferritin 9 ng/mL", "ferritin 9"))
    assert failure.tree[-1] == "not used: ferritin: unit-missing, no unit"


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("{given: now feritin 9 ug/L, expect: 'true'}", "unknown analyte 'feritin'"),
        ("{given: now ferritin 90 ug/L, expect: 'true'}", "expected true, came false"),
    ],
)
def test_a_definition_s_case_is_held_to_the_same(tmp_path: Path, case: str, said: str) -> None:
    (tmp_path / "definitions.yaml").write_text(DEFINITION.format(case=case))
    failure = _failure(_ruleset(tmp_path, "ferritin < 30 ug/L", "low"))
    assert failure.where == "definitions.yaml:6"
    assert said in failure.said


def test_every_case_of_rules_and_definitions_is_counted(tmp_path: Path) -> None:
    case = "{given: now ferritin 9 ug/L, expect: 'true'}"
    (tmp_path / "definitions.yaml").write_text(DEFINITION.format(case=case))
    ruleset = _ruleset(tmp_path, "ferritin < 30 ug/L", "low")
    assert case_count(ruleset) == 3 == len(list(run_cases(ruleset)))
