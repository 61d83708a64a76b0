"""Judging: one rule on one view, then all rules together with precedence between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from rules.evaluate import Evaluator
from rules.findings import FollowUp, RuleJudgment, RuleStatus
from rules.nodes import Condition
from rules.rule import Cased, Rule
from rules.truth import Truth
from rules.wording import filled

T = TypeVar("T")

SPEAKING = frozenset({RuleStatus.ACTIVE, RuleStatus.PILOT, RuleStatus.SILENT})


def judge_rule(rule: Rule, evaluator: Evaluator) -> RuleJudgment:
    """What one rule says, before precedence."""
    view = evaluator.view
    answer = evaluator.answer(rule.when)
    held = _held(rule, evaluator) if answer.truth is Truth.TRUE else None
    return RuleJudgment(
        rule=rule.id,
        version=rule.version,
        status=rule.status,
        pattern=answer.truth,
        severity=_first(rule.severities, evaluator),
        headline=filled(_first(rule.headlines, evaluator), view),
        text=filled(_first(rule.texts, evaluator), view),
        evidence=answer.evidence,
        actions=tuple(filled(a, view) for a in _applying(rule.actions, evaluator)),
        follow_up=_follow_up(rule, evaluator),
        sources=rule.sources,
        annotates=(),
        missing=tuple(sorted(answer.settles or ())) if answer.truth is Truth.UNKNOWN else (),
        tree=answer.tree,
        held=held,
    )


def with_precedence(judged: Iterable[RuleJudgment], rules: Mapping[str, Rule]) -> tuple[RuleJudgment, ...]:
    """The judgments with `covered_by` and `annotates` filled in.

    Only an active rule whose pattern is true and not held stands over another (clinical.md 4.0.1, "Standing
    together").
    """
    judged = list(judged)
    stands = {
        j.rule for j in judged if j.status is RuleStatus.ACTIVE and j.pattern is Truth.TRUE and j.held is None
    }
    covered = [_covered(j, rules[j.rule].yields_to, stands) for j in judged]
    told = {j.rule for j in covered if j.told}
    return tuple(
        replace(j, annotates=tuple(a for a in rules[j.rule].annotates if a in told)) if j.told else j
        for j in covered
    )


def _covered(judgment: RuleJudgment, yields_to: Sequence[str], stands: set[str]) -> RuleJudgment:
    over = next((r for r in yields_to if r in stands), None)
    return (
        judgment if over is None or judgment.pattern is not Truth.TRUE else replace(judgment, covered_by=over)
    )


def _held(rule: Rule, evaluator: Evaluator) -> str | None:
    holds = rule.hold is not None and evaluator.answer(rule.hold).truth is Truth.TRUE
    return rule.hold_because if holds else None


def _first(cases: Sequence[Cased[T]], evaluator: Evaluator) -> T:
    return next(c.value for c in cases if _true(c.when, evaluator))


def _applying(cases: Sequence[Cased[T]], evaluator: Evaluator) -> list[T]:
    return [c.value for c in cases if _true(c.when, evaluator)]


def _true(condition: Condition | None, evaluator: Evaluator) -> bool:
    return condition is None or evaluator.answer(condition).truth is Truth.TRUE


def _follow_up(rule: Rule, evaluator: Evaluator) -> tuple[FollowUp, ...]:
    day = evaluator.view.as_of
    return tuple(
        FollowUp(f.expect, (day + f.within).date()) for f in rule.follow_up if _true(f.when, evaluator)
    )
