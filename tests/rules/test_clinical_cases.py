"""Every case of the clinical specification gives the stated rules and no others, however it is told."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from rules.case_facts import case_facts
from rules.facts import History, Quantity, Result
from rules.load import load_ruleset
from rules.units import unit_of

RULESET = load_ruleset()
EXACTLY_EQUAL = {
    "ng/mL": "ug/L",
    "ug/L": "ng/mL",
    "pg/mL": "ng/L",
    "g/L": "g/dL",
    "g/dL": "g/L",
    "mg/L": "mg/dL",
    "10*9/L": "10*3/uL",
    "pmol/L": "nmol/L",
    "umol/L": "nmol/L",
    "nmol/L": "umol/L",
}


@dataclass(frozen=True)
class Told:
    number: int
    name: str
    given: str
    fires: frozenset[str]


def _cases() -> list[Told]:
    text = (Path(__file__).parent / "clinical_cases.yaml").read_text()
    rows = yaml.safe_load(text)
    return [Told(r["number"], r["name"], r["given"], frozenset(r["fires"])) for r in rows]


CASES = _cases()
each_case = pytest.mark.parametrize("case", CASES, ids=[f"{c.number}" for c in CASES])


def _found(history: History, as_of: object) -> set[str]:
    return {f.rule for f in RULESET.judge(history, as_of).findings}  # type: ignore[arg-type]


@each_case
def test_case_gives_the_stated_rules_and_no_others(case: Told) -> None:
    history, as_of = case_facts(case.given)
    assert _found(history, as_of) == case.fires, case.name


@each_case
def test_order_of_facts_and_repeats_change_nothing(case: Told) -> None:
    history, as_of = case_facts(case.given)
    shuffled = random.Random(case.number)
    results = [*history.results, *history.results]
    shuffled.shuffle(results)
    records = [*history.records, *history.records]
    shuffled.shuffle(records)
    assert _found(replace(history, results=tuple(results), records=tuple(records)), as_of) == case.fires


@each_case
def test_an_exactly_equal_unit_changes_nothing(case: Told) -> None:
    history, as_of = case_facts(case.given)
    turned = replace(history, results=tuple(_in_equal_unit(r) for r in history.results))
    assert _found(turned, as_of) == case.fires


def _in_equal_unit(result: Result) -> Result:
    old = result.quantity
    if old is None or old.unit not in EXACTLY_EQUAL:
        return result
    before, after = unit_of(old.unit), unit_of(EXACTLY_EQUAL[old.unit])
    assert before is not None
    assert after is not None
    assert before.dimension == after.dimension

    def turned(value: Decimal) -> Decimal:
        return value * before.factor / after.factor

    quantity = Quantity(turned(old.value), old.comparator, after.code, old.dimension, old.base)
    return replace(
        result,
        quantity=quantity,
        reported_unit=after.code,
        range_low=None if result.range_low is None else turned(result.range_low),
        range_high=None if result.range_high is None else turned(result.range_high),
    )


def test_the_cases_are_all_here() -> None:
    assert len(CASES) == 53


@pytest.mark.whole_library
def test_every_case_of_the_library_holds() -> None:
    from rules.cases import run_cases

    failed = [f for f in run_cases(RULESET) if f is not None]
    assert failed == []
