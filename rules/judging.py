"""Judging: one rule on one view, then all rules together with precedence between them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from rules.answers import Settles
from rules.evaluate import Evaluator
from rules.findings import Evidence, FollowUp, RuleJudgment, RuleStatus, TreeNode
from rules.history import View
from rules.nodes import Condition
from rules.rule import Cased, Rule
from rules.truth import Truth
from rules.wording import filled

T = TypeVar("T")
TruthOf = Callable[[Condition], Truth]

SPEAKING = frozenset({RuleStatus.ACTIVE, RuleStatus.PILOT, RuleStatus.SILENT})


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a rule's conditions gave, whoever evaluated them; `explained` makes the tree when it is asked."""

    truth: Truth
    evidence: tuple[Evidence, ...]
    settles: Settles
    explained: Callable[[], TreeNode]


def judge_rule(rule: Rule, evaluator: Evaluator) -> RuleJudgment:
    """What one rule says, before precedence, by the reference evaluator."""
    answer = evaluator.answer(rule.when)
    pattern = Pattern(answer.truth, answer.evidence, answer.settles, lambda: answer.tree)
    return judgment_of(rule, pattern, evaluator.view, lambda asked: evaluator.answer(asked).truth)


def judgment_of(rule: Rule, pattern: Pattern, view: View, truth_of: TruthOf) -> RuleJudgment:
    """The rule's words and severity for what its pattern is; `truth_of` answers what its cases ask."""
    return RuleJudgment(
        rule=rule.id,
        version=rule.version,
        status=rule.status,
        pattern=pattern.truth,
        severity=_first(rule.severities, truth_of),
        headline=filled(_first(rule.headlines, truth_of), view),
        text=filled(_first(rule.texts, truth_of), view),
        evidence=pattern.evidence,
        actions=tuple(filled(a, view) for a in _applying(rule.actions, truth_of)),
        follow_up=_follow_up(rule, view.as_of, truth_of),
        sources=rule.sources,
        annotates=(),
        missing=tuple(sorted(pattern.settles or ())) if pattern.truth is Truth.UNKNOWN else (),
        explained=pattern.explained,
        held=_held(rule, truth_of) if pattern.truth is Truth.TRUE else None,
    )


def with_precedence(judged: Iterable[RuleJudgment], rules: Mapping[str, Rule]) -> tuple[RuleJudgment, ...]:
    """The judgments with `covered_by` and `annotates` filled in.

    Only an active rule whose pattern is true and not held stands over another (clinical.md 4.0.1, "Standing
    together").
    """
    judged = list(judged)
    true = [j for j in judged if j.pattern is Truth.TRUE]
    if not true:
        return tuple(judged)
    stands = {j.rule for j in true if j.status is RuleStatus.ACTIVE and j.held is None}
    covered = [_covered(j, rules[j.rule].yields_to, stands) for j in true]
    told = {j.rule for j in covered if j.told}
    settled = {j.rule: _annotated(j, rules[j.rule].annotates, told) for j in covered}
    return tuple(settled.get(j.rule, j) for j in judged)


def _covered(judgment: RuleJudgment, yields_to: Sequence[str], stands: Container[str]) -> RuleJudgment:
    over = next((r for r in yields_to if r in stands), None)
    return judgment if over is None else replace(judgment, covered_by=over)


def _annotated(judgment: RuleJudgment, annotates: Sequence[str], told: Container[str]) -> RuleJudgment:
    present = tuple(a for a in annotates if a in told)
    return replace(judgment, annotates=present) if judgment.told and present else judgment


def _held(rule: Rule, truth_of: TruthOf) -> str | None:
    holds = rule.hold is not None and truth_of(rule.hold) is Truth.TRUE
    return rule.hold_because if holds else None


def _first(cases: Sequence[Cased[T]], truth_of: TruthOf) -> T:
    return next(c.value for c in cases if _applies(c.when, truth_of))


def _applying(cases: Sequence[Cased[T]], truth_of: TruthOf) -> list[T]:
    return [c.value for c in cases if _applies(c.when, truth_of)]


def _applies(condition: Condition | None, truth_of: TruthOf) -> bool:
    return condition is None or truth_of(condition) is Truth.TRUE


def _follow_up(rule: Rule, day: datetime, truth_of: TruthOf) -> tuple[FollowUp, ...]:
    return tuple(
        FollowUp(f.expect, (day + f.within).date()) for f in rule.follow_up if _applies(f.when, truth_of)
    )
