"""The reference evaluator: what each node of `rules.nodes` means, said as plainly as possible.

It is the judge of any faster one. It decides truth, evidence, what was not on record and what one more test
would settle; holds, precedence and words are `rules.judging`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from rules import nodes
from rules.answers import (
    NOTHING,
    Answer,
    all_answers,
    any_answer,
    at_least_answers,
    leaf,
    no_answer,
    renamed,
)
from rules.concepts import CONCEPTS, Concept, note_matches, order_matches_analyte
from rules.facts import RecordKind, Result, Sex
from rules.findings import AbsentEvidence, RecordEvidence, ResultEvidence
from rules.history import View
from rules.intervals import Interval
from rules.limits import Table, limit_for
from rules.measuring import (
    between,
    canonical_interval,
    censored_within,
    compare,
    compared,
    own_limit,
    printed,
    scaled,
    to_canonical,
)
from rules.selecting import look_back, pick, records_of
from rules.truth import Truth, all_of, any_of
from rules.wording import printed_result

ACTIVE = "active"
ORDER_AGE = timedelta(days=30)
PENDING_AGE = timedelta(days=14)


@dataclass(frozen=True)
class Vocabulary:
    """What a condition may name: definitions (in words by `says`), limit tables and concepts."""

    definitions: Mapping[str, nodes.Condition] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    concepts: Mapping[str, Concept] = field(default_factory=lambda: CONCEPTS)

    def said(self, leaf: nodes.Leaf) -> str:
        """The leaf in words where they were made when the rules were loaded, else its expression."""
        return self.words.get(leaf.text, leaf.text)


@dataclass
class Evaluator:
    """Answers conditions for one view; a definition is answered once and remembered."""

    view: View
    vocabulary: Vocabulary
    _answered: dict[str, Answer] = field(default_factory=dict)

    def answer(self, condition: nodes.Condition) -> Answer:
        """The answer of a condition."""
        return _MEANING[type(condition)](self, condition)

    def with_words(self, vocabulary: Vocabulary, changed: Container[str]) -> Evaluator:
        """One that reads the same facts in other words, and remembers the definitions that did not change."""
        kept = {name: answer for name, answer in self._answered.items() if name not in changed}
        return Evaluator(self.view, vocabulary, kept)

    # ── between conditions ───────────────────────────────────────────────────────────────────────────

    def _all(self, node: nodes.All) -> Answer:
        return all_answers([self.answer(p) for p in node.parts])

    def _any(self, node: nodes.Any) -> Answer:
        return any_answer([self.answer(p) for p in node.parts])

    def _none_of(self, node: nodes.NoneOf) -> Answer:
        return no_answer([self.answer(p) for p in node.parts])

    def _at_least(self, node: nodes.AtLeast) -> Answer:
        return at_least_answers(node.n, [self.answer(p) for p in node.parts])

    def _ref(self, node: nodes.Ref) -> Answer:
        if node.name not in self._answered:
            meaning = self.answer(self.vocabulary.definitions[node.name])
            self._answered[node.name] = renamed(meaning, self.vocabulary.says.get(node.name, node.name))
        return self._answered[node.name]

    def _unsettled(self, node: nodes.Unsettled) -> Answer:
        meant = self.answer(nodes.Ref(node.definition, node.definition))
        truth = Truth.UNKNOWN if meant.truth is Truth.TRUE else Truth.FALSE
        settles = frozenset(node.until)
        return leaf(self._said(node), truth, settles=settles)

    # ── results ──────────────────────────────────────────────────────────────────────────────────────

    def _measured(self, node: nodes.Measured) -> Answer:
        results = self._pick(node.selection)
        truths = [self.tested(r, node.test) for r in results]
        combine = all_of if node.selection.which is nodes.Which.ALL else any_of
        truth = combine(truths) if results else Truth.UNKNOWN
        telling = [r for r, t in zip(results, truths, strict=True) if t is truth]
        return self._result_leaf(
            self._said(node), truth, telling, node.selection, self._limit_note(node.test, telling)
        )

    def _counted(self, node: nodes.Counted) -> Answer:
        found = self._pick(_all_of(node.selection))
        passing = [r for r in found if self.tested(r, node.test) is Truth.TRUE]
        pairs = spaced(passing, node.n, node.spacing)
        if pairs:
            return self._result_leaf(self._said(node), Truth.TRUE, pairs, node.selection)
        unsure = [r for r in found if self.tested(r, node.test) is not Truth.FALSE]
        truth = Truth.UNKNOWN if not found or spaced(unsure, node.n, node.spacing) else Truth.FALSE
        return self._result_leaf(self._said(node), truth, passing, node.selection)

    def _preceded(self, node: nodes.Preceded) -> Answer:
        late = [r for r in self._pick(_all_of(node.selection)) if self.tested(r, node.test) is Truth.TRUE]
        early = [
            r
            for r in self.view.results(node.selection.analyte)
            if self.tested(r, node.earlier) is Truth.TRUE and any(_earlier(r, x) for x in late)
        ]
        after = [r for r in late if any(_earlier(x, r) for x in early)]
        known = Truth.of(bool(after)) if self.view.results(node.selection.analyte) else Truth.UNKNOWN
        return self._result_leaf(self._said(node), known, [*after[:1], *early[:1]], node.selection)

    def _difference(self, node: nodes.Difference) -> Answer:
        high, low = self._pick(node.minuend), self._pick(node.subtrahend)
        truths = [self.differ(a, b, node) for a in high for b in low]
        truth = any_of(truths) if truths else Truth.UNKNOWN
        return self._result_leaf(
            self._said(node), truth, [*high[:1], *low[:1]], node.subtrahend, settles=False
        )

    def _known(self, node: nodes.Known) -> Answer:
        found = self._pick(node.selection)
        if node.present:
            return self._result_leaf(self._said(node), Truth.of(bool(found)), found, node.selection)
        absent = AbsentEvidence(
            node.selection.analyte, self._since(node.selection.window, node.selection.analyte)
        )
        if found:
            return self._result_leaf(self._said(node), Truth.FALSE, found, node.selection)
        return leaf(self._said(node), Truth.TRUE, evidence=[absent])

    # ── records ──────────────────────────────────────────────────────────────────────────────────────

    def _on_record(self, node: nodes.OnRecord) -> Answer:
        found = records_of(self.view, node)
        evidence = [RecordEvidence(r.key, r.kind, node.concept, r.name or r.code, r.start) for r in found]
        if found:
            return leaf(self._said(node), Truth.TRUE, evidence=evidence)
        absent = [not_on_record(node, self.view)]
        return leaf(self._said(node), Truth.FALSE, "not on record", absent=absent)

    def _ordered(self, node: nodes.Ordered) -> Answer:
        orders = [
            o
            for o in self.view.records[RecordKind.ORDER]
            if o.status == ACTIVE
            and o.start is not None
            and o.start <= self.view.as_of <= (o.start_last or o.start) + ORDER_AGE + self.view.slack
            and order_matches_analyte(o, node.analyte)
        ]
        evidence = [RecordEvidence(o.key, o.kind, node.analyte, o.name or o.code, o.start) for o in orders]
        waiting = [
            r
            for r in self.view.pending(node.analyte)
            if r.effective_at is not None
            and self.view.as_of - r.effective_at <= PENDING_AGE + self.view.slack
        ]
        return leaf(self._said(node), Truth.of(bool(orders or waiting)), evidence=evidence)

    # ── the patient ──────────────────────────────────────────────────────────────────────────────────

    def _age(self, node: nodes.Age) -> Answer:
        age = self.view.age
        if age is None:
            return leaf(self._said(node), Truth.UNKNOWN, "no birth date")
        return leaf(self._said(node), _number(age, node.op, node.years), f"{age} years")

    def _sex_is(self, node: nodes.SexIs) -> Answer:
        sex = self.view.history.patient.sex
        known = sex in (Sex.FEMALE, Sex.MALE)
        return leaf(self._said(node), Truth.of(sex is node.sex) if known else Truth.UNKNOWN, sex)

    def _pregnant(self, node: nodes.Pregnant) -> Answer:
        return leaf(self._said(node), Truth.of(self.view.gravidity().pregnant))

    def _gestation(self, node: nodes.Gestation) -> Answer:
        state = self.view.gravidity()
        if not state.pregnant:
            return leaf(self._said(node), Truth.FALSE, "not pregnant")
        if state.weeks is None:
            return leaf(self._said(node), Truth.UNKNOWN, "weeks not said")
        return leaf(self._said(node), _number(state.weeks, node.op, node.weeks), f"{state.weeks} weeks")

    # ── one result against one test ──────────────────────────────────────────────────────────────────

    def tested(self, result: Result, test: nodes.Test) -> Truth:
        """Whether one result passes a test."""
        match test:
            case nodes.Compare():
                return compare(result, test)
            case nodes.Between():
                return between(result, test)
            case nodes.CensoredWithin():
                return censored_within(result, test)
            case nodes.BeyondRange():
                return _beyond_range(result, test)
            case nodes.TimesUpperLimit():
                limits = own_limit(result, upper=True) or test.fallback
                return compared(result, test.op, [scaled(x, test.factor) for x in limits])
            case nodes.Is():
                return Truth.UNKNOWN if result.coded is None else Truth.of(result.coded is test.coded)
            case nodes.BeyondTable():
                limits = limit_for(self.vocabulary.tables[test.table], self.view, result.effective_at)
                return compared(result, test.op, limits)
            case nodes.Noted():  # pragma: no branch
                return Truth.of(note_matches(self.view.concepts[test.concept], result.notes))

    # ── parts of the above ───────────────────────────────────────────────────────────────────────────

    def _said(self, node: nodes.Leaf) -> str:
        return self.vocabulary.said(node)

    def _pick(self, selection: nodes.Selection) -> list[Result]:
        return pick(self.view, selection)

    def differ(self, a: Result, b: Result, node: nodes.Difference) -> Truth:
        """Whether one result less another stands so to the limit."""
        high, low = canonical_interval(a), canonical_interval(b)
        if high is None or low is None or a.analyte is None:
            return Truth.UNKNOWN
        limit = to_canonical(a.analyte, node.limits[0].dimension, node.limits[0].base)
        return Truth.UNKNOWN if limit is None else high.minus(low).compared(node.op, limit)

    def _since(self, window: nodes.Window, analyte: str) -> datetime | None:
        reach = look_back(window, analyte)
        return None if reach is None else self.view.as_of - reach

    def _limit_note(self, test: nodes.Test, results: Sequence[Result]) -> str:
        quantity = results[0].quantity if results else None
        match test:
            case nodes.Compare():
                return f"limit {test.op} {printed(test.limits, quantity)}"
            case nodes.BeyondRange() if results and (own := own_limit(results[0], upper=test.above)):
                return f"laboratory's limit {'>' if test.above else '<'} {printed(own, quantity)}"
            case nodes.BeyondRange(otherwise=nodes.Compare() as other):
                return f"no laboratory limit sent; {other.op} {printed(other.limits, quantity)}"
            case nodes.BeyondTable() if results:
                at = results[0].effective_at
                limits = limit_for(self.vocabulary.tables[test.table], self.view, at)
                return (
                    f"limit {test.op} {printed(limits, quantity)}" if limits else "no limit for this patient"
                )
        return ""

    def _result_leaf(
        self,
        text: str,
        truth: Truth,
        results: Sequence[Result],
        selection: nodes.Selection,
        note: str = "",
        settles: bool = True,
    ) -> Answer:
        evidence = [e for r in results if (e := result_evidence(r)) is not None]
        notes = [note] if note else []
        if not results:
            notes = ["not measured in the window"] if truth is Truth.UNKNOWN else []
        elif len({r.effective_at for r in results}) < len(results):
            notes.append("several results of the same time")
        could = frozenset({selection.analyte}) if settles else NOTHING
        return leaf(text, truth, "; ".join(notes), evidence, settles=could)


def not_on_record(node: nodes.OnRecord, view: View) -> AbsentEvidence:
    """That there is no such record, and since when none was looked for."""
    within = node.window.within
    return AbsentEvidence(node.concept, None if within is None else view.as_of - within)


def _beyond_range(result: Result, test: nodes.BeyondRange) -> Truth:
    op = nodes.Op.GT if test.above else nodes.Op.LT
    own = own_limit(result, upper=test.above)
    if own:
        beyond = compared(result, op, own)
    elif test.otherwise is not None:
        beyond = compare(result, test.otherwise)
    else:
        beyond = Truth.TRUE if test.also is not None else Truth.UNKNOWN
    return beyond if test.also is None else all_of([beyond, compare(result, test.also)])


def result_evidence(result: Result) -> ResultEvidence | None:
    """The result as evidence, as it was printed."""
    if result.analyte is None or result.effective_at is None:
        return None
    comparator, value, unit = printed_result(result)
    return ResultEvidence(
        result.key, result.analyte, value, comparator, unit, result.effective_at, result.id, result.source
    )


def _all_of(selection: nodes.Selection) -> nodes.Selection:
    return nodes.Selection(selection.analyte, nodes.Which.ANY, selection.window, selection.preliminary)


def _earlier(a: Result, b: Result) -> bool:
    return a.effective_at is not None and b.effective_at is not None and a.effective_at < b.effective_at


def spaced(results: Sequence[Result], n: int, spacing: nodes.Span) -> list[Result]:
    """The newest two of `results` with at least n−2 others between them in time that lie `spacing` apart."""
    by_time = {r.effective_at: r for r in reversed(results) if r.effective_at is not None}
    times = sorted(by_time, reverse=True)
    for late in range(len(times)):
        for early in range(late + n - 1, len(times)):
            if spacing.holds(times[late] - times[early]):
                return [by_time[times[late]], by_time[times[early]]]
    return []


def _number(value: int, op: nodes.Op, limit: int) -> Truth:
    return Interval(Decimal(value), Decimal(value)).compared(op, Decimal(limit))


_MEANING: Mapping[type, Callable[[Evaluator, Any], Answer]] = {
    nodes.All: Evaluator._all,
    nodes.Any: Evaluator._any,
    nodes.NoneOf: Evaluator._none_of,
    nodes.AtLeast: Evaluator._at_least,
    nodes.Ref: Evaluator._ref,
    nodes.Unsettled: Evaluator._unsettled,
    nodes.Measured: Evaluator._measured,
    nodes.Counted: Evaluator._counted,
    nodes.Preceded: Evaluator._preceded,
    nodes.Difference: Evaluator._difference,
    nodes.Known: Evaluator._known,
    nodes.OnRecord: Evaluator._on_record,
    nodes.Ordered: Evaluator._ordered,
    nodes.Age: Evaluator._age,
    nodes.SexIs: Evaluator._sex_is,
    nodes.Pregnant: Evaluator._pregnant,
    nodes.Gestation: Evaluator._gestation,
}
"""What each node means; a node without a meaning is found by `test_every_node_has_a_meaning`."""
