"""What judging a patient gives: for each rule its truth, its evidence and the words for the clinician."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from rules.facts import Patient, Unusable
from rules.truth import Truth


class Severity(StrEnum):
    """How much a finding asks of its reader; the order of declaration is the order of urgency."""

    CRITICAL = "critical"
    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for critical up to 3 for low, to sort by."""
        return list(Severity).index(self)


class RuleStatus(StrEnum):
    """draft and retired rules say nothing; silent ones are kept apart; pilot and active ones are told."""

    DRAFT = "draft"
    SILENT = "silent"
    PILOT = "pilot"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class ResultEvidence:
    """A result that a finding rests on, in the unit it was reported in. `key` names it across versions."""

    key: str
    analyte: str
    value: str
    comparator: str
    unit: str
    effective_at: datetime
    result_id: str
    source: str


@dataclass(frozen=True, slots=True)
class RecordEvidence:
    """A record that a finding rests on (a medication, condition, procedure or order of a concept)."""

    key: str
    kind: str
    concept: str
    name: str
    start: datetime | None


@dataclass(frozen=True, slots=True)
class AbsentEvidence:
    """Nothing of the concept or analyte was on record since then (None: ever)."""

    absent: str
    since: datetime | None


Evidence = ResultEvidence | RecordEvidence | AbsentEvidence


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What the rule expects to arrive, and by which day."""

    expect: str
    due: date


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One line of an explanation: a condition in words, its truth, what it looked at, and its parts."""

    text: str
    truth: Truth
    note: str = ""
    evidence: tuple[Evidence, ...] = ()
    parts: tuple[TreeNode, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleJudgment:
    """What one rule says of one patient at one moment.

    `pattern` is the truth of the rule's conditions before holds and precedence. `held` names the hold that
    keeps a true pattern from being told now; `covered_by` the stronger rule that is told instead. `missing`
    lists the analytes any one of which, measured, would settle an unknown pattern. Severity and words are
    those of the moment, also when the pattern is not true (they are then not shown). `explained` makes the
    tree when somebody asks for it.
    """

    rule: str
    version: int
    status: RuleStatus
    pattern: Truth
    severity: Severity
    headline: str
    text: str
    evidence: tuple[Evidence, ...]
    actions: tuple[str, ...]
    follow_up: tuple[FollowUp, ...]
    sources: tuple[str, ...]
    annotates: tuple[str, ...]
    missing: tuple[str, ...]
    explained: Callable[[], TreeNode] = field(compare=False, repr=False)
    held: str | None = None
    covered_by: str | None = None
    suggest_missing: bool = False

    @property
    def tree(self) -> TreeNode:
        """The explanation: every condition of the pattern in words, with its truth and what it looked at."""
        return self.explained()

    @property
    def told(self) -> bool:
        """Whether this is a finding now: true, not held, not covered by a stronger rule."""
        return self.pattern is Truth.TRUE and self.held is None and self.covered_by is None


@dataclass(frozen=True, slots=True)
class NotUsed:
    """A result that was left out of judging, and why."""

    key: str
    result_id: str
    reason: Unusable
    detail: str
    analyte: str | None = None


@dataclass(frozen=True, slots=True)
class Judgment:
    """Every rule's answer for one patient at `as_of`, and the results that were not used."""

    patient: Patient
    as_of: datetime
    ruleset: str
    rules: tuple[RuleJudgment, ...]
    not_used: tuple[NotUsed, ...]

    @property
    def findings(self) -> tuple[RuleJudgment, ...]:
        """What would be told: active and pilot rules after holds and precedence, most severe first."""
        return self._told(RuleStatus.ACTIVE, RuleStatus.PILOT)

    @property
    def silent(self) -> tuple[RuleJudgment, ...]:
        """The same for silent rules."""
        return self._told(RuleStatus.SILENT)

    @property
    def undetermined(self) -> tuple[RuleJudgment, ...]:
        """Active and pilot rules that one more test would settle."""
        speaking = (RuleStatus.ACTIVE, RuleStatus.PILOT)
        return tuple(
            r for r in self.rules if r.status in speaking and r.pattern is Truth.UNKNOWN and r.missing
        )

    def _told(self, *statuses: RuleStatus) -> tuple[RuleJudgment, ...]:
        told = [r for r in self.rules if r.status in statuses and r.told]
        return tuple(sorted(told, key=lambda r: (r.severity.rank, r.rule)))


class Ended(StrEnum):
    """Why a pattern that was true is no longer (design decision 12)."""

    CORRECTED = "corrected"  # a fact it rested on was corrected or retracted
    NEWER_FACT = "newer-fact"  # a later fact ended it: normal value, treatment, referral, explanation
    TIME = "time"  # only time passed
    RULES_CHANGED = "rules-changed"  # the rule itself is another one now
