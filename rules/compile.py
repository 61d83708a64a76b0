"""The compiled evaluator: the same truth and the same missing list as `rules.evaluate`, found faster.

Each distinct leaf is answered once for a patient, whichever rules and definitions share it; conditions are
closures that stop at the first part that decides. Evidence and explanation are the reference evaluator's,
asked only where a pattern is true; leaves that are rare are its too. `tests/properties` holds the two
together.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import combinations

from rules import nodes
from rules.answers import NOTHING, Settles
from rules.evaluate import Evaluator, Vocabulary
from rules.facts import Comparator, Result
from rules.findings import RuleJudgment, TreeNode
from rules.history import View
from rules.judging import judge_rule
from rules.measuring import between, compare
from rules.rule import Rule
from rules.selecting import look_back, records_of
from rules.truth import Truth, at_least

TRUE, FALSE, UNKNOWN = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN


class Cells:
    """What has been answered for one view: one cell for each leaf, one for each definition."""

    __slots__ = ("definitions", "leaves", "reference", "settled", "view")

    def __init__(self, view: View, vocabulary: Vocabulary, size: int) -> None:
        self.view = view
        self.leaves: list[Truth | None] = [None] * size
        self.definitions: dict[str, Truth] = {}
        self.settled: dict[str, Settles] = {}
        self.reference = Evaluator(view, vocabulary)


TruthOf = Callable[[Cells], Truth]
SettlesOf = Callable[[Cells], Settles]
LeafTruth = Callable[[Cells], Truth]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A condition as two functions: its truth, and which single tests would make it true."""

    truth: TruthOf
    settles: SettlesOf


@dataclass
class Program:
    """All rules of a ruleset, compiled once."""

    vocabulary: Vocabulary
    _index: dict[nodes.Leaf, int] = field(default_factory=dict)
    _leaves: list[LeafTruth] = field(default_factory=list)
    _definitions: dict[str, Compiled] = field(default_factory=dict)
    _rules: dict[str, tuple[Rule, Compiled, RuleJudgment, RuleJudgment]] = field(default_factory=dict)

    def judge(self, rules: Iterable[Rule], view: View) -> list[RuleJudgment]:
        """The judgment of each rule, before precedence; words and evidence only where the pattern is true."""
        cells = Cells(view, self.vocabulary, len(self._leaves))
        return [self._judge(rule, cells) for rule in rules]

    def add(self, rules: Iterable[Rule]) -> Program:
        """Compile the rules, so that they can be judged."""
        for rule in rules:
            compiled = self.compiled(rule.when)
            self._rules[rule.id] = (rule, compiled, _untold(rule, FALSE), _untold(rule, UNKNOWN))
        return self

    def _judge(self, rule: Rule, cells: Cells) -> RuleJudgment:
        _, compiled, silent, unknown = self._rules[rule.id]
        truth = compiled.truth(cells)
        if truth is TRUE:
            return judge_rule(rule, cells.reference)
        if truth is FALSE:
            return silent
        settles = compiled.settles(cells)
        return replace(unknown, missing=tuple(sorted(settles))) if settles else unknown

    # ── conditions ───────────────────────────────────────────────────────────────────────────────────

    def compiled(self, condition: nodes.Condition) -> Compiled:
        """The two functions of a condition."""
        match condition:
            case nodes.All(parts=parts):
                return _all([self.compiled(p) for p in parts])
            case nodes.Any(parts=parts):
                return _any([self.compiled(p) for p in parts])
            case nodes.NoneOf(parts=parts):
                return _none([self.compiled(p) for p in parts])
            case nodes.AtLeast(n=n, parts=parts):
                return _at_least(n, [self.compiled(p) for p in parts])
            case nodes.Ref(name=name):
                return self._definition(name)
            case _:
                return self._leaf(condition)

    def _definition(self, name: str) -> Compiled:
        if name not in self._definitions:
            inner = self.compiled(self.vocabulary.definitions[name])
            self._definitions[name] = _remembered(name, inner)
        return self._definitions[name]

    def _leaf(self, leaf: nodes.Leaf) -> Compiled:
        if leaf not in self._index:
            self._index[leaf] = len(self._leaves)
            self._leaves.append(_leaf_truth(leaf))
        index, ask = self._index[leaf], self._leaves[self._index[leaf]]
        could = _could_settle(leaf)

        def truth(cells: Cells) -> Truth:
            known = cells.leaves[index]
            if known is None:
                known = cells.leaves[index] = ask(cells)
            return known

        return Compiled(truth, lambda cells: _settles(truth(cells), could))


def _untold(rule: Rule, pattern: Truth) -> RuleJudgment:
    """The judgment of a rule that has nothing to tell; its words are those of the plain case."""
    return RuleJudgment(
        rule=rule.id,
        version=rule.version,
        status=rule.status,
        pattern=pattern,
        severity=rule.severity,
        headline=rule.headline,
        text="",
        evidence=(),
        actions=(),
        follow_up=(),
        sources=rule.sources,
        annotates=(),
        missing=(),
        tree=TreeNode(rule.id, pattern),
    )


# ── joins ────────────────────────────────────────────────────────────────────────────────────────────


def _settles(truth: Truth, could: Settles) -> Settles:
    return None if truth is TRUE else NOTHING if truth is FALSE else could


def _all(parts: Sequence[Compiled]) -> Compiled:
    truths = [p.truth for p in parts]

    def truth(cells: Cells) -> Truth:
        answer = TRUE
        for part in truths:
            one = part(cells)
            if one is FALSE:
                return FALSE
            if one is UNKNOWN:
                answer = UNKNOWN
        return answer

    def settles(cells: Cells) -> Settles:
        known = truth(cells)
        return _meet(p.settles(cells) for p in parts) if known is UNKNOWN else _settles(known, NOTHING)

    return Compiled(truth, settles)


def _any(parts: Sequence[Compiled]) -> Compiled:
    truths = [p.truth for p in parts]

    def truth(cells: Cells) -> Truth:
        answer = FALSE
        for part in truths:
            one = part(cells)
            if one is TRUE:
                return TRUE
            if one is UNKNOWN:
                answer = UNKNOWN
        return answer

    def settles(cells: Cells) -> Settles:
        known = truth(cells)
        return _join(p.settles(cells) for p in parts) if known is UNKNOWN else _settles(known, NOTHING)

    return Compiled(truth, settles)


def _none(parts: Sequence[Compiled]) -> Compiled:
    truths = [p.truth for p in parts]

    def truth(cells: Cells) -> Truth:
        for part in truths:
            if part(cells) is TRUE:
                return FALSE
        return TRUE

    return Compiled(truth, lambda cells: _settles(truth(cells), NOTHING))


def _at_least(n: int, parts: Sequence[Compiled]) -> Compiled:
    def truth(cells: Cells) -> Truth:
        return at_least(n, [p.truth(cells) for p in parts])

    def settles(cells: Cells) -> Settles:
        known = truth(cells)
        if known is not UNKNOWN:
            return _settles(known, NOTHING)
        each = [p.settles(cells) for p in parts]
        return _join(_meet(group) for group in combinations(each, n))

    return Compiled(truth, settles)


def _remembered(name: str, inner: Compiled) -> Compiled:
    """A definition, answered once for each view."""

    def truth(cells: Cells) -> Truth:
        known = cells.definitions.get(name)
        if known is None:
            known = cells.definitions[name] = inner.truth(cells)
        return known

    def settles(cells: Cells) -> Settles:
        if name not in cells.settled:
            cells.settled[name] = inner.settles(cells)
        return cells.settled[name]

    return Compiled(truth, settles)


def _meet(parts: Iterable[Settles]) -> Settles:
    narrow = [s for s in parts if s is not None]
    return frozenset.intersection(*narrow) if narrow else None


def _join(parts: Iterable[Settles]) -> Settles:
    every = list(parts)
    return None if any(s is None for s in every) else frozenset().union(*(s for s in every if s))


# ── leaves ───────────────────────────────────────────────────────────────────────────────────────────


def _could_settle(leaf: nodes.Leaf) -> Settles:
    """The analytes that, measured, could make an unknown leaf true."""
    match leaf:
        case nodes.Measured(selection=s) | nodes.Counted(selection=s) | nodes.Preceded(selection=s):
            return frozenset({s.analyte})
        case nodes.Unsettled(until=until):
            return frozenset(until)
        case _:
            return NOTHING


def _leaf_truth(leaf: nodes.Leaf) -> LeafTruth:
    """A function for the leaves that every patient is asked; the reference evaluator for the others."""
    match leaf:
        case nodes.Measured(selection=selection, test=nodes.Compare() as limit) if _is_plain(selection):
            return _newest(selection, lambda result: _compare(result, limit))
        case nodes.Measured(selection=selection, test=nodes.Between() as span) if _is_plain(selection):
            return _newest(selection, lambda result: between(result, span))
        case nodes.OnRecord():
            return lambda cells: Truth.of(bool(records_of(cells.view, leaf)))
        case _:
            return lambda cells: cells.reference.answer(leaf).truth


def _is_plain(selection: nodes.Selection) -> bool:
    return selection.which is nodes.Which.LATEST and not selection.window.anchors


def _newest(selection: nodes.Selection, passes: Callable[[Result], Truth]) -> LeafTruth:
    """The newest result in the window, and those of the same time: true if any passes."""
    analyte, preliminary = selection.analyte, selection.preliminary
    reach = look_back(selection.window, analyte)

    def truth(cells: Cells) -> Truth:
        view = cells.view
        results = view.results(analyte, preliminary=preliminary)
        if not results:
            return UNKNOWN
        newest = results[0].effective_at
        if newest is None or (reach is not None and view.as_of - newest > reach + view.slack):
            return UNKNOWN
        answer = passes(results[0])
        for other in results[1:]:
            if other.effective_at != newest or answer is TRUE:
                return answer
            one = passes(other)
            answer = one if one is TRUE or answer is FALSE else answer
        return answer

    return truth


def _compare(result: Result, test: nodes.Compare) -> Truth:
    quantity = result.quantity
    if quantity is not None and quantity.comparator is Comparator.EQ:
        for limit in test.limits:
            if limit.dimension == quantity.dimension:
                return TRUE if _ORDER[test.op](quantity.base, limit.base) else FALSE
    return compare(result, test)


_ORDER: Mapping[nodes.Op, Callable[[Decimal, Decimal], bool]] = {
    nodes.Op.LT: operator.lt,
    nodes.Op.LE: operator.le,
    nodes.Op.GE: operator.ge,
    nodes.Op.GT: operator.gt,
}
