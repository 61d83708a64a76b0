"""Which results and records a condition looks at: the evaluator that runs says what the reference says."""

from __future__ import annotations

import pytest

from rules.case_facts import case_facts
from rules.compile import Program
from rules.evaluate import Evaluator, Vocabulary
from rules.findings import ResultEvidence
from rules.history import View
from rules.syntax import parse_leaf
from rules.truth import Truth

YES, NO, OPEN = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN


def _truth(leaf: str, given: str) -> Truth:
    view, condition = View(*case_facts(given)), parse_leaf(leaf)
    program = Program(Vocabulary())
    said = program.compiled(condition).truth(program.cells(view))
    assert Evaluator(view, Vocabulary()).answer(condition).truth is said
    return said


@pytest.mark.parametrize(("limit", "truth"), [("< 13", YES), ("< 12", OPEN), ("< 9", OPEN)])
def test_below_twenty_may_be_lower_than_twelve_and_both_count_as_the_lowest(limit: str, truth: Truth) -> None:
    given = "-9d ferritin <20 ug/L; -5d ferritin 12 ug/L; now ferritin 30 ug/L"
    assert _truth(f"lowest ferritin {limit} ug/L within 30 d", given) is truth


@pytest.mark.parametrize(("limit", "truth"), [("< 10", YES), (">= 10", NO), ("< 9", OPEN)])
def test_below_ten_is_surely_the_lowest_beside_twelve(limit: str, truth: Truth) -> None:
    given = "-9d ferritin <10 ug/L; -5d ferritin 12 ug/L; now ferritin 30 ug/L"
    assert _truth(f"lowest ferritin {limit} ug/L within 30 d", given) is truth


def test_a_lower_one_before_the_window_does_not_count() -> None:
    given = "-31d ferritin 5 ug/L; -30d ferritin 12 ug/L; now ferritin 30 ug/L"
    assert _truth("lowest ferritin < 12 ug/L within 30 d", given) is NO
    assert _truth("lowest ferritin < 12 ug/L within 31 d", given) is YES


def test_of_two_newest_of_one_time_either_may_make_it_true_and_that_one_is_the_evidence() -> None:
    given = "-1d ferritin 5 ug/L as OLD; now ferritin 9 ug/L as A; now ferritin 90 ug/L as B"
    assert _truth("ferritin < 30 ug/L", given) is YES
    assert _truth("ferritin > 30 ug/L", given) is YES
    assert _truth("ferritin < 9 ug/L", given) is NO
    view, condition = View(*case_facts(given)), parse_leaf("ferritin < 30 ug/L")
    program = Program(Vocabulary())
    evidence = program.compiled(condition).evidence(program.cells(view))
    assert [one.key for one in evidence if isinstance(one, ResultEvidence)] == ["A"]


@pytest.mark.parametrize(("given", "truth"), [("132 pmol/L", YES), ("133 pmol/L", NO), ("<132 pmol/L", YES)])
def test_a_value_in_moles_meets_a_limit_given_only_by_mass_by_its_factor(given: str, truth: Truth) -> None:
    """133 pmol/L of B12 are 180.2 pg/mL (1355.37 g/mol)."""
    assert _truth("b12 < 180 pg/mL", f"now b12 {given}") is truth


@pytest.mark.parametrize(("leaf", "truth"), [("within 2 d", NO), ("within 3 d", YES)])
def test_days_from_a_record_count_from_when_it_was_last_so(leaf: str, truth: Truth) -> None:
    given = "-20d medication oral_iron oral until -10d; -7d crp 9 mg/L; now ferritin 9 ug/L"
    asked = f"known(crp {leaf} of medication oral_iron last)"
    assert _truth(asked, given) is truth


def test_days_from_a_record_that_is_not_there_hold_nothing() -> None:
    assert _truth("known(crp within 3 d of medication oral_iron last)", "now crp 9 mg/L") is NO
