"""Writing what was decided: alerts, events, follow-ups and deliveries, all in the caller's transaction.

That transaction is conditional on the patient's version; what a person did to an alert meanwhile is seen by
`moved`. Decisions come from `alerts.reconcile`; reading alerts is the pages' business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from alerts import audit, follow_up, silent
from alerts.addressing import address, addressees_of
from alerts.follow_up import Arrival
from alerts.people import NOBODY_YET, Address, ferrule
from alerts.reconcile import Action, Decision, Episode, joins
from alerts.snapshot import (
    Document,
    evidence_documents,
    evidence_of,
    follow_up_documents,
    time_text,
    tree_document,
)
from alerts.states import State, Step, Taken
from alerts.steps import Cause, Standing, start, take
from alerts.tables import ALERT
from alerts.telling import News, carried_by, enqueue
from rules.findings import Judgment, RuleJudgment, Severity

RECONCILER = ferrule("reconcile")


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of one judging, to be counted and logged: ids and reasons, nothing of the patient."""

    raised: Counter[tuple[str, str]]
    withdrawn: Counter[tuple[str, str]]
    decisions: Counter[tuple[str, str]]
    alert_ids: tuple[int, ...]
    delivery_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Judging:
    """What every step of one judging shares."""

    connection: Connection
    patient_id: int
    evaluation_id: int | None
    judgment: Judgment
    received_at: datetime | None
    now: datetime
    source: str | None


def open_episodes(connection: Connection, patient_id: int) -> list[Episode]:
    """The newest episode of each rule for this patient, open or not: what reconcile needs."""
    return episodes_of(connection, [patient_id])[patient_id]


def episodes_of(connection: Connection, patient_ids: Collection[int]) -> dict[int, list[Episode]]:
    """The same for many patients, in two statements; a patient without alerts has an empty list."""
    later = ALERT.alias("later")
    is_newest = ~exists().where(
        later.c.patient_id == ALERT.c.patient_id,
        later.c.rule == ALERT.c.rule,
        later.c.episode > ALERT.c.episode,
    )
    query = select(ALERT).where(ALERT.c.patient_id.in_(patient_ids), is_newest).order_by(ALERT.c.id)
    rows = connection.execute(query).all()
    addressees = addressees_of(connection, [row.id for row in rows])
    found: dict[int, list[Episode]] = {patient_id: [] for patient_id in patient_ids}
    for row in rows:
        found[row.patient_id].append(_episode(row, addressees.get(row.id, [])))
    return found


def moved(connection: Connection, decisions: Iterable[Decision]) -> frozenset[int]:
    """The alerts that are no longer what was decided on (answered or told meanwhile); locks those that are.

    Not empty: judge that patient again. Ask this in the writing transaction, before `apply`.
    """
    seen = {d.episode.alert_id: d.episode.version for d in decisions if d.episode and d.step}
    if not seen:
        return frozenset()
    lock = select(ALERT.c.id, ALERT.c.version).where(ALERT.c.id.in_(seen)).order_by(ALERT.c.id)
    found = {row.id: row.version for row in connection.execute(lock.with_for_update())}
    return frozenset(i for i, version in seen.items() if found.get(i) != version)


def apply(
    connection: Connection,
    *,
    patient_id: int,
    evaluation_id: int | None,
    decisions: Sequence[Decision],
    judgment: Judgment,
    now: datetime,
    received_at: datetime | None = None,
    arrivals: Sequence[Arrival] = (),
    source: str | None = None,
) -> Applied:
    """Write the decisions of one judging of one patient, and the deliveries that tell them.

    `source` is who sent the message that was judged.
    Raises Conflict or IntegrityError when an alert moved since it was read: roll back and judge again.
    """
    judging = _Judging(connection, patient_id, evaluation_id, judgment, received_at, now, source)
    news = [told for d in decisions if d.step for told in _write(judging, d)]
    follow_up.arrived(connection, patient_id, arrivals, now)
    silent.keep(connection, patient_id, decisions, judgment, now)
    deliveries = enqueue(connection, patient_id, [n for n in news if n.lanes], received_at)
    return Applied(
        raised=Counter((d.rule, d.severity.value) for d in decisions if d.action is Action.RAISE),
        withdrawn=Counter((d.rule, d.reason.value) for d in decisions if d.action is Action.WITHDRAW),
        decisions=Counter((d.action.value, d.reason.value) for d in decisions),
        alert_ids=tuple(n.taken.alert_id for n in news),
        delivery_ids=deliveries,
    )


def _write(judging: _Judging, decision: Decision) -> list[News]:
    """The step of one decision, and the news of it."""
    if decision.step in (Step.RAISE, Step.HOLD) and decision.judged:
        taken, headline = _raise(judging, decision, decision.judged), decision.judged.headline
    elif decision.episode:
        taken, headline = _change(judging, decision, decision.episode), _headline(judging, decision)
    else:
        raise ValueError(f"decision: expected a judgment or an episode to {decision.step}")
    address(judging.connection, taken.alert_id, decision.addressees, judging.now)
    carried = carried_by(judging.connection, taken.alert_id) if decision.tell_carried else ()
    lanes = (*carried, *decision.tell)
    return [News(taken, decision.severity, headline, lanes)]


def _raise(judging: _Judging, decision: Decision, judged: RuleJudgment) -> Taken:
    owner = decision.addressees[0].address if decision.addressees else NOBODY_YET
    row = {
        **_judged_columns(judging, judged),
        "patient_id": judging.patient_id,
        "filed_under": judging.patient_id,
        "episode": decision.episode.number + 1 if decision.episode else 1,
        "severity": decision.severity,
        "recipient_system": owner.system,
        "recipient_ident": owner.id,
        "received_at": judging.received_at,
        "source": judging.source,
        **({"held_for": decision.hold.why, "storm_id": decision.hold.storm} if decision.hold else {}),
    }
    data = {"evidence": row["evidence"], "headline": judged.headline, "severity": decision.severity}
    data |= {"not_pushed": decision.not_pushed} if decision.not_pushed else {}
    cause = Cause(
        RECONCILER, judging.now, decision.reason, data | ({"held": judged.held} if judged.held else {})
    )
    taken = start(judging.connection, row, cause, decision.step or Step.RAISE)
    if decision.step is Step.RAISE:
        _expect(judging, taken, judged)
    return taken


def _expect(judging: _Judging, taken: Taken, judged: RuleJudgment) -> None:
    follow_up.expect(judging.connection, taken.alert_id, judging.patient_id, judged.follow_up, judging.now)


def _change(judging: _Judging, decision: Decision, episode: Episode) -> Taken:
    standing = Standing(episode.alert_id, judging.patient_id, episode.state, episode.version)
    data = _event_data(decision, episode)
    if decision.tell_carried:
        data["read_by"] = _readers(judging.connection, episode.alert_id)
    cause = Cause(RECONCILER, judging.now, decision.reason, data)
    taken = take(judging.connection, standing, decision.step or Step.JOIN, cause, _changes(judging, decision))
    if decision.step is Step.RELEASE and decision.judged:
        _expect(judging, taken, decision.judged)
    if decision.action in (Action.WITHDRAW, Action.CLOSE):
        follow_up.cancel(judging.connection, episode.alert_id, decision.reason, judging.now)
    return taken


def _readers(connection: Connection, alert_id: int) -> list[Document]:
    """Who may have acted on what is corrected or taken back now."""
    found = audit.readers(connection, alert_id)
    return [{"system": system, "id": ident, "at": time_text(at)} for system, ident, at in found]


def _changes(judging: _Judging, decision: Decision) -> dict[str, Any]:
    """An update shows the new judging; what ends an alert leaves it as it was last told."""
    if decision.step is Step.FLAG:
        return {"rules_changed": True}
    if decision.action is Action.CLOSE:
        return {"superseded_by": decision.superseded_by}
    if decision.step is Step.RELEASE and decision.judged:
        owner = decision.addressees[0].address
        told = {"recipient_system": owner.system, "recipient_ident": owner.id, "raised_at": judging.now}
        return {**_judged_columns(judging, decision.judged), "severity": decision.severity, **told}
    if decision.action is Action.UPDATE and decision.judged:
        return {**_judged_columns(judging, decision.judged), "severity": decision.severity}
    return {}


def _event_data(decision: Decision, episode: Episode) -> Document:
    """What was before and what is now; a value that joins is kept with its time."""
    data: Document = {"before": evidence_documents(episode.evidence)}
    if decision.judged:
        data["after"] = evidence_documents(decision.judged.evidence)
        data["joined"] = evidence_documents(joins(decision.judged.evidence, episode.evidence))
        data["judged_severity"] = decision.judged.severity
    if decision.superseded_by:
        data["superseded_by"] = decision.superseded_by
    return {**data, "severity_before": episode.severity, "as_of_before": time_text(episode.as_of)}


def _judged_columns(judging: _Judging, judged: RuleJudgment) -> dict[str, Any]:
    return {
        "rule": judged.rule,
        "rule_version": judged.version,
        "ruleset": judging.judgment.ruleset,
        "evaluation_id": judging.evaluation_id,
        "headline": judged.headline,
        "text": judged.text,
        "evidence": evidence_documents(judged.evidence),
        "tree": tree_document(judged.tree),
        "actions": list(judged.actions),
        "follow_up": follow_up_documents(judged.follow_up),
        "sources": list(judged.sources),
        "annotates": list(judged.annotates),
        "as_of": judging.judgment.as_of,
    }


def _headline(judging: _Judging, decision: Decision) -> str:
    """What an update tells is the new headline; what is withdrawn is named as it was told."""
    if decision.action in (Action.UPDATE, Action.RAISE) and decision.judged:
        return decision.judged.headline
    kept = select(ALERT.c.headline).where(
        ALERT.c.id == (decision.episode.alert_id if decision.episode else None)
    )
    headline: str = judging.connection.execute(kept).scalar_one()
    return headline


def _episode(row: Row[Any], addressees: Iterable[Address]) -> Episode:
    owner = Address(row.recipient_system, row.recipient_ident)
    return Episode(
        alert_id=row.id,
        rule=row.rule,
        rule_version=row.rule_version,
        number=row.episode,
        version=row.version,
        state=State(row.state),
        reason=row.reason,
        severity=Severity(row.severity),
        evidence=tuple(evidence_of(document) for document in row.evidence),
        addressees=(owner, *(a for a in addressees if a != owner)),
        as_of=row.as_of,
        closed_at=row.closed_at,
        rules_changed=row.rules_changed,
        held_for=row.held_for,
        ruleset=row.ruleset,
    )
