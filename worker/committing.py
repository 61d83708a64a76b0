"""Committing what was judged, only where nothing moved meanwhile: leases, patient versions, alerts.

The one place of the fence. What lost it is not written, and the others are. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, tuple_

from alerts import store, storms
from alerts.moved import ask_anew
from alerts.reconcile import Decision
from alerts.states import Step
from rules.findings import Judgment
from rules.truth import Truth
from worker import faultpoints, metrics
from worker.apart import keep_apart
from worker.arrivals import arrivals
from worker.break_glass import mark_as_sent
from worker.claiming import Claimed, finish
from worker.code_gaps import note_gaps
from worker.composition import Deps
from worker.database import db_now, writing
from worker.incidents import incidents_of, write_down
from worker.keeping import keep
from worker.quarantine import note, set_aside
from worker.reading import PatientKey, Read
from worker.records import Stored
from worker.statements import Said
from worker.storms import terms_of
from worker.tables import EVALUATION, MESSAGE, PATIENT
from worker.telling import reach_of


@dataclass(frozen=True, slots=True)
class Group:
    """Messages that must be committed together, because a patient or a message joins them."""

    reads: tuple[Read, ...]

    @property
    def patients(self) -> frozenset[PatientKey]:
        """Everybody the group speaks of."""
        return frozenset(key for read in self.reads for key in read.patients)

    @property
    def messages(self) -> tuple[Claimed, ...]:
        """The claimed messages of the group."""
        return tuple(read.message for read in self.reads)


@dataclass(frozen=True, slots=True)
class Judged:
    """One patient judged, not yet written."""

    stored: Stored
    fresh: tuple[Said, ...]
    judgment: Judgment
    decisions: tuple[Decision, ...]
    newest_message: Claimed


def commit(deps: Deps, groups: Sequence[Group], prepared: Sequence[tuple[Judged, ...]]) -> list[int]:
    """Write the groups that still hold, in one transaction; which ones those were."""
    with writing(deps.engine) as connection:
        held = _holding(connection, groups, prepared)
        _write(deps, connection, [(groups[at], prepared[at]) for at in held])
        faultpoints.reach("inside-commit")
    return held


def _holding(
    connection: Connection, groups: Sequence[Group], prepared: Sequence[tuple[Judged, ...]]
) -> list[int]:
    """Which groups' leases and patients are all as they were; their patients' versions are now ours."""
    ours = messages_ours(connection, [message for group in groups for message in group.messages])
    leased = [at for at, group in enumerate(groups) if {message.id for message in group.messages} <= ours]
    metrics.FENCED.labels("lease").inc(len(groups) - len(leased))
    seen = {one.stored.id: one.stored.version for at in leased for one in prepared[at]}
    fenced = _fence(connection, seen)
    alone = [at for at in leased if {one.stored.id for one in prepared[at]} <= fenced]
    moved = store.moved(connection, (d for at in alone for one in prepared[at] for d in one.decisions))
    unmoved = [at for at in alone if not moved & _alerts_of(prepared[at])]
    metrics.FENCED.labels("patient").inc(len(leased) - len(unmoved))
    return unmoved


def _alerts_of(judged: Sequence[Judged]) -> set[int]:
    """The alerts that are about to be changed."""
    return {d.episode.alert_id for one in judged for d in one.decisions if d.episode is not None}


def messages_ours(connection: Connection, messages: Sequence[Claimed]) -> set[int]:
    """The messages whose lease is still ours, locked until the commit."""
    leases = [(message.id, message.lease) for message in messages]
    asked = (
        select(MESSAGE.c.id)
        .where(tuple_(MESSAGE.c.id, MESSAGE.c.lease).in_(leases), MESSAGE.c.state == "pending")
        .order_by(MESSAGE.c.id)
        .with_for_update(skip_locked=True)
    )
    return set(connection.execute(asked).scalars())


def _fence(connection: Connection, seen: Mapping[int, int]) -> set[int]:
    """The patients whose version is still the one we saw; it moves on by one. Waits for nobody."""
    if not seen:
        return set()
    unmoved = tuple_(PATIENT.c.id, PATIENT.c.version).in_(list(seen.items()))
    free = select(PATIENT.c.id).where(unmoved).order_by(PATIENT.c.id).with_for_update(skip_locked=True)
    ids = connection.execute(free).scalars().all()
    moved_on = (
        PATIENT.update()
        .where(PATIENT.c.id.in_(ids), unmoved)
        .values(version=PATIENT.c.version + 1)
        .returning(PATIENT.c.id)
    )
    return set(connection.execute(moved_on).scalars())


def _write(deps: Deps, connection: Connection, sure: Sequence[tuple[Group, tuple[Judged, ...]]]) -> None:
    now = db_now(connection)
    judged = [one for _, patients in sure for one in patients]
    if judged:
        keep(connection, [(one.stored, one.fresh) for one in judged])
    evaluations = _write_evaluations(deps, connection, judged, now)
    misposted = [found for one in judged for found in incidents_of(connection, one.stored.id, one.fresh)]
    for one in judged:
        store.apply(
            connection,
            patient_id=one.stored.id,
            evaluation_id=evaluations[one.stored.id],
            decisions=one.decisions,
            judgment=one.judgment,
            now=now,
            received_at=one.newest_message.received_at,
            arrivals=arrivals(deps.ruleset, one.fresh),
            source=one.newest_message.source,
        )
    write_down(connection, misposted, now)
    _mark_sensitive(connection, sure, now)
    moved = {one.stored.id for one in judged if any(said.registers for said in one.fresh)}
    ask_anew(connection, moved, reach_of(deps.settings), now)
    note_gaps(connection, (said for group, _ in sure for read in group.reads for said in read.said), now)
    _watch(deps, connection, judged, now)
    for group, _ in sure:
        for read in group.reads:
            if read.whole is not None:
                set_aside(connection, read.message.id, read.whole, now)
            for part in read.parts:
                note(connection, read.message.id, part, now)
    keep_apart(connection, [read for group, _ in sure for read in group.reads])
    done = [read.message for group, _ in sure for read in group.reads if read.whole is None]
    finish(connection, done, now)


def _mark_sensitive(
    connection: Connection, sure: Sequence[tuple[Group, tuple[Judged, ...]]], now: datetime
) -> None:
    """Together with their alerts, so that nobody is shown one before the mark holds."""
    for group, patients in sure:
        sources = {message.id: message.source for message in group.messages}
        for said in (said for one in patients for said in one.fresh if said.restricted):
            mark_as_sent(connection, said.filed_under, sources[said.message], said.message, now)


def _watch(deps: Deps, connection: Connection, judged: Sequence[Judged], now: datetime) -> None:
    """Brake where a rule or a source surges."""
    raised = {
        (decision.rule, one.newest_message.source)
        for one in judged
        for decision in one.decisions
        if decision.step in (Step.RAISE, Step.HOLD)
    }
    if raised:
        storms.watch(connection, raised, terms_of(deps.settings), now)


def _write_evaluations(
    deps: Deps, connection: Connection, judged: Sequence[Judged], now: datetime
) -> Mapping[int, int]:
    """One row for each judging; their ids by patient, each of whom is judged once in a batch."""
    rows = [
        {
            "patient_id": one.stored.id,
            "message_id": one.newest_message.id,
            "patient_version": one.stored.version + 1,
            "as_of": one.judgment.as_of,
            "evaluated_at": now,
            "ruleset": deps.ruleset.fingerprint,
            "ruleset_version": deps.ruleset.version,
            "outcomes": _outcomes(one),
        }
        for one in judged
    ]
    if not rows:
        return {}
    written = EVALUATION.insert().returning(EVALUATION.c.patient_id, EVALUATION.c.id)
    return {row.patient_id: row.id for row in connection.execute(written, rows)}


def _outcomes(one: Judged) -> list[dict[str, Any]]:
    """Every rule's answer that was not plain false, with what was decided and why."""
    decided = {decision.rule: decision for decision in one.decisions}
    return [
        {
            "rule": judged.rule,
            "version": judged.version,
            "truth": judged.pattern.value,
            "held": judged.held,
            "covered_by": judged.covered_by,
            "missing": list(judged.missing),
            "action": decided[judged.rule].action.value if judged.rule in decided else None,
            "reason": decided[judged.rule].reason.value if judged.rule in decided else None,
        }
        for judged in one.judgment.rules
        if judged.pattern is not Truth.FALSE or judged.rule in decided
    ]
