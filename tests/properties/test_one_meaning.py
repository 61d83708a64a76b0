"""The compiled evaluator means what the reference evaluator means, whatever the rule and the history."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from rules import nodes
from rules.building import leaves as leaves_of
from rules.case_facts import case_facts
from rules.compile import Program
from rules.evaluate import Evaluator, Vocabulary
from rules.history import View
from rules.load import load_ruleset
from rules.syntax import parse_leaf
from rules.truth import Truth
from tests.properties.made_up_rules import cases, conditions, leaf_texts

LIBRARY = load_ruleset()
VOCABULARY = Vocabulary(
    {"low_iron": nodes.Any((parse_leaf("ferritin < 30 ug/L"), parse_leaf("tsat < 20 %")))},
    LIBRARY.vocabulary.tables,
)


@settings(max_examples=400, deadline=None)
@given(condition=conditions, case=cases())
def test_a_random_rule_has_one_truth_one_evidence_and_one_missing_list(
    condition: nodes.Condition, case: str
) -> None:
    view = View(*case_facts(case))
    plain = Evaluator(view, VOCABULARY).answer(condition)
    program = Program(VOCABULARY)
    compiled = program.compiled(condition)
    cells = program.cells(view)
    assert compiled.truth(cells) is plain.truth
    assert (compiled.absent(cells) if compiled.absent else ()) == plain.absent
    if plain.truth is Truth.TRUE:
        assert compiled.evidence(cells) == plain.evidence
    if plain.truth is Truth.UNKNOWN:
        assert compiled.missing(cells) == plain.settles


@settings(max_examples=150, deadline=None)
@given(case=cases())
def test_the_library_judges_the_same_either_way(case: str) -> None:
    history, as_of = case_facts(case)
    fast, plain = LIBRARY.judge(history, as_of), LIBRARY.judge_by_reference(history, as_of)
    assert fast.not_used == plain.not_used
    for one, other in zip(fast.rules, plain.rules, strict=True):
        assert (one.rule, one.pattern, one.missing) == (other.rule, other.pattern, other.missing)
        assert (one.held, one.covered_by, one.annotates) == (other.held, other.covered_by, other.annotates)
        if one.pattern is Truth.TRUE:
            assert one == other
            assert one.tree == other.tree


@settings(max_examples=150, deadline=None)
@given(case=cases(), seed=st.integers(0, 1000))
def test_order_and_repeats_change_nothing(case: str, seed: int) -> None:
    history, as_of = case_facts(case)
    shuffled = random.Random(seed)
    results, records = [*history.results, *history.results], [*history.records, *history.records]
    shuffled.shuffle(results)
    shuffled.shuffle(records)
    again = replace(history, results=tuple(results), records=tuple(records))
    told = {(f.rule, f.severity, frozenset(f.evidence)) for f in LIBRARY.judge(history, as_of).findings}
    assert {(f.rule, f.severity, frozenset(f.evidence)) for f in LIBRARY.judge(again, as_of).findings} == told


@settings(max_examples=100, deadline=None)
@given(case=cases())
def test_no_rule_fires_without_a_fact_of_the_patient(case: str) -> None:
    history, as_of = case_facts(case)
    emptied = replace(history, results=(), records=(), pregnancy=())
    assert LIBRARY.judge(emptied, as_of).findings == ()


def test_every_construct_is_reached_by_the_generator() -> None:
    """A language that grows beyond its generator would be tested less than it seems."""
    reached: set[type] = set()
    tests: set[type] = set()
    which: set[nodes.Which] = set()

    @settings(max_examples=1500, deadline=None, database=None, derandomize=True)
    @given(text=leaf_texts, condition=conditions)
    def collect(text: str, condition: nodes.Condition) -> None:
        reached.add(type(condition))
        for leaf in (*leaves_of(condition), parse_leaf(text)):
            reached.add(type(leaf))
            if isinstance(leaf, nodes.Measured):
                tests.add(type(leaf.test))
                which.add(leaf.selection.which)

    collect()
    joins = {nodes.All, nodes.Any, nodes.NoneOf, nodes.AtLeast}
    assert reached == set(nodes.Leaf.__args__) | joins
    assert tests == set(nodes.Test.__args__)
    assert which == set(nodes.Which)


def test_every_node_has_a_meaning() -> None:
    from rules.evaluate import _MEANING

    joins = {nodes.All, nodes.Any, nodes.NoneOf, nodes.AtLeast}
    assert set(_MEANING) == set(nodes.Leaf.__args__) | joins
