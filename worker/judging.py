"""Judging claimed messages: history, rules, decisions, and a commit that holds only if nothing moved.

History is read and rules run without a write lock. Messages that share a patient stand or fall together,
others do not touch each other; what lost its fence is judged again. How it is written is
`worker.committing`; how messages are accepted is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from alerts import directory, store
from alerts.holding import Holds
from alerts.people import pool
from alerts.reconcile import Decision, Episode, newest_episodes, reconcile
from alerts.routing import Router
from alerts.storms import in_force
from rules.findings import Ended
from worker import faultpoints, metrics
from worker.channels import push_channels
from worker.claiming import Claimed
from worker.committing import Group, Judged, commit
from worker.composition import Deps
from worker.counting import count_judged, count_read
from worker.database import db_now, reading, writing
from worker.identity import checked
from worker.live import is_live
from worker.patients import ensure_patients, patient_ids, rows_of
from worker.reading import PatientKey, Read
from worker.records import Stored, load
from worker.statements import Said, known_from, with_news
from worker.status_changes import with_values

CLOCK_SKEW = timedelta(minutes=5)
INSTANT = timedelta(microseconds=1)
EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ready:
    """One patient's history with the news in it, ready to be judged."""

    stored: Stored
    fresh: tuple[Said, ...]
    as_of: datetime
    newest_message: Claimed


def groups_of(reads: Iterable[Read], rows: Mapping[PatientKey, int] | None = None) -> list[Group]:
    """Reads joined by the patients they share; by `rows`, also where two keys are one patient."""
    groups: list[tuple[set[PatientKey | int], list[Read]]] = []
    for read in reads:
        patients = {rows[key] if rows else key for key in read.patients}
        joined = [read]
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
    _know_patients(deps, groups)
    with reading(deps.engine) as connection:
        ids = patient_ids(connection, _named(groups))
        groups = groups_of((read for group in groups for read in group.reads), ids)
        groups, prepared = _look(deps, connection, groups, ids)
    faultpoints.reach("before-commit")
    held = commit(deps, groups, prepared)
    faultpoints.reach("after-commit")
    count_judged([one for at in held for one in prepared[at]])
    count_read(read for at in held for read in groups[at].reads)
    return [group for at, group in enumerate(groups) if at not in held]


def judged_unwritten(deps: Deps, reads: Iterable[Read]) -> list[Judged]:
    """What judging would come to, with nothing written: patients never heard of are left out."""
    reads = list(reads)
    with reading(deps.engine) as connection:
        ids = patient_ids(connection, _named([Group(tuple(reads))]))
        heard_of = [read for read in reads if read.patients and read.patients <= ids.keys()]
        _, prepared = _look(deps, connection, groups_of(heard_of, ids), ids)
    return [one for judged in prepared for one in judged]


def _look(
    deps: Deps, connection: Connection, groups: Sequence[Group], ids: Mapping[PatientKey, int]
) -> tuple[list[Group], list[tuple[Judged, ...]]]:
    """The groups without whom they cannot be about, and everybody else judged."""
    known = load(connection, sorted(set(ids.values())))
    sure = [checked(group, known, ids) for group in groups]
    return sure, _prepare(deps, connection, sure, ids, known)


def _named(groups: Iterable[Group]) -> frozenset[PatientKey]:
    """Everybody spoken of, and whom their further identifiers name."""
    also = (key for group in groups for read in group.reads for said in read.said for key in said.also)
    return frozenset((*also, *(key for group in groups for key in group.patients)))


def _know_patients(deps: Deps, groups: Sequence[Group]) -> None:
    """A row for everybody spoken of who was never heard of."""
    keys = frozenset(key for group in groups for key in group.patients)
    with reading(deps.engine) as connection:
        unknown = keys - patient_ids(connection, keys).keys()
    if unknown:
        with writing(deps.engine) as connection:
            ensure_patients(connection, unknown, db_now(connection))


def _prepare(
    deps: Deps,
    connection: Connection,
    groups: Sequence[Group],
    ids: Mapping[PatientKey, int],
    known: Mapping[int, Stored],
) -> list[tuple[Judged, ...]]:
    """Every patient of each group judged with the group's news."""
    patients = sorted(known)
    rows = rows_of(connection, ids)
    news = [_news(group, ids, rows) for group in groups]
    alerted = store.episodes_of(connection, patients)
    after = {
        patient: _with_news(known[patient], said, group)
        for group, by_patient in zip(groups, news, strict=True)
        for patient, said in by_patient.items()
    }
    router = _router(deps, connection, list(after.values()), alerted)
    storms = in_force(connection)
    return [
        tuple(
            _judge(deps, after[patient], alerted[patient], router, storms) for patient in sorted(by_patient)
        )
        for by_patient in news
    ]


def _news(
    group: Group, ids: Mapping[PatientKey, int], rows: Mapping[PatientKey, int]
) -> dict[int, list[Said]]:
    """What is said of each patient, filed under the identifier it came for; of a merged one maybe nothing."""
    news: dict[int, list[Said]] = {ids[key]: [] for key in sorted(group.patients)}
    for said in (said for read in group.reads for said in read.said):
        key = said.patient.system, said.patient.id
        news[ids[key]].append(replace(said, filed_under=rows[key]))
    return news


def _with_news(stored: Stored, said: Sequence[Said], group: Group) -> Ready:
    """The history with the news in it, as of its newest message's receipt, after every earlier judging."""
    messages = {message.id: message for message in group.messages}
    of_patient = [messages[one.message] for one in said] or list(group.messages)
    newest = max(of_patient, key=lambda message: (message.received_at, message.id))
    first_unseen = _first_unseen(stored)
    as_of = max((first_unseen, newest.received_at, *_slightly_ahead(said, newest.received_at)))
    after, fresh = with_news(stored, [known_from(one, first_unseen) for one in said])
    filled = replace(after.history, results=with_values(after.history.results))
    return Ready(replace(after, judged_as_of=as_of, history=filled), tuple(fresh), as_of, newest)


def _judge(
    deps: Deps,
    ready: Ready,
    episodes: Sequence[Episode],
    router: Router,
    storms: Mapping[tuple[str, str], int],
) -> Judged:
    with metrics.EVALUATE.time():
        judgment = deps.ruleset.judge(ready.stored.history, ready.as_of)
    newest = newest_episodes(episodes)

    def why_ended(rule: str) -> Ended:
        why = deps.ruleset.why_ended(rule, ready.stored.history, newest[rule].as_of, ready.as_of)
        if why is Ended.RULES_CHANGED and newest[rule].ruleset == deps.ruleset.fingerprint:
            # Nothing changed in the rules: the patient is another one now, by a merge or by who they are.
            return Ended.CORRECTED
        return why

    died = ready.stored.history.patient.deceased_at
    own = replace(router, orderers=ready.stored.orderers, patient_deceased=died is not None)
    live = is_live(ready.stored.history, deps.settings.live_since)
    holds = Holds(live, storms, ready.newest_message.source)
    decisions = reconcile(judgment, episodes, why_ended, deps.ruleset.rules, router=own, holds=holds)
    _explain(decisions)
    return Judged(ready.stored, ready.fresh, judgment, decisions, ready.newest_message)


def _explain(decisions: Iterable[Decision]) -> None:
    """Make the explanations that will be kept, now, while no lock is held; they are remembered."""
    for decision in decisions:
        if decision.step is not None and decision.judged is not None:
            decision.judged.explained()


def _first_unseen(stored: Stored) -> datetime:
    """The first moment that no judging of this patient has looked at."""
    return stored.judged_as_of + INSTANT if stored.judged_as_of else EVER


def _slightly_ahead(said: Iterable[Said], received_at: datetime) -> list[datetime]:
    """Specimen times that a sender's clock puts just after receipt: not judged now, they never would be."""
    times = (result.effective_at for one in said for result in one.results)
    return [time for time in times if time and received_at < time <= received_at + CLOCK_SKEW]


def _router(
    deps: Deps,
    connection: Connection,
    ready: Sequence[Ready],
    alerted: Mapping[int, Sequence[Episode]],
) -> Router:
    """Routing for all of them; each is judged with its own orderers."""
    everybody = {key: orderer for one in ready for key, orderer in one.stored.orderers.items()}
    return directory.router(
        connection,
        everybody,
        (address for episodes in alerted.values() for episode in episodes for address in episode.addressees),
        now=db_now(connection),
        push=push_channels(deps.settings),
        fallback=pool(deps.settings.fallback_pool),
    )
