"""Judging claimed messages: history, rules, alerts, and one commit that holds only if nothing moved
meanwhile.

History is read and rules run without a write lock. The commit is conditional on each patient's version and on
each message's lease; what lost its fence is judged again. Messages that share a patient stand or fall
together, others do not touch each other. How messages are accepted is not known here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, tuple_

from alerts import directory, store
from alerts.follow_up import Arrival
from alerts.people import pool
from alerts.reconcile import Action, Decision, Episode, newest_episodes, reconcile
from alerts.routing import Router
from rules.facts import Status
from rules.findings import Ended, Judgment
from rules.truth import Truth
from worker import faultpoints, metrics
from worker.claiming import Claimed, finish
from worker.composition import Deps
from worker.database import db_now, reading, writing
from worker.keeping import Said, ensure_patients, keep, known_from, patient_ids, with_news
from worker.quarantine import note
from worker.reading import PatientKey, Read
from worker.records import Stored, load
from worker.status_changes import with_values
from worker.tables import EVALUATION, MESSAGE, PATIENT

EMAIL = "email"
CLOCK_SKEW = timedelta(minutes=5)
INSTANT = timedelta(microseconds=1)
EVER = datetime.min.replace(tzinfo=UTC)
JUDGED_STATUSES = frozenset({Status.FINAL, Status.AMENDED, Status.CORRECTED, Status.APPENDED})


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


def groups_of(reads: Iterable[Read]) -> list[Group]:
    """Reads joined by the patients they share."""
    groups: list[tuple[set[PatientKey], list[Read]]] = []
    for read in reads:
        patients, joined = set(read.patients), [read]
        apart = []
        for other_patients, others in groups:
            if patients & other_patients:
                patients |= other_patients
                joined = others + joined
            else:
                apart.append((other_patients, others))
        groups = [*apart, (patients, joined)]
    return [Group(tuple(sorted(joined, key=lambda read: read.message.id))) for _, joined in groups]


def judge_groups(deps: Deps, groups: Sequence[Group]) -> list[Group]:
    """Judge and commit `groups`; those that lost a fence, unwritten, to be judged again."""
    if not groups:
        return []
    ids = _known_patients(deps, groups)
    with reading(deps.engine) as connection:
        known = load(connection, sorted(set(ids.values())))
        prepared = [_prepare(deps, connection, group, ids, known) for group in groups]
    faultpoints.reach("before-commit")
    with writing(deps.engine) as connection:
        held = _holding(connection, groups, prepared)
        for_sure = [(groups[at], prepared[at]) for at in held]
        _write(deps, connection, for_sure)
        faultpoints.reach("inside-commit")
    faultpoints.reach("after-commit")
    _count([one for _, judged in for_sure for one in judged])
    return [group for at, group in enumerate(groups) if at not in held]


def _known_patients(deps: Deps, groups: Sequence[Group]) -> dict[PatientKey, int]:
    """The row of every patient spoken of; those never heard of get one."""
    keys = frozenset(key for group in groups for key in group.patients)
    with reading(deps.engine) as connection:
        ids = patient_ids(connection, keys)
    if unknown := keys - ids.keys():
        with writing(deps.engine) as connection:
            ensure_patients(connection, unknown, db_now(connection))
            ids |= patient_ids(connection, unknown)
    return ids


def _prepare(
    deps: Deps,
    connection: Connection,
    group: Group,
    ids: Mapping[PatientKey, int],
    known: Mapping[int, Stored],
) -> tuple[Judged, ...]:
    """Every patient of the group judged with the group's news."""
    news: dict[int, list[Said]] = {}
    for said in (said for read in group.reads for said in read.said):
        news.setdefault(ids[said.patient.system, said.patient.id], []).append(said)
    messages = {message.id: message for message in group.messages}
    return tuple(
        _judge(deps, connection, known[patient], said, messages) for patient, said in sorted(news.items())
    )


def _judge(
    deps: Deps, connection: Connection, stored: Stored, said: list[Said], messages: Mapping[int, Claimed]
) -> Judged:
    newest = max(
        (messages[one.message] for one in said), key=lambda message: (message.received_at, message.id)
    )
    first_unseen = _first_unseen(stored)
    as_of = max((first_unseen, newest.received_at, *_slightly_ahead(said, newest.received_at)))
    after, fresh = with_news(stored, [known_from(one, first_unseen) for one in said])
    filled = replace(after.history, results=with_values(after.history.results))
    after = replace(after, judged_as_of=as_of, history=filled)
    with metrics.EVALUATE.time():
        judgment = deps.ruleset.judge(after.history, as_of)
    episodes = store.open_episodes(connection, stored.id)
    router = _router(deps, connection, after, episodes)
    decisions = _decide(deps, after, judgment, episodes, router)
    return Judged(after, tuple(fresh), judgment, decisions, newest)


def _first_unseen(stored: Stored) -> datetime:
    """The first moment that no judging of this patient has looked at."""
    return stored.judged_as_of + INSTANT if stored.judged_as_of else EVER


def _slightly_ahead(said: Iterable[Said], received_at: datetime) -> list[datetime]:
    """Specimen times that a sender's clock puts just after receipt: not judged now, they never would be."""
    times = (result.effective_at for one in said for result in one.results)
    return [time for time in times if time and received_at < time <= received_at + CLOCK_SKEW]


def _router(deps: Deps, connection: Connection, stored: Stored, episodes: Sequence[Episode]) -> Router:
    return directory.router(
        connection,
        stored.orderers,
        (address for episode in episodes for address in episode.addressees),
        now=db_now(connection),
        push=(EMAIL,) if deps.settings.smtp_url else (),
        fallback=pool(deps.settings.fallback_pool),
    )


def _decide(
    deps: Deps, stored: Stored, judgment: Judgment, episodes: Sequence[Episode], router: Router
) -> tuple[Decision, ...]:
    newest = newest_episodes(episodes)

    def why_ended(rule: str) -> Ended:
        return deps.ruleset.why_ended(rule, stored.history, newest[rule].as_of, judgment.as_of)

    return reconcile(judgment, episodes, why_ended, deps.ruleset.rules, router=router)


def _holding(
    connection: Connection, groups: Sequence[Group], prepared: Sequence[tuple[Judged, ...]]
) -> list[int]:
    """Which groups' leases and patients are all as they were; their patients' versions are now ours."""
    ours = messages_ours(connection, [message for group in groups for message in group.messages])
    leased = [at for at, group in enumerate(groups) if {message.id for message in group.messages} <= ours]
    metrics.FENCED.labels("lease").inc(len(groups) - len(leased))
    seen = {one.stored.id: one.stored.version for at in leased for one in prepared[at]}
    fenced = _fence(connection, seen)
    unmoved = [at for at in leased if _is_unmoved(connection, prepared[at], fenced)]
    metrics.FENCED.labels("patient").inc(len(leased) - len(unmoved))
    return unmoved


def _is_unmoved(connection: Connection, judged: Sequence[Judged], fenced: set[int]) -> bool:
    """No other worker wrote to these patients, and no person answered one of their alerts meanwhile."""
    decisions = [decision for one in judged for decision in one.decisions]
    return {one.stored.id for one in judged} <= fenced and not store.moved(connection, decisions)


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
    for one in judged:
        evaluation = _write_evaluation(deps, connection, one, now)
        store.apply(
            connection,
            patient_id=one.stored.id,
            evaluation_id=evaluation,
            decisions=one.decisions,
            judgment=one.judgment,
            now=now,
            received_at=one.newest_message.received_at,
            arrivals=_arrivals(one),
        )
    for group, _ in sure:
        for read in group.reads:
            for part in read.parts:
                note(connection, read.message.id, part, now)
    finish(connection, [message for group, _ in sure for message in group.messages], now)


def _arrivals(one: Judged) -> tuple[Arrival, ...]:
    """The new results that may be what a follow-up waits for."""
    return tuple(
        Arrival(result.analyte, result.key, result.effective_at)
        for said in one.fresh
        for result in said.results
        if result.analyte
        and result.effective_at
        and result.problem is None
        and result.status in JUDGED_STATUSES
    )


def _write_evaluation(deps: Deps, connection: Connection, one: Judged, now: datetime) -> int:
    row = {
        "patient_id": one.stored.id,
        "message_id": one.newest_message.id,
        "patient_version": one.stored.version + 1,
        "as_of": one.judgment.as_of,
        "evaluated_at": now,
        "ruleset": deps.ruleset.fingerprint,
        "ruleset_version": deps.ruleset.version,
        "outcomes": _outcomes(one),
    }
    written: int = connection.execute(EVALUATION.insert().values(row).returning(EVALUATION.c.id)).scalar_one()
    return written


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


def _count(judged: Sequence[Judged]) -> None:
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


def _count_results(one: Judged) -> None:
    for result in (result for said in one.fresh for result in said.results):
        metrics.RESULTS.labels(result.analyte or metrics.OTHER, result.problem or "usable").inc()


def _count_decision(decision: Decision) -> None:
    metrics.DECISIONS.labels(decision.action.value, decision.reason.value).inc()
    if decision.action is Action.RAISE:
        metrics.ALERTS_RAISED.labels(decision.rule, decision.severity.value).inc()
    if decision.action is Action.WITHDRAW:
        metrics.ALERTS_WITHDRAWN.labels(decision.rule, decision.reason.value).inc()
