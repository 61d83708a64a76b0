"""The exported CQL, compiled and run by CQL's reference engine, answers as our evaluator does."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from rules import nodes
from rules.case_facts import case_facts
from rules.evaluate import Vocabulary
from rules.export_cql import export
from rules.facts import Record
from rules.history import View
from rules.load import load_ruleset
from rules.rule import Cased, Rule
from rules.ruleset import Ruleset
from rules.syntax import parse_leaf
from rules.truth import Truth
from tests.export.to_fhir import bundle, instant
from tests.properties.made_up_rules import cases, conditions
from tests.services.cql import Cql, Question

LIBRARY = load_ruleset()
TRUTHS = {Truth.TRUE: True, Truth.FALSE: False, Truth.UNKNOWN: None}
CASES = [case.given for rule in LIBRARY.rules.values() for case in rule.cases]


@dataclass(frozen=True)
class Asked:
    """One rule asked of one patient, given as the lines of a case."""

    rule: str
    given: str


def _own_cases() -> Iterator[Asked]:
    for rule in LIBRARY.rules.values():
        yield from (Asked(rule.id, case.given) for case in rule.cases)


def _some_cases(number: int) -> Iterator[Asked]:
    """Each rule asked of some patients of all the cases."""
    seeded = random.Random(3)
    for rule in LIBRARY.rules:
        yield from (Asked(rule, given) for given in seeded.sample(CASES, number))


def _drawn(strategy: Any, number: int) -> list[Any]:
    """Always the same examples of a strategy."""
    drawn: list[Any] = []

    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(one=strategy)
    def collect(one: Any) -> None:
        drawn.append(one)

    collect()
    return drawn


def _ours(ruleset: Ruleset, rule: str, view: View) -> dict[str, object]:
    judgment = ruleset.judge(view.history, view.as_of)
    judged = next(one for one in judgment.rules if one.rule == rule)
    said: dict[str, object] = {"Pattern": TRUTHS[judged.pattern], "Fires": judged.told}
    if judged.pattern is Truth.TRUE:
        said |= {"Held": judged.held is not None, "Covered": judged.covered_by is not None}
        said["Severity"] = judged.severity.value
    return said


def _as_given(view: View) -> View:
    return view


def _differences(
    cql: Cql, ruleset: Ruleset, asked: Sequence[Asked], changed: Callable[[View], View] = _as_given
) -> list[str]:
    """One line for each question that CQL answers otherwise than we do."""
    exported = export(ruleset)
    views = [changed(View(*case_facts(one.given))) for one in asked]
    questions = [
        Question(exported.rules[one.rule], instant(view.as_of), bundle(view))
        for one, view in zip(asked, views, strict=True)
    ]
    return [
        f"{one.rule}: {key}: ours {said}, CQL {theirs[key]}: {'; '.join(one.given.splitlines())}"
        for one, view, theirs in zip(asked, views, cql.answers(exported.libraries, questions), strict=True)
        for key, said in _ours(ruleset, one.rule, view).items()
        if theirs[key] != said
    ]


def test_every_rule_of_the_library_is_exported() -> None:
    exported = export(LIBRARY)
    assert exported.refused == {}
    assert set(exported.rules) == set(LIBRARY.rules)


def test_each_rule_fires_in_cql_where_its_cases_say_so(cql: Cql) -> None:
    """All cases, those that fire among them: silence alone would agree too easily."""
    fires = {rule.id for rule in LIBRARY.rules.values() for case in rule.cases if case.expect == "fires"}
    assert fires == set(LIBRARY.rules)
    assert _differences(cql, LIBRARY, list(_own_cases())) == []


def test_each_rule_answers_random_patients_in_cql_as_we_do(cql: Cql) -> None:
    random_ones = [Asked(rule, given) for given in _drawn(cases(), 8) for rule in LIBRARY.rules]
    assert _differences(cql, LIBRARY, [*_some_cases(10), *random_ones]) == []


def test_records_dated_by_day_count_to_their_end_in_cql_as_with_us(cql: Cql) -> None:
    with_records = [one for one in _own_cases() if case_facts(one.given)[0].records]
    assert _differences(cql, LIBRARY, with_records[::3], _dated_by_day) == []


def _dated_by_day(view: View) -> View:
    """The same patient, of whose records only the days are known."""
    records = tuple(_of_that_day(record) for record in view.history.records)
    return replace(view, history=replace(view.history, records=records))


def _of_that_day(record: Record) -> Record:
    assert record.start is not None
    first = record.start.replace(hour=0, minute=0, second=0, microsecond=0)
    return replace(record, start=first, start_last=first + timedelta(days=1, milliseconds=-1))


@pytest.mark.faults
def test_each_rule_answers_many_random_patients_in_cql_as_we_do(cql: Cql) -> None:
    random_ones = [Asked(rule, given) for given in _drawn(cases(), 100) for rule in LIBRARY.rules]
    assert _differences(cql, LIBRARY, [*_some_cases(200), *random_ones]) == []


# ── random rules ─────────────────────────────────────────────────────────────────────────────────────


def _made_up(number: int, condition: nodes.Condition) -> Rule:
    """A rule of a random condition."""
    plain = next(rule for rule in LIBRARY.rules.values() if len(rule.severities) == 1)
    return replace(
        plain,
        id=f"made-up-{number}",
        when=condition,
        hold=None,
        yields_to=(),
        annotates=(),
        headlines=(Cased("Made up"),),
        texts=(Cased("Made up"),),
        actions=(),
        follow_up=(),
    )


def _made_up_ruleset(conditions: Iterable[nodes.Condition]) -> Ruleset:
    low_iron = nodes.Any((parse_leaf("ferritin < 30 ug/L"), parse_leaf("tsat < 20 %")))
    rules = [_made_up(number, condition) for number, condition in enumerate(conditions)]
    vocabulary = Vocabulary({"low_iron": low_iron}, LIBRARY.vocabulary.tables)
    return replace(LIBRARY, rules={rule.id: rule for rule in rules}, vocabulary=vocabulary)


def _random_differences(cql: Cql, rules: int, histories: int) -> list[str]:
    ruleset = _made_up_ruleset(_drawn(conditions, rules))
    asked = [Asked(rule, given) for rule in ruleset.rules for given in _drawn(cases(), histories)]
    return _differences(cql, ruleset, asked)


def test_random_rules_mean_the_same_in_cql(cql: Cql) -> None:
    assert _random_differences(cql, rules=25, histories=16) == []


@pytest.mark.faults
def test_many_random_rules_mean_the_same_in_cql(cql: Cql) -> None:
    assert _random_differences(cql, rules=150, histories=40) == []
