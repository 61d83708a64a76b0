"""The rules in force, and the two things asked of them: judge a history, and say why a pattern ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rules.endings import why_ended
from rules.evaluate import Evaluator, Vocabulary
from rules.facts import History
from rules.findings import Ended, Judgment, RuleJudgment
from rules.history import View
from rules.judging import SPEAKING, judge_rule, with_precedence
from rules.rule import DefinitionCase, Rule


@dataclass(frozen=True)
class Citation:
    """A publication and how far its numbers were checked: primary, secondary or no."""

    id: str
    citation: str
    checked: str
    where: str = ""


@dataclass(frozen=True)
class Ruleset:
    """Rules, the vocabulary they are written in, and the fingerprint of the files they came from."""

    rules: Mapping[str, Rule]
    vocabulary: Vocabulary
    sources: Mapping[str, Citation]
    fingerprint: str
    version: str = "library"
    files: tuple[str, ...] = field(default=())
    definition_cases: tuple[DefinitionCase, ...] = field(default=())

    def judge(self, history: History, as_of: datetime) -> Judgment:
        """What every active, pilot and silent rule says of the history as known at `as_of`."""
        evaluator = Evaluator(View(history, as_of), self.vocabulary)
        judged = [judge_rule(r, evaluator) for r in self.rules.values() if r.status in SPEAKING]
        return Judgment(
            patient=history.patient,
            as_of=as_of,
            ruleset=self.fingerprint,
            rules=with_precedence(judged, self.rules),
            not_used=evaluator.view.not_used,
        )

    def explain(self, rule_id: str, history: History, as_of: datetime) -> RuleJudgment:
        """One rule's judgment, whatever its status, with precedence among the speaking ones.

        Raises:
            KeyError: no such rule.
        """
        judgment = self.judge(history, as_of)
        found = next((r for r in judgment.rules if r.rule == rule_id), None)
        return found or judge_rule(self.rules[rule_id], Evaluator(View(history, as_of), self.vocabulary))

    def why_ended(self, rule_id: str, history: History, then: datetime, now: datetime) -> Ended:
        """Why the rule's pattern, true at `then`, is not true at `now`. A rule that is gone: the rules
        changed."""
        rule = self.rules.get(rule_id)
        if rule is None:
            return Ended.RULES_CHANGED
        return why_ended(rule, self.vocabulary, history, then, now)
