"""A result that cannot be put beside a limit is unknown, never false; and what is left out says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from rules.analytes import CATALOGUE
from rules.case_facts import case_facts
from rules.evaluate import Evaluator, result_evidence
from rules.export_conditions import leaf as cql
from rules.facts import Coded, History, Result, Status, Unusable
from rules.history import View
from rules.load import load_ruleset
from rules.measuring import canonical, own_limit
from rules.reading import Reading, read
from rules.syntax import parse_leaf
from rules.truth import Truth

VOCABULARY = load_ruleset().vocabulary


def _worded(line: str) -> tuple[History, Evaluator]:
    """A case whose results all came as a word where a number was meant."""
    history, as_of = case_facts(line)
    results = tuple(replace(r, quantity=None, coded=Coded.POSITIVE) for r in history.results)
    worded = replace(history, results=results)
    return worded, Evaluator(View(worded, as_of), VOCABULARY)


@pytest.mark.parametrize(
    "leaf",
    [
        "ferritin < 30 ug/L",
        "ferritin censored 0..30 ug/L",
        "ferritin falls 20 ug/L within 30 d",
        "ferritin 5..30 ug/L",
    ],
)
def test_a_word_where_a_number_was_meant_is_unknown(leaf: str) -> None:
    _, evaluator = _worded("-9d ferritin 90 ug/L; now ferritin 9 ug/L")
    assert evaluator.answer(parse_leaf(leaf)).truth is Truth.UNKNOWN


def test_a_newest_that_is_a_word_leaves_the_fall_from_an_earlier_number_unknown() -> None:
    history, as_of = case_facts("-9d ferritin 90 ug/L; now ferritin 9 ug/L")
    earlier, newest = history.results
    worded = replace(history, results=(earlier, replace(newest, quantity=None, coded=Coded.POSITIVE)))
    fall = parse_leaf("ferritin falls 20 ug/L within 30 d")
    assert Evaluator(View(history, as_of), VOCABULARY).answer(fall).truth is Truth.TRUE
    assert Evaluator(View(worded, as_of), VOCABULARY).answer(fall).truth is Truth.UNKNOWN


def test_a_word_has_no_canonical_number() -> None:
    history, _ = _worded("now ferritin 9 ug/L")
    assert canonical(history.results[0]) is None


@pytest.mark.parametrize("leaf", ["ferritin < 30 %", "ferritin censored 0..30 %"])
def test_a_limit_that_no_factor_reaches_is_unknown(leaf: str) -> None:
    history, as_of = case_facts("now ferritin <9 ug/L")
    assert Evaluator(View(history, as_of), VOCABULARY).answer(parse_leaf(leaf)).truth is Truth.UNKNOWN


def test_an_antibody_in_the_laboratory_s_own_unit_is_compared_with_its_own_limit_alone() -> None:
    history, _ = case_facts("now ttg_iga positive")
    reading = read(CATALOGUE["ttg_iga"], value="45", unit="arb units", range_high="20")
    assert isinstance(reading, Reading)
    result = replace(history.results[0], quantity=reading.quantity, range_high=Decimal(20))
    (limit,) = own_limit(result, upper=True)
    assert (limit.value, limit.unit, limit.base) == (Decimal(20), "arb units", Decimal(20))


def test_a_result_without_a_time_is_no_evidence() -> None:
    history, _ = case_facts("now ferritin 9 ug/L")
    assert result_evidence(replace(history.results[0], effective_at=None)) is None


@pytest.mark.parametrize(("hours", "reason"), [(None, Unusable.NO_TIME), (1, Unusable.FUTURE), (-1, None)])
def test_a_specimen_without_a_time_or_of_the_future_is_left_out_and_named(
    hours: int | None, reason: Unusable | None
) -> None:
    history, as_of = case_facts("now ferritin 9 ug/L")
    at = None if hours is None else as_of + timedelta(hours=hours)
    view = View(replace(history, results=(replace(history.results[0], effective_at=at),)), as_of)
    assert [left.reason for left in view.not_used] == ([reason] if reason else [])
    assert bool(view.results("ferritin")) is (reason is None)


def test_a_result_that_means_no_analyte_counts_for_none() -> None:
    history, as_of = case_facts("now ferritin 9 ug/L as A; now crp 5 mg/L as B")
    strange: Result = replace(history.results[0], analyte=None, status=Status.FINAL, notes=("clotted",))
    view = View(replace(history, results=(strange, history.results[1])), as_of)
    assert view.results("ferritin") == ()
    assert [r.key for r in view.results("crp")] == ["B"]


def test_a_saturation_of_two_numbers_of_which_one_is_a_word_is_not_computed() -> None:
    _, evaluator = _worded("now iron 8 umol/L; now tibc 40 umol/L")
    assert evaluator.view.results("tsat") == ()


def test_a_record_that_has_not_begun_is_not_on_record() -> None:
    history, as_of = case_facts("now ferritin 9 ug/L; -1d medication b12_supplement oral")
    later = replace(history.records[0], start=as_of + timedelta(days=1))
    leaf = parse_leaf("medication b12_supplement within 9 d")
    taken = Evaluator(View(history, as_of), VOCABULARY).answer(leaf)
    not_yet = Evaluator(View(replace(history, records=(later,)), as_of), VOCABULARY).answer(leaf)
    assert (taken.truth, not_yet.truth) == (Truth.TRUE, Truth.FALSE)


def test_a_condition_on_a_remark_can_be_said_in_cql() -> None:
    assert 'Facts."says ' in cql(parse_leaf(f"ferritin noted {_a_remark()}"))


def _a_remark() -> str:
    return next(name for name, concept in VOCABULARY.concepts.items() if concept.kind == "note")
