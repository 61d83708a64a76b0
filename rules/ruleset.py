"""The rules in force, and the two things asked of them: judge a history, and say why a pattern ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from rules.compile import Program
from rules.endings import why_ended
from rules.evaluate import Evaluator, Vocabulary
from rules.facts import History
from rules.findings import Ended, Judgment, RuleJudgment
from rules.history import View
from rules.judging import SPEAKING, judge_rule, with_precedence
from rules.rule import DefinitionCase, Rule, SiteCase, SiteChange


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
    site_changes: tuple[SiteChange, ...] = field(default=())
    site_cases: tuple[SiteCase, ...] = field(default=())

    def view(self, history: History, as_of: datetime) -> View:
        """The usable facts of a history, its records read by this ruleset's concepts."""
        return View(history, as_of, concepts=self.vocabulary.concepts)

    def evaluator(self, history: History, as_of: datetime) -> Evaluator:
        """The reference evaluator over such a view."""
        return Evaluator(self.view(history, as_of), self.vocabulary)

    def judge(self, history: History, as_of: datetime) -> Judgment:
        """What every active, pilot and silent rule says of the history as known at `as_of`."""
        view = self.view(history, as_of)
        return self._judgment(self._program.judge(view), view)

    def judge_by_reference(self, history: History, as_of: datetime) -> Judgment:
        """The same by the reference evaluator: slower, and with the whole tree of every rule."""
        evaluator = self.evaluator(history, as_of)
        return self._judgment([judge_rule(rule, evaluator) for rule in self._speaking], evaluator.view)

    def _judgment(self, judged: list[RuleJudgment], view: View) -> Judgment:
        return Judgment(
            patient=view.history.patient,
            as_of=view.as_of,
            ruleset=self.fingerprint,
            rules=with_precedence(judged, self.rules),
            not_used=view.not_used,
        )

    @cached_property
    def _speaking(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules.values() if rule.status in SPEAKING)

    @cached_property
    def _program(self) -> Program:
        return Program(self.vocabulary).add(self._speaking)

    def explain(self, rule_id: str, history: History, as_of: datetime) -> RuleJudgment:
        """One rule's judgment, whatever its status, with precedence among the speaking ones.

        Raises:
            KeyError: no such rule.
        """
        judgment = self.judge_by_reference(history, as_of)
        found = next((r for r in judgment.rules if r.rule == rule_id), None)
        return found or judge_rule(self.rules[rule_id], self.evaluator(history, as_of))

    def why_ended(self, rule_id: str, history: History, then: datetime, now: datetime) -> Ended:
        """Why the rule's pattern, true at `then`, is not true at `now`. A rule that is gone: the rules
        changed."""
        rule = self.rules.get(rule_id)
        if rule is None:
            return Ended.RULES_CHANGED
        return why_ended(rule, self.vocabulary, history, then, now)
