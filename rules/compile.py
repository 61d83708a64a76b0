"""The compiled evaluator: what `rules.evaluate` says, found faster.

Each distinct leaf is answered once for a patient, whichever rules and definitions share it. Conditions are
closures that stop at the first part that decides. Words and evidence are made only where a pattern is true,
its explanation only when somebody asks for it. `tests/properties` holds the two evaluators together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache

from rules import nodes
from rules.compiled import FALSE, NOTHING, TRUE, UNKNOWN, Cells, Compiled, EvidenceOf, Missing, TruthOf
from rules.compiled_joins import all_of, any_of, at_least_of, none_of, remembered
from rules.compiled_leaves import absent_of, leaf_functions, missing_of
from rules.concepts import matches
from rules.evaluate import Vocabulary
from rules.facts import Record, RecordKind
from rules.findings import RuleJudgment, TreeNode
from rules.history import View
from rules.judging import Pattern, judgment_of
from rules.rule import Rule
from rules.truth import Truth

_WHENEVER = datetime.min.replace(tzinfo=UTC)
MEANINGS = 65_536
"""Different entries of patients' lists whose concepts are remembered."""


@dataclass
class Program:
    """All rules of a ruleset, compiled once."""

    vocabulary: Vocabulary
    _rules: list[Rule] = field(default_factory=list)
    _index: dict[nodes.Leaf, int] = field(default_factory=dict)
    _leaves: list[Compiled] = field(default_factory=list)
    _definitions: dict[str, Compiled] = field(default_factory=dict)
    _conditions: dict[int, Compiled] = field(default_factory=dict)
    _silent: dict[str, RuleJudgment] = field(default_factory=dict)
    _unsettled: dict[tuple[str, Missing], RuleJudgment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._meanings = lru_cache(MEANINGS)(self._concepts_meant)

    def add(self, rules: Iterable[Rule]) -> Program:
        """Compile the rules, so that they can be judged. A condition is found again by its identity."""
        for rule in rules:
            self._rules.append(rule)
            self._conditions |= {id(condition): self.compiled(condition) for condition in rule.conditions}
            self._silent[rule.id] = _untold(rule, FALSE)
        return self

    def judge(self, view: View) -> list[RuleJudgment]:
        """The judgment of each rule, before precedence; words and evidence only where the pattern is true."""
        cells = self.cells(view)
        return [self._judge(rule, cells) for rule in self._rules]

    def cells(self, view: View) -> Cells:
        """Empty cells for one view."""
        records = (record for kind in view.records.values() for record in kind)
        meant = (self._meanings(r.kind, r.system, r.code, r.name, r.status) for r in records)
        return Cells(view, self.vocabulary, len(self._leaves), frozenset().union(*meant))

    def _judge(self, rule: Rule, cells: Cells) -> RuleJudgment:
        when = self._conditions[id(rule.when)]
        truth = when.truth(cells)
        if truth is FALSE:
            return self._silent[rule.id]
        if truth is UNKNOWN:
            return self._unknown(rule, when.missing(cells))
        reference = cells.reference
        pattern = Pattern(TRUE, when.evidence(cells), None, cache(lambda: reference.answer(rule.when).tree))
        return judgment_of(rule, pattern, cells.view, lambda asked: self._conditions[id(asked)].truth(cells))

    def _unknown(self, rule: Rule, missing: Missing) -> RuleJudgment:
        """Made once for each list of what is missing."""
        known = self._unsettled.get((rule.id, missing))
        if known is None:
            known = self._unsettled[rule.id, missing] = _untold(rule, UNKNOWN, missing)
        return known

    def _concepts_meant(
        self, kind: RecordKind, system: str, code: str, name: str, status: str | None
    ) -> frozenset[str]:
        """The concepts that such an entry of a patient's lists means, whenever it was."""
        entry = Record("", kind, system, code, name, status, None, None, _WHENEVER, 0)
        asked = (concept for concept in self.vocabulary.concepts.values() if concept.kind == kind)
        return frozenset(concept.name for concept in asked if matches(concept, entry))

    # ── conditions ───────────────────────────────────────────────────────────────────────────────────

    def compiled(self, condition: nodes.Condition) -> Compiled:
        """The functions of a condition."""
        match condition:
            case nodes.All(parts=parts):
                return all_of([self.compiled(p) for p in parts])
            case nodes.Any(parts=parts):
                return any_of([self.compiled(p) for p in parts])
            case nodes.NoneOf(parts=parts):
                return none_of([self.compiled(p) for p in parts])
            case nodes.AtLeast(n=n, parts=parts):
                return at_least_of(n, [self.compiled(p) for p in parts])
            case nodes.Ref(name=name):
                return self._definition(name)
            case _:
                return self._leaf(condition)

    def _definition(self, name: str) -> Compiled:
        if name not in self._definitions:
            inner = self.compiled(self.vocabulary.definitions[name])
            self._definitions[name] = remembered(name, inner)
        return self._definitions[name]

    def _leaf(self, leaf: nodes.Leaf) -> Compiled:
        if leaf not in self._index:
            ask, evidence = leaf_functions(leaf, lambda name: self._definition(name).truth)
            self._index[leaf] = len(self._leaves)
            self._leaves.append(_remembered(leaf, self._index[leaf], ask, evidence))
        return self._leaves[self._index[leaf]]


def _remembered(leaf: nodes.Leaf, index: int, ask: TruthOf, evidence: EvidenceOf) -> Compiled:
    """A leaf, answered once for each view."""
    missing = missing_of(leaf)

    def truth(cells: Cells) -> Truth:
        known = cells.leaves[index]
        if known is None:
            known = cells.leaves[index] = ask(cells)
        return known

    return Compiled(truth, lambda _: missing, evidence, absent_of(leaf, truth))


def _untold(rule: Rule, truth: Truth, missing: Missing = NOTHING) -> RuleJudgment:
    """The judgment of a rule that has nothing to tell; its words are those of the plain case."""
    return RuleJudgment(
        rule=rule.id,
        version=rule.version,
        status=rule.status,
        pattern=truth,
        severity=rule.severity,
        headline=rule.headline,
        text="",
        evidence=(),
        actions=(),
        follow_up=(),
        sources=rule.sources,
        annotates=(),
        missing=tuple(sorted(missing)),
        explained=lambda: TreeNode(rule.id, truth),
    )
