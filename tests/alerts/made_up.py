"""Made-up judgments for the tests of alerts: no rule file is read, no history is judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Engine

from alerts import directory, store
from alerts.follow_up import Arrival
from alerts.leases import writing
from alerts.people import UNADDRESSED, Address, Orderer
from alerts.reconcile import Decision, RuleFacts, reconcile
from alerts.store import Applied
from rules.facts import Patient, Unusable
from rules.findings import (
    AbsentEvidence,
    Ended,
    Evidence,
    FollowUp,
    Judgment,
    NotUsed,
    ResultEvidence,
    RuleJudgment,
    RuleStatus,
    Severity,
    TreeNode,
)
from rules.truth import Truth

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
NPI = "http://hl7.org/fhir/sid/us-npi"
ADA = Orderer(NPI, "1000000001", "Dr. Ada Example")
BEN = Orderer(NPI, "1000000002", "Dr. Ben Example")
IRON = "iron-deficiency"
HEMOGLOBIN = "hemoglobin-critical"
PATIENT = 1


@dataclass(frozen=True)
class Quiet:
    """A rule with its days of quiet, and whether a later specimen ends them."""

    rearm_days: int | None = None
    rearm_on_later: bool = False


def day(number: float) -> datetime:
    """So many days after the start."""
    return START + timedelta(days=number)


def ferritin(value: str = "9", *, on: float = 0, key: str = "lab|F1") -> ResultEvidence:
    return ResultEvidence(key, "ferritin", value, "=", "ug/L", day(on), key.partition("|")[2], "lab")


def no_supplement(*, since: float = -90) -> AbsentEvidence:
    return AbsentEvidence("b12_supplement", day(since))


def judged(
    rule: str = IRON,
    pattern: Truth = Truth.TRUE,
    *,
    severity: Severity = Severity.HIGH,
    evidence: Sequence[Evidence] = (ferritin(),),
    status: RuleStatus = RuleStatus.ACTIVE,
    held: str | None = None,
    covered_by: str | None = None,
    follow_up: Sequence[FollowUp] = (),
    headline: str = "Iron deficiency, and nothing on record explains it",
) -> RuleJudgment:
    return RuleJudgment(
        rule=rule,
        version=1,
        status=status,
        pattern=pattern,
        severity=severity,
        headline=headline,
        text="Ferritin 9 ug/L",
        evidence=tuple(evidence),
        actions=("Look for the iron loss",),
        follow_up=tuple(follow_up),
        sources=("made-up",),
        annotates=(),
        missing=(),
        explained=lambda: TreeNode("ferritin < 30 ug/L", pattern, evidence=tuple(evidence)),
        held=held,
        covered_by=covered_by,
    )


def expected(analyte: str, *, within_days: int) -> FollowUp:
    return FollowUp(analyte, date(2026, 3, 1) + timedelta(days=within_days))


def judgment(*rules: RuleJudgment, at: float = 0, dropped: Sequence[str] = ()) -> Judgment:
    """What the rules say on a day; `dropped` are keys of results that can no longer be used."""
    not_used = tuple(NotUsed(key, key, Unusable.STATUS, "entered-in-error") for key in dropped)
    return Judgment(Patient("urn:mrn:test", "1"), day(at), "sha256:made-up", rules, not_used)


def ended(why: Ended) -> Callable[[str], Ended]:
    return lambda _rule: why


def not_ended(rule: str) -> Ended:
    raise AssertionError(f"{rule} was asked why it ended")


@dataclass
class Ward:
    """A patient whose judgings are reconciled and written, as the worker does it."""

    engine: Engine
    orderers: Mapping[str, Orderer] = field(default_factory=dict)
    push: tuple[str, ...] = ()
    fallback: Address = UNADDRESSED
    rules: Mapping[str, RuleFacts] = field(default_factory=dict)
    patient_id: int = PATIENT

    def judge(
        self,
        *rules: RuleJudgment,
        at: float = 0,
        why: Ended | None = None,
        dropped: Sequence[str] = (),
        arrivals: Sequence[Arrival] = (),
    ) -> Applied:
        found = judgment(*rules, at=at, dropped=dropped)
        why_ended = ended(why) if why else not_ended
        with writing(self.engine) as connection:
            episodes = store.open_episodes(connection, self.patient_id)
            router = directory.router(
                connection,
                self.orderers,
                [a for e in episodes for a in e.addressees],
                now=day(at),
                push=self.push,
                fallback=self.fallback,
            )
            decisions: tuple[Decision, ...] = reconcile(found, episodes, why_ended, self.rules, router=router)
            assert not store.moved(connection, decisions)
            return store.apply(
                connection,
                patient_id=self.patient_id,
                evaluation_id=None,
                decisions=decisions,
                judgment=found,
                now=day(at),
                received_at=day(at),
                arrivals=arrivals,
            )
