"""Why a pattern that was true is true no longer (design decision 12).

Three questions, in this order, each one evaluation of the same rule:
1. On what was known then, would the rule as it is now have fired at all? No: the rules changed.
2. With only those facts, as corrected since, would it have fired then? No: a fact was corrected.
3. With every fact of today, and every look-back stretched by the time passed, does it fire? Yes: only time
   passed. No: a newer fact ended it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from rules.courses import NOT_A_FACT
from rules.evaluate import Evaluator, Vocabulary
from rules.facts import History, Record
from rules.findings import Ended
from rules.history import View
from rules.rule import Rule
from rules.truth import Truth


def why_ended(rule: Rule, vocabulary: Vocabulary, history: History, then: datetime, now: datetime) -> Ended:
    """Why `rule`, true at `then`, is not true at `now`."""

    concepts = vocabulary.concepts

    def fires(view: View) -> bool:
        return Evaluator(view, vocabulary).answer(rule.when).truth is Truth.TRUE

    if not fires(View(history, then, concepts=concepts)):
        return Ended.RULES_CHANGED
    if not fires(View(_as_corrected(history, then), then, known_by=now, concepts=concepts)):
        return Ended.CORRECTED
    stretched = View(history, now, slack=now - then, concepts=concepts)
    return Ended.TIME if fires(stretched) else Ended.NEWER_FACT


def _as_corrected(history: History, then: datetime) -> History:
    """The facts known by `then`, as corrected since; a record is corrected only by being taken back."""
    results = {r.key for r in history.results if r.known_at <= then}
    records = {r.key for r in history.records if r.known_at <= then}
    return replace(
        history,
        results=tuple(r for r in history.results if r.key in results),
        records=tuple(r for r in history.records if r.key in records and _kept(r, then)),
        pregnancy=tuple(s for s in history.pregnancy if s.known_at <= then),
    )


def _kept(record: Record, then: datetime) -> bool:
    return record.known_at <= then or record.status in NOT_A_FACT
