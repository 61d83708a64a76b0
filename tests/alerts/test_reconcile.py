"""What a judging means for the alerts of a patient: one claim for each line of design decision 12."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from alerts.people import UNADDRESSED, Address, Orderer
from alerts.reconcile import Action, Decision, Episode, Reason, reconcile
from alerts.routing import Directory, Person, Router
from alerts.states import OPEN, State, Step
from rules.case_facts import case_facts
from rules.findings import Ended, Evidence, RecordEvidence, RuleJudgment, RuleStatus, Severity
from rules.load import load_ruleset
from rules.ruleset import Ruleset
from rules.truth import Truth
from tests.alerts.made_up import (
    ADA,
    BEN,
    HEMOGLOBIN,
    IRON,
    Quiet,
    day,
    ended,
    ferritin,
    judged,
    judgment,
    no_supplement,
    not_ended,
)

ORDERERS = {"lab|F1": ADA, "lab|F2": BEN}
NOT_TRUE = [Truth.FALSE, Truth.UNKNOWN]


def router(at: float = 1, orderers: dict[str, Orderer] | None = None) -> Router:
    people = {o.address: Person(o.address, push=("email",)) for o in (ADA, BEN)}
    return Router(ORDERERS if orderers is None else orderers, Directory(people), day(at))


def episode(
    state: State = State.TOLD,
    *,
    severity: Severity = Severity.HIGH,
    reason: str = "inbox",
    closed_at: datetime | None = None,
    addressees: tuple[Address, ...] = (ADA.address,),
    rule: str = IRON,
    rules_changed: bool = False,
) -> Episode:
    return Episode(
        7, rule, 1, 1, 2, state, reason, severity, (ferritin(),), addressees, day(0), closed_at, rules_changed
    )


def decide(
    rule: RuleJudgment,
    *episodes: Episode,
    why: Ended | None = None,
    at: float = 1,
    quiet: int | None = None,
    later: bool = False,
    dropped: Sequence[str] = (),
) -> Decision | None:
    found = reconcile(
        judgment(rule, at=at, dropped=dropped),
        episodes,
        ended(why) if why else not_ended,
        {IRON: Quiet(quiet, later)},
        router=router(at),
    )
    return found[0] if found else None


def test_a_true_pattern_raises_an_alert_addressed_to_the_orderer() -> None:
    decision = decide(judged())
    assert decision
    assert (decision.action, decision.reason, decision.step) == (Action.RAISE, Reason.NEW_PATTERN, Step.RAISE)
    assert [a.address for a in decision.addressees] == [ADA.address]
    assert [(lane.address, lane.channel) for lane in decision.tell] == [
        (ADA.address, "inbox"),
        (ADA.address, "email"),
    ]


@pytest.mark.parametrize("pattern", NOT_TRUE)
def test_a_pattern_that_is_not_true_and_has_no_alert_gives_no_decision(pattern: Truth) -> None:
    assert decide(judged(pattern=pattern)) is None


@pytest.mark.parametrize("pattern", NOT_TRUE)
@pytest.mark.parametrize("state", OPEN)
def test_an_alert_is_withdrawn_when_its_fact_was_corrected(state: State, pattern: Truth) -> None:
    decision = decide(judged(pattern=pattern), episode(state), why=Ended.CORRECTED)
    assert decision
    assert (decision.action, decision.reason) == (Action.WITHDRAW, Reason.FACT_CORRECTED)
    assert decision.tell_carried


@pytest.mark.parametrize("pattern", NOT_TRUE)
@pytest.mark.parametrize("state", OPEN)
def test_an_alert_is_closed_when_a_newer_fact_ended_it(state: State, pattern: Truth) -> None:
    decision = decide(judged(pattern=pattern), episode(state), why=Ended.NEWER_FACT)
    assert decision
    assert (decision.action, decision.reason) == (Action.CLOSE, Reason.RESOLVED_BY_EVIDENCE)
    assert not decision.tell
    assert not decision.tell_carried


@pytest.mark.parametrize("pattern", NOT_TRUE)
def test_the_passing_of_time_leaves_an_alert_open(pattern: Truth) -> None:
    decision = decide(judged(pattern=pattern), episode(), why=Ended.TIME)
    assert decision
    assert (decision.action, decision.reason, decision.step) == (Action.LEAVE, Reason.TIME_PASSED, None)


def test_an_alert_whose_rule_changed_is_left_and_flagged_once() -> None:
    first = decide(judged(pattern=Truth.FALSE), episode(), why=Ended.RULES_CHANGED)
    again = decide(judged(pattern=Truth.FALSE), episode(rules_changed=True), why=Ended.RULES_CHANGED)
    assert first
    assert again
    assert (first.action, first.reason, first.step) == (Action.LEAVE, Reason.RULES_CHANGED, Step.FLAG)
    assert (again.action, again.reason, again.step) == (Action.LEAVE, Reason.RULES_CHANGED, None)


@pytest.mark.parametrize("status", [RuleStatus.DRAFT, RuleStatus.SILENT, RuleStatus.RETIRED])
@pytest.mark.parametrize("pattern", list(Truth))
def test_an_alert_of_a_rule_that_fell_silent_is_left_and_flagged(pattern: Truth, status: RuleStatus) -> None:
    decision = decide(judged(pattern=pattern, status=status), episode())
    assert decision
    assert (decision.action, decision.step) == (Action.LEAVE, Step.FLAG)


def test_an_alert_of_a_rule_that_is_no_more_is_left_and_flagged() -> None:
    found = reconcile(judgment(), [episode()], not_ended, {}, router=router())
    assert [(d.action, d.reason, d.step) for d in found] == [(Action.LEAVE, Reason.RULES_CHANGED, Step.FLAG)]


def test_a_pattern_that_is_held_from_the_start_begins_an_episode_that_nobody_is_told_of() -> None:
    decision = decide(judged(held="crp >= 100 mg/L"))
    assert decision is not None
    assert (decision.action, decision.reason, decision.step) == (Action.LEAVE, Reason.HELD, Step.HOLD)
    assert (decision.addressees, decision.tell) == ((), ())


def test_a_held_episode_is_raised_when_the_hold_ends_and_closed_untold_when_a_fact_was_corrected() -> None:
    held = episode(state=State.HELD)
    assert (released := decide(judged(), held)) is not None
    assert (released.action, released.reason, released.step) == (
        Action.RAISE,
        Reason.HOLD_ENDED,
        Step.RELEASE,
    )
    assert released.tell
    assert (still := decide(judged(held="crp >= 100 mg/L"), held)) is not None
    assert (still.reason, still.step) == (Reason.HELD, None)
    assert (gone := decide(judged(pattern=Truth.FALSE), held, why=Ended.CORRECTED)) is not None
    assert (gone.reason, gone.step, gone.tell_carried) == (Reason.FACT_CORRECTED, Step.CLOSE, False)


def test_a_hold_that_comes_later_leaves_an_open_alert() -> None:
    decision = decide(judged(held="crp >= 100 mg/L"), episode())
    assert decision
    assert (decision.action, decision.reason, decision.step) == (Action.LEAVE, Reason.HELD, None)


def test_a_covered_pattern_raises_nothing() -> None:
    decision = decide(judged(covered_by=HEMOGLOBIN))
    assert decision
    assert (decision.action, decision.reason, decision.step) == (Action.LEAVE, Reason.COVERED, None)


def test_an_open_alert_that_a_stronger_rule_covers_is_closed_superseded_by_it() -> None:
    decision = decide(judged(covered_by=HEMOGLOBIN), episode())
    assert decision
    assert (decision.action, decision.reason) == (Action.CLOSE, Reason.SUPERSEDED_BY)
    assert decision.superseded_by == HEMOGLOBIN


def test_a_silent_rule_is_noted_and_raises_nothing() -> None:
    decision = decide(judged(status=RuleStatus.SILENT))
    assert decision
    assert (decision.action, decision.reason, decision.step) == (Action.LEAVE, Reason.SILENT_RULE, None)


@pytest.mark.parametrize("status", [RuleStatus.DRAFT, RuleStatus.RETIRED])
def test_a_draft_or_retired_rule_gives_no_decision(status: RuleStatus) -> None:
    assert decide(judged(status=status)) is None


def test_a_pilot_rule_raises() -> None:
    decision = decide(judged(status=RuleStatus.PILOT))
    assert decision
    assert decision.action is Action.RAISE


def test_the_same_finding_again_changes_nothing() -> None:
    decision = decide(judged(), episode())
    assert decision
    assert (decision.action, decision.reason, decision.step) == (Action.LEAVE, Reason.UNCHANGED, None)


def test_looking_further_back_for_an_absence_is_nothing_new() -> None:
    before = replace(episode(), evidence=(ferritin(), no_supplement(since=-90)))
    decision = decide(judged(evidence=[ferritin(), no_supplement(since=-89)]), before)
    assert decision
    assert decision.reason is Reason.UNCHANGED


def test_a_further_value_joins_quietly() -> None:
    decision = decide(judged(evidence=[ferritin("8", on=1, key="lab|F3")]), episode())
    assert decision
    assert (decision.action, decision.reason, decision.step) == (
        Action.UPDATE,
        Reason.EVIDENCE_JOINED,
        Step.JOIN,
    )
    assert not decision.tell
    assert not decision.tell_carried


def test_a_further_record_joins_quietly() -> None:
    record = RecordEvidence("r1", "condition", "celiac", "Celiac disease", None)
    decision = decide(judged(evidence=[ferritin(), record]), episode())
    assert decision
    assert decision.reason is Reason.EVIDENCE_JOINED


@pytest.mark.parametrize("state", OPEN)
def test_another_clinician_whose_result_joins_is_told_in_every_open_state(state: State) -> None:
    decision = decide(judged(evidence=[ferritin("8", on=1, key="lab|F2")]), episode(state))
    assert decision
    assert (decision.reason, decision.step) == (Reason.RECIPIENT_JOINED, Step.JOIN)
    assert {lane.address for lane in decision.tell} == {BEN.address}


@pytest.mark.parametrize("state", OPEN)
def test_a_worse_severity_is_told_to_everybody_and_breaks_an_answer(state: State) -> None:
    worse = judged(severity=Severity.CRITICAL, evidence=[ferritin("8", on=1, key="lab|F2")])
    decision = decide(worse, episode(state))
    assert decision
    assert (decision.action, decision.reason, decision.step) == (
        Action.UPDATE,
        Reason.SEVERITY_ROSE,
        Step.WORSEN,
    )
    assert decision.severity is Severity.CRITICAL
    assert {lane.address for lane in decision.tell} == {ADA.address, BEN.address}


@pytest.mark.parametrize("state", OPEN)
@pytest.mark.parametrize(("on", "later", "reason"), [
    (1, True, Reason.WORSE_VALUE),
    (1, False, Reason.EVIDENCE_JOINED),
    (-1, True, Reason.EVIDENCE_JOINED),
])  # fmt: skip
def test_a_rule_that_never_rests_tells_a_later_result_again(
    state: State, on: float, later: bool, reason: Reason
) -> None:
    """A critical hemoglobin that falls on (clinical.md 4.0): acknowledged, snoozed or unread."""
    further = judged(evidence=[ferritin("4", on=on, key="lab|F2")])
    decision = decide(further, episode(state, addressees=(ADA.address, BEN.address)), later=later)
    assert decision
    assert decision.reason is reason
    told = {lane.address for lane in decision.tell}
    assert told == ({ADA.address, BEN.address} if reason is Reason.WORSE_VALUE else set())


def test_severity_never_falls_in_silence() -> None:
    better = judged(severity=Severity.LOW, evidence=[ferritin("20", on=1, key="lab|F3")])
    decision = decide(better, episode())
    assert decision
    assert (decision.reason, decision.severity) == (Reason.EVIDENCE_JOINED, Severity.HIGH)


def test_a_lower_severity_alone_changes_nothing() -> None:
    decision = decide(judged(severity=Severity.LOW), episode())
    assert decision
    assert (decision.reason, decision.severity) == (Reason.UNCHANGED, Severity.HIGH)


def test_a_correction_that_keeps_the_pattern_is_told_wherever_the_old_value_was() -> None:
    decision = decide(judged(severity=Severity.MODERATE, evidence=[ferritin("12")]), episode())
    assert decision
    assert (decision.action, decision.reason, decision.step) == (
        Action.UPDATE,
        Reason.EVIDENCE_CORRECTED,
        Step.AMEND,
    )
    assert decision.tell_carried
    assert decision.severity is Severity.MODERATE


def test_a_retraction_that_keeps_the_pattern_is_told_too() -> None:
    other = ferritin("10", on=-2, key="lab|F0")
    decision = decide(judged(evidence=[other]), episode(), dropped=["lab|F1"])
    assert decision
    assert decision.reason is Reason.EVIDENCE_CORRECTED


def test_a_preliminary_result_that_one_rule_takes_and_others_do_not_is_no_retraction() -> None:
    decision = decide(judged(), episode(), dropped=["lab|F1"])
    assert decision
    assert decision.reason is Reason.UNCHANGED


def test_an_older_result_that_a_newer_one_replaces_is_no_retraction() -> None:
    decision = decide(judged(evidence=[ferritin("8", on=1, key="lab|F3")]), episode(), dropped=["lab|X9"])
    assert decision
    assert decision.reason is Reason.EVIDENCE_JOINED


ANSWERED = [
    episode(State.DISMISSED, reason="known-diagnosis", closed_at=day(0)),
    episode(State.CLOSED, reason="answered", closed_at=day(0)),
]
ENDED_BY_FACTS = [
    episode(State.CLOSED, reason="resolved-by-evidence", closed_at=day(0)),
    episode(State.CLOSED, reason="superseded-by", closed_at=day(0)),
    episode(State.CLOSED, reason="expired-by-policy", closed_at=day(0)),
    episode(State.WITHDRAWN, reason="fact-corrected", closed_at=day(0)),
]


@pytest.mark.parametrize("last", ANSWERED)
@pytest.mark.parametrize(("at", "quiet", "reason"), [
    (89.999, None, Reason.QUIET_PERIOD),
    (90, None, Reason.REARMED),
    (6.999, 7, Reason.QUIET_PERIOD),
    (7, 7, Reason.REARMED),
    (0, 0, Reason.REARMED),
])  # fmt: skip
def test_a_persons_answer_starts_a_quiet_period_that_ends(
    last: Episode, at: float, quiet: int | None, reason: Reason
) -> None:
    decision = decide(judged(), last, at=at, quiet=quiet)
    assert decision
    assert decision.reason is reason


@pytest.mark.parametrize("last", ANSWERED)
def test_a_rising_severity_breaks_the_quiet_period(last: Episode) -> None:
    decision = decide(judged(severity=Severity.CRITICAL), last)
    assert decision
    assert (decision.action, decision.reason) == (Action.RAISE, Reason.SEVERITY_ROSE)


@pytest.mark.parametrize("last", ANSWERED)
@pytest.mark.parametrize(("evidence", "later", "reason"), [
    ((ferritin(on=0.5, key="lab|F2"),), True, Reason.REARMED),
    ((ferritin(), ferritin(on=0.5, key="lab|F2")), True, Reason.REARMED),
    ((ferritin(on=0.5, key="lab|F2"),), False, Reason.QUIET_PERIOD),
    ((ferritin(),), True, Reason.QUIET_PERIOD),
    ((ferritin(on=-1, key="lab|F0"),), True, Reason.QUIET_PERIOD),
    ((no_supplement(),), True, Reason.QUIET_PERIOD),
])  # fmt: skip
def test_a_later_specimen_ends_the_quiet_where_the_rule_says_so(
    last: Episode, evidence: Sequence[Evidence], later: bool, reason: Reason
) -> None:
    """Not the specimen that was answered for, nor an earlier one that arrives late, nor a record."""
    decision = decide(judged(evidence=evidence), last, later=later)
    assert decision
    assert decision.reason is reason


@pytest.mark.parametrize(("now", "action", "reason"), [
    ("60 g/L", Action.RAISE, Reason.REARMED),
    ("64 g/L", Action.RAISE, Reason.REARMED),
    ("65 g/L", Action.LEAVE, Reason.HELD),
])  # fmt: skip
def test_an_answered_critical_hemoglobin_that_falls_by_5_is_told_again_at_once(
    now: str, action: Action, reason: Reason
) -> None:
    """clinical.md 4.0: repeats are never suppressed for R08 with a further fall of 5 g/L or more."""
    library = load_ruleset()
    first = "patient male 67 y; 2026-03-01T08:00:00Z hemoglobin 69 g/L"
    told = judged_by(library, first)
    answered = replace(
        episode(State.CLOSED, rule=HEMOGLOBIN, severity=told.severity, reason="answered"),
        evidence=told.evidence,
        closed_at=datetime(2026, 3, 1, 10, tzinfo=UTC),
    )
    again = judged_by(library, f"{first}; 2026-03-01T14:00:00Z hemoglobin {now}")
    whole = replace(judgment(again), as_of=datetime(2026, 3, 1, 14, tzinfo=UTC))
    at = Router(ORDERERS, Directory({}), whole.as_of)
    (decision,) = reconcile(whole, [answered], not_ended, library.rules, router=at)
    assert (decision.action, decision.reason) == (action, reason)


def judged_by(library: Ruleset, given: str) -> RuleJudgment:
    """What the library says of a critical hemoglobin."""
    found = library.judge(*case_facts(given))
    return next(r for r in found.rules if r.rule == HEMOGLOBIN)


@pytest.mark.parametrize("last", ENDED_BY_FACTS)
def test_what_facts_ended_has_no_quiet_period(last: Episode) -> None:
    decision = decide(judged(), last, at=0)
    assert decision
    assert (decision.action, decision.reason) == (Action.RAISE, Reason.PATTERN_RETURNED)


@pytest.mark.parametrize("last", ANSWERED)
def test_an_answer_given_on_a_wrong_value_is_taken_back(last: Episode) -> None:
    decision = decide(judged(pattern=Truth.FALSE), last, why=Ended.CORRECTED)
    assert decision
    assert decision.action is Action.WITHDRAW


@pytest.mark.parametrize("last", ANSWERED)
@pytest.mark.parametrize("why", [Ended.NEWER_FACT, Ended.TIME, Ended.RULES_CHANGED])
def test_an_answer_given_on_a_right_value_stands(last: Episode, why: Ended) -> None:
    assert decide(judged(pattern=Truth.FALSE), last, why=why) is None


@pytest.mark.parametrize("last", ENDED_BY_FACTS)
def test_what_facts_ended_is_not_ended_again(last: Episode) -> None:
    assert decide(judged(pattern=Truth.FALSE), last) is None


def test_only_the_newest_episode_of_a_rule_counts() -> None:
    old = ANSWERED[0]
    new = replace(episode(), number=2)
    for order in itertools.permutations([old, new]):
        decision = decide(judged(), *order)
        assert decision
        assert decision.reason is Reason.UNCHANGED


def test_the_most_severe_decision_comes_first() -> None:
    low = judged("a-low-rule", severity=Severity.LOW)
    critical = judged(HEMOGLOBIN, severity=Severity.CRITICAL)
    found = reconcile(judgment(low, critical), [], not_ended, {}, router=router())
    assert [d.rule for d in found] == [HEMOGLOBIN, "a-low-rule"]


def test_no_alert_is_addressed_to_nobody() -> None:
    found = reconcile(judgment(judged()), [], not_ended, {}, router=router(orderers={}))
    assert [a.address for a in found[0].addressees] == [UNADDRESSED]
