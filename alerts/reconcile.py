"""What a judging means for a patient's alerts: raise, update, withdraw, close or leave, and for what reason.

Pure. It looks at the truth of a rule's pattern, before holds and precedence, and at the newest episode of
that rule. It writes nothing (`alerts.store`) and decides nobody's address (`alerts.routing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from alerts.holding import NOTHING_HELD, HeldFor, Hold, Holds
from alerts.people import Address
from alerts.routing import Addressee, Lane, Router
from alerts.states import UNENDED, State, Step
from rules.facts import Unusable
from rules.findings import (
    AbsentEvidence,
    Ended,
    Evidence,
    Judgment,
    ResultEvidence,
    RuleJudgment,
    RuleStatus,
    Severity,
)
from rules.truth import Truth

DEFAULT_REARM_DAYS = 90
"""Quiet period of a rule that names none (clinical.md 4.0, repeat suppression)."""

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class Action(StrEnum):
    """What is done about one rule's answer."""

    RAISE = "raise"
    UPDATE = "update"
    WITHDRAW = "withdraw"
    CLOSE = "close"
    LEAVE = "leave"


class Reason(StrEnum):
    """Why it is done, or why nothing is: the closed set that log, metric, audit and alert show."""

    NEW_PATTERN = "new-pattern"
    PATTERN_RETURNED = "pattern-returned"
    REARMED = "re-armed"
    SEVERITY_ROSE = "severity-rose"
    WORSE_VALUE = "worse-value"
    EVIDENCE_CORRECTED = "evidence-corrected"
    RECIPIENT_JOINED = "recipient-joined"
    EVIDENCE_JOINED = "evidence-joined"
    FACT_CORRECTED = "fact-corrected"
    RESOLVED_BY_EVIDENCE = "resolved-by-evidence"
    SUPERSEDED_BY = "superseded-by"
    BEFORE_GO_LIVE = "before-go-live"
    STORM = "storm"
    VOIDED = "voided"
    UNCHANGED = "unchanged"
    HELD = "held"
    HOLD_ENDED = "hold-ended"
    COVERED = "covered"
    QUIET_PERIOD = "quiet-period"
    SILENT_RULE = "silent-rule"
    TIME_PASSED = "time-passed"
    RULES_CHANGED = "rules-changed"


PATIENT_DECEASED = "patient-deceased"
"""Why an alert is shown and pushed to nobody."""

ANSWERED = "answered"
"""The closing reason of a person's answer; the others are Reasons or `expired-by-policy`."""


class RuleFacts(Protocol):
    """What reconcile needs to know of a rule beside its judgment."""

    @property
    def rearm_days(self) -> int | None:
        """Days of quiet after a person's answer; None takes the default."""

    @property
    def rearm_on_later(self) -> bool:
        """Whether a result of a later specimen ends the quiet."""


@dataclass(frozen=True, slots=True)
class Episode:
    """The newest episode of one rule for one patient, as it is kept.

    `reason` is that of its newest step; `addressees` is everybody it was addressed to, its owner first.
    """

    alert_id: int
    rule: str
    rule_version: int
    number: int
    version: int
    state: State
    reason: str
    severity: Severity
    evidence: tuple[Evidence, ...]
    addressees: tuple[Address, ...]
    as_of: datetime
    closed_at: datetime | None = None
    rules_changed: bool = False
    held_for: str | None = None
    ruleset: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in UNENDED

    @property
    def is_held(self) -> bool:
        """Whether nobody has been told of it yet, because a hold keeps it back."""
        return self.state is State.HELD

    @property
    def is_answered(self) -> bool:
        """Whether a person ended it: only then is there a quiet period."""
        return self.state is State.DISMISSED or (self.state is State.CLOSED and self.reason == ANSWERED)


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision. `step` is None when nothing is written; `addressees` are the new ones, owner first.

    `tell` is by whom and which channels it is told now; `tell_carried` adds each that has carried the alert
    already; `hold` is why it is not told (`alerts.holding`). `severity` is the alert's after the decision.
    """

    action: Action
    reason: Reason
    rule: str
    severity: Severity
    judged: RuleJudgment | None = None
    episode: Episode | None = None
    step: Step | None = None
    addressees: tuple[Addressee, ...] = ()
    tell: tuple[Lane, ...] = ()
    tell_carried: bool = False
    superseded_by: str | None = None
    hold: Hold | None = None
    not_pushed: str | None = None


def reconcile(
    judgment: Judgment,
    episodes: Sequence[Episode],
    why_ended: Callable[[str], Ended],
    rules: Mapping[str, RuleFacts],
    *,
    router: Router,
    holds: Holds = NOTHING_HELD,
) -> tuple[Decision, ...]:
    """A decision for every rule whose pattern is true or that has an alert to think of; most severe first.

    `episodes` holds the newest episode of each rule; `why_ended` is asked only where a pattern stopped. A
    rule that is neither true nor alerted gives no decision.
    """
    newest = newest_episodes(episodes)
    dropped = frozenset(n.key for n in judgment.not_used if n.reason is not Unusable.SUPERSEDED)
    found = [
        _decide(_Answer(r, newest.get(r.rule), rules.get(r.rule), dropped, holds), why_ended, router)
        for r in judgment.rules
    ]
    judged = {r.rule for r in judgment.rules}
    gone = [_leave_flagged(e) for e in newest.values() if e.rule not in judged and e.is_open]
    decisions = [d for d in (*found, *gone) if d is not None]
    return tuple(sorted(decisions, key=lambda d: (d.severity.rank, d.rule)))


def newest_episodes(episodes: Iterable[Episode]) -> dict[str, Episode]:
    """The newest episode of each rule."""
    return {e.rule: e for e in sorted(episodes, key=lambda e: e.number)}


@dataclass(frozen=True, slots=True)
class _Answer:
    """One rule's answer with what is needed to weigh it; `dropped` are results that can no longer be used."""

    judged: RuleJudgment
    last: Episode | None
    rule: RuleFacts | None
    dropped: frozenset[str]
    holds: Holds

    @property
    def alerted(self) -> Episode | None:
        """The open episode, if there is one."""
        return self.last if self.last and self.last.is_open else None


def _decide(answer: _Answer, why_ended: Callable[[str], Ended], router: Router) -> Decision | None:
    judged = answer.judged
    if judged.status not in (RuleStatus.ACTIVE, RuleStatus.PILOT):
        return _of_unspoken(answer)
    if judged.pattern is not Truth.TRUE:
        return _of_ended(answer, why_ended)
    if judged.covered_by is not None:
        return _of_covered(answer, judged.covered_by)
    if answer.alerted is None:
        return _of_new(answer, router)
    if judged.held is not None:
        return _leave(Reason.HELD, answer)
    if answer.alerted.is_held:
        return _of_held(answer, answer.alerted, router)
    return _of_repeat(answer, answer.alerted, router)


def _of_unspoken(answer: _Answer) -> Decision | None:
    """A silent rule's finding is kept with the evaluation; an alert from before it fell silent is flagged."""
    if answer.alerted is not None:
        return _leave_flagged(answer.alerted)
    if answer.judged.status is RuleStatus.SILENT and answer.judged.told:
        return _leave(Reason.SILENT_RULE, answer)
    return None


def _of_ended(answer: _Answer, why_ended: Callable[[str], Ended]) -> Decision | None:
    """Design decision 12. An answer a person gave on a wrong value is taken back too, else it stands."""
    last = answer.last
    if last is None or not (last.is_open or last.is_answered):
        return None
    why = why_ended(last.rule)
    if why is Ended.CORRECTED:
        return _close(answer, last, Reason.FACT_CORRECTED) if last.is_held else _withdraw(answer, last)
    if not last.is_open:
        return None
    if why is Ended.NEWER_FACT:
        return _close(answer, last, Reason.RESOLVED_BY_EVIDENCE)
    return _leave_flagged(last) if why is Ended.RULES_CHANGED else _leave(Reason.TIME_PASSED, answer)


def _of_covered(answer: _Answer, stronger: str) -> Decision:
    if answer.alerted is None:
        return _leave(Reason.COVERED, answer)
    return _close(answer, answer.alerted, Reason.SUPERSEDED_BY, stronger)


def _of_new(answer: _Answer, router: Router) -> Decision:
    reason = _why_raised(answer, router.now)
    if reason is None:
        return _leave(Reason.QUIET_PERIOD, answer)
    if answer.judged.held is not None:
        return _hold(answer, router)
    if _is_voided(answer):
        return _leave(Reason.VOIDED, answer)
    hold = answer.holds.of(answer.judged.rule, answer.judged.severity, answer.judged.evidence)
    raised = _raise(answer, answer.last, Step.RAISE, reason, router)
    return replace(raised, **_held(hold)) if hold else raised


def _raise(answer: _Answer, last: Episode | None, step: Step, reason: Reason, router: Router) -> Decision:
    judged = answer.judged
    addressees = router.of_pattern(judged.evidence)
    return Decision(
        action=Action.RAISE,
        reason=reason,
        rule=judged.rule,
        severity=judged.severity,
        judged=judged,
        episode=last,
        step=step,
        addressees=addressees,
        tell=router.lanes(_addresses(addressees), judged.severity),
        not_pushed=PATIENT_DECEASED if router.patient_deceased else None,
    )


def _hold(answer: _Answer, router: Router) -> Decision:
    """The episode begins as if nothing held it, so that which came first makes no difference; untold."""
    raised = _raise(answer, answer.last, Step.HOLD, Reason.HELD, router)
    return replace(raised, action=Action.LEAVE, addressees=(), tell=())


def _held(hold: Hold) -> dict[str, Any]:
    """What is other than in a raising: to whom it goes is known, and it goes to nobody yet."""
    return {"action": Action.LEAVE, "step": Step.HOLD, "reason": Reason(hold.why), "tell": (), "hold": hold}


def _of_held(answer: _Answer, held: Episode, router: Router) -> Decision:
    """Told at last when the reason for holding it is gone, and kept true to its evidence until then.

    What a storm holds a person releases, unless it becomes critical. What lay before go-live is told when
    something live joins.
    """
    judged = answer.judged
    joining = joins(judged.evidence, held.evidence)
    worst = min(judged.severity, held.severity, key=lambda s: s.rank)
    hold = answer.holds.of(judged.rule, worst, judged.evidence)
    before_go_live = hold is not None and hold.why is HeldFor.BEFORE_GO_LIVE
    if not before_go_live and (held.held_for != HeldFor.STORM or worst is Severity.CRITICAL):
        reason = Reason.HOLD_ENDED if held.held_for is None else Reason.EVIDENCE_JOINED
        released = _raise(answer, held, Step.RELEASE, reason, router)
        also = held.addressees if held.held_for else ()
        everybody = dict.fromkeys((*_addresses(released.addressees), *also))
        return replace(released, tell=router.lanes(everybody, judged.severity))
    if is_corrected(judged.evidence, held.evidence, answer.dropped):
        return _update(answer, held, Step.AMEND, Reason.EVIDENCE_CORRECTED)
    if joining or worst is not held.severity:
        return _update(answer, held, Step.JOIN, Reason.EVIDENCE_JOINED, router.of_joining(joining))
    return _leave(Reason(hold.why) if hold else Reason.UNCHANGED, answer)


def _is_voided(answer: _Answer) -> bool:
    """A person voided the last one with its storm, and it would rest on the same results again."""
    last = answer.last
    if last is None or last.reason != Reason.VOIDED:
        return False
    before = {(r.key, *_reading(r)) for r in last.evidence if isinstance(r, ResultEvidence)}
    now = {(r.key, *_reading(r)) for r in answer.judged.evidence if isinstance(r, ResultEvidence)}
    return now <= before


def _why_raised(answer: _Answer, now: datetime) -> Reason | None:
    """None within the quiet period, which only a person's answer starts."""
    last = answer.last
    if last is None:
        return Reason.NEW_PATTERN
    if not last.is_answered or last.closed_at is None:
        return Reason.PATTERN_RETURNED
    if answer.judged.severity.rank < last.severity.rank:
        return Reason.SEVERITY_ROSE
    return Reason.REARMED if _is_rearmed(answer, last, last.closed_at, now) else None


def _is_rearmed(answer: _Answer, last: Episode, closed_at: datetime, now: datetime) -> bool:
    """Whether the quiet is over: its days are, or the rule lets a later specimen end it and one is there."""
    return _has_later(answer, last) or now >= closed_at + _quiet(answer.rule)


def _of_repeat(answer: _Answer, alerted: Episode, router: Router) -> Decision:
    """A pattern that is still true: what is new in it, and is that worth telling?"""
    judged = answer.judged
    joining = joins(judged.evidence, alerted.evidence)
    new = tuple(a for a in router.of_joining(joining) if a.address not in alerted.addressees)
    worse = _why_worse(answer, alerted)
    if worse is not None:
        worst = min(judged.severity, alerted.severity, key=lambda s: s.rank)
        tell = router.lanes((*alerted.addressees, *_addresses(new)), worst)
        return _update(answer, alerted, Step.WORSEN, worse, new, tell)
    tell = router.lanes(_addresses(new), alerted.severity)
    if is_corrected(judged.evidence, alerted.evidence, answer.dropped):
        return _update(answer, alerted, Step.AMEND, Reason.EVIDENCE_CORRECTED, new, tell)
    if new:
        return _update(answer, alerted, Step.JOIN, Reason.RECIPIENT_JOINED, new, tell)
    if joining:
        return _update(answer, alerted, Step.JOIN, Reason.EVIDENCE_JOINED)
    return _leave(Reason.UNCHANGED, answer)


def _why_worse(answer: _Answer, alerted: Episode) -> Reason | None:
    """Why everybody is told again and no answer counts: more severe, or later where the rule never rests.

    Such a rule holds back what is not worse (clinical.md 4.0: a critical hemoglobin that falls on).
    """
    if answer.judged.severity.rank < alerted.severity.rank:
        return Reason.SEVERITY_ROSE
    return Reason.WORSE_VALUE if _has_later(answer, alerted) else None


def _has_later(answer: _Answer, last: Episode) -> bool:
    """Whether it rests on a later specimen, and the rule asks to be told of one."""
    later = answer.rule is not None and answer.rule.rearm_on_later
    return later and _newest(answer.judged.evidence) > _newest(last.evidence)


def _update(
    answer: _Answer,
    alerted: Episode,
    step: Step,
    reason: Reason,
    new: tuple[Addressee, ...] = (),
    tell: tuple[Lane, ...] = (),
) -> Decision:
    """Severity never falls in silence: only an amendment, which is told, may lower it."""
    amended = step is Step.AMEND
    worst = min(answer.judged.severity, alerted.severity, key=lambda s: s.rank)
    return Decision(
        action=Action.UPDATE,
        reason=reason,
        rule=alerted.rule,
        severity=answer.judged.severity if amended else worst,
        judged=answer.judged,
        episode=alerted,
        step=step,
        addressees=new,
        tell=tell,
        tell_carried=amended,
    )


def _withdraw(answer: _Answer, last: Episode) -> Decision:
    return Decision(
        action=Action.WITHDRAW,
        reason=Reason.FACT_CORRECTED,
        rule=last.rule,
        severity=last.severity,
        judged=answer.judged,
        episode=last,
        step=Step.WITHDRAW,
        tell_carried=True,
    )


def _close(answer: _Answer, alerted: Episode, reason: Reason, stronger: str | None = None) -> Decision:
    return Decision(
        action=Action.CLOSE,
        reason=reason,
        rule=alerted.rule,
        severity=alerted.severity,
        judged=answer.judged,
        episode=alerted,
        step=Step.CLOSE,
        superseded_by=stronger,
    )


def _leave(reason: Reason, answer: _Answer) -> Decision:
    alerted = answer.alerted
    severity = alerted.severity if alerted else answer.judged.severity
    return Decision(Action.LEAVE, reason, answer.judged.rule, severity, answer.judged, alerted)


def _leave_flagged(alerted: Episode) -> Decision:
    """The rule is another one now: the alert stands, and says so once."""
    step = None if alerted.rules_changed else Step.FLAG
    return Decision(
        Action.LEAVE, Reason.RULES_CHANGED, alerted.rule, alerted.severity, episode=alerted, step=step
    )


def joins(now: Iterable[Evidence], before: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """The evidence that was not there before. How far back an absence was looked for is no new evidence."""
    known = {_identity(e) for e in before}
    return tuple(e for e in now if _identity(e) not in known)


def _newest(evidence: Iterable[Evidence]) -> datetime:
    """The time of the newest specimen that it rests on."""
    taken = (e.effective_at for e in evidence if isinstance(e, ResultEvidence))
    return max(taken, default=_BEFORE_ALL)


def is_corrected(now: Iterable[Evidence], before: Iterable[Evidence], dropped: frozenset[str]) -> bool:
    """Whether a result the alert rested on reads otherwise now, or can no longer be used."""
    read = {r.key: _reading(r) for r in now if isinstance(r, ResultEvidence)}
    old = [r for r in before if isinstance(r, ResultEvidence)]
    return any(r.key in dropped if r.key not in read else read[r.key] != _reading(r) for r in old)


def _identity(evidence: Evidence) -> tuple[str, ...]:
    if isinstance(evidence, ResultEvidence):
        return ("result", evidence.key)
    if isinstance(evidence, AbsentEvidence):
        return ("absent", evidence.absent)
    return ("record", evidence.key, evidence.concept)


def _reading(result: ResultEvidence) -> tuple[str, ...]:
    return (result.value, result.comparator, result.unit, result.effective_at.isoformat())


def _addresses(addressees: Iterable[Addressee]) -> tuple[Address, ...]:
    return tuple(a.address for a in addressees)


def _quiet(rule: RuleFacts | None) -> timedelta:
    days = rule.rearm_days if rule else None
    return timedelta(days=DEFAULT_REARM_DAYS if days is None else days)
