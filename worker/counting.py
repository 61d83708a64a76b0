"""Moving the metrics for what was judged, once its commit is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from alerts.reconcile import Action, Decision
from worker import metrics
from worker.committing import Judged
from worker.reading import Read


def count_judged(judged: Sequence[Judged]) -> None:
    """Move the metrics, now that the commit is known."""
    truths = Counter((rule.rule, rule.pattern.value) for one in judged for rule in one.judgment.rules)
    for (rule, truth), times in truths.items():
        metrics.EVALUATIONS.labels(rule, truth).inc(times)
    for one in judged:
        _count_results(one)
        for finding in (*one.judgment.findings, *one.judgment.silent):
            metrics.FINDINGS.labels(finding.rule, finding.severity.value).inc()
        for decision in one.decisions:
            _count_decision(decision)


def count_read(reads: Iterable[Read]) -> None:
    """What was noticed in messages, and what of them was set aside, once that is committed."""
    for one in reads:
        for why in (*((one.whole,) if one.whole else ()), *one.parts):
            metrics.count_quarantined(one.message.source, why.reason)
        for mark in one.noticed:
            metrics.NOTICED.labels(mark).inc()


def _count_results(one: Judged) -> None:
    for result in (result for said in one.fresh for result in said.results):
        metrics.RESULTS.labels(result.analyte or metrics.OTHER, result.problem or "usable").inc()


def _count_decision(decision: Decision) -> None:
    metrics.DECISIONS.labels(decision.action.value, decision.reason.value).inc()
    if decision.action is Action.RAISE:
        metrics.ALERTS_RAISED.labels(decision.rule, decision.severity.value).inc()
    if decision.action is Action.WITHDRAW:
        metrics.ALERTS_WITHDRAWN.labels(decision.rule, decision.reason.value).inc()
