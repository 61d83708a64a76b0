"""One alert as its page shows it: who, what pattern, how sure, why now, what to do, what may be answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from alerts.people import POOL_SYSTEM, Address
from alerts.states import OPEN, State, Step, steps_from
from alerts.tables import ALERT, POOL, RECIPIENT
from rules.findings import Severity
from rules.history import version_order
from rules.ruleset import Ruleset
from worker import records
from worker.patients import provisional_among
from worker.records import Stored
from worker.web import words
from worker.web.bodies import SNOOZE_AT_MOST
from worker.web.chart import Chart, chart
from worker.web.evidence import Shown, absent_in, concept_words, on_record_in, results_in
from worker.web.explanation import Branch, branch
from worker.web.flagged import flags_that_disagree
from worker.web.limits import Held, limits_by_result
from worker.web.people import PatientWords, patient_words
from worker.web.plan import Rung, plan_of, then
from worker.web.scope import Scope
from worker.web.supplement import can_explain, explained_until
from worker.web.tabs import Tab, tab_of
from worker.web.timeline import HistoryLine, links_of, steps_of, timeline
from worker.web.versions import result_text
from worker.web.what_next import expected_of, what_next

FORMS = (Step.ACKNOWLEDGE, Step.DISMISS, Step.SNOOZE, Step.REASSIGN, Step.RESOLVE, Step.REOPEN)
MOST_COLLEAGUES = 500
MOST_OTHERS = 20


@dataclass(frozen=True, slots=True)
class ValueLine:
    """One value of the finding, as reported; `was` is what it said before a correction."""

    analyte: str
    text: str
    was: str
    also: str
    taken: str
    limit: str


@dataclass(frozen=True, slots=True)
class Other:
    """Another alert of the same patient."""

    id: int
    severity: str
    headline: str
    state: str


@dataclass(frozen=True, slots=True)
class AlertPage:
    """All that the template asks for."""

    id: int
    etag: int
    rule: str
    version: int
    severity: str
    headline: str
    text: str
    told: str
    tab: Tab
    open: bool
    patient: PatientWords
    values: tuple[ValueLine, ...]
    on_record: tuple[str, ...]
    absent: tuple[str, ...]
    actions: tuple[str, ...]
    follow_up_words: str
    follow_up: tuple[str, ...]
    agree: tuple[tuple[str, str], ...]
    plan: tuple[Rung, ...]
    next: tuple[str, ...]
    choices: tuple[str, ...]
    supplement: str
    reasons: dict[str, str]
    snoozes: tuple[tuple[str, str], ...]
    snooze_days: tuple[str, str]
    colleagues: tuple[tuple[str, str], ...]
    chart: Chart
    tree: Branch | None
    sources: tuple[str, ...]
    history: tuple[HistoryLine, ...]
    others: tuple[Other, ...]
    provisional: bool = False
    wrong: tuple[str, ...] = ()
    opened: str = ""
    just_answered: bool = False


def alert_page(
    connection: Connection,
    ruleset: Ruleset,
    scope: Scope,
    row: Row[Any],
    fallback: Address,
    now: datetime,
    zone: ZoneInfo,
) -> AlertPage:
    """The page of the alert `row`, which the scope must hold; `fallback` is the pool that is asked last."""
    stored = records.load(connection, [row.patient_id])[row.patient_id]
    steps, expected = steps_of(connection, row.id), expected_of(connection, row.id)
    held, results = limits_by_result(row.tree), results_in(row.evidence)
    flagged = flags_that_disagree(connection, stored, [shown.key for shown in results])
    state, severity = State(row.state), Severity(row.severity)
    plan = plan_of(connection, row, fallback, now, zone)
    choices = tuple(step.value for step in FORMS if step in steps_from(state))
    answered = next(
        (s for s in reversed(steps) if s.step in (Step.ACKNOWLEDGE, Step.DISMISS, Step.RESOLVE)), None
    )
    return AlertPage(
        id=row.id,
        etag=row.version,
        rule=row.rule,
        version=row.rule_version,
        severity=row.severity,
        headline=row.headline,
        text=row.text,
        told=_told(row, then(plan), now, zone),
        tab=tab_of(state, severity, row.snoozed_until, now),
        open=state in OPEN,
        patient=patient_words(stored, now),
        values=tuple(
            replace(_value(shown, held.get(shown.key), stored, now, zone), also=flagged.get(shown.key, ""))
            for shown in results
        ),
        on_record=tuple(on_record_in(row.evidence, now, zone)),
        absent=tuple(absent_in(row.evidence, row.as_of)),
        actions=tuple(row.actions),
        follow_up_words="Follow-up" if answered else "Follow-up if you agree",
        follow_up=_follow_up(row, now, zone),
        agree=_to_agree_on(expected, now, zone),
        plan=plan,
        next=what_next(row, expected, answered, now, zone),
        choices=choices,
        supplement=words.full_day(explained_until(now), zone) if can_explain(row.evidence) else "",
        reasons=words.DISMISS_REASONS,
        snoozes=_snoozes(now, zone),
        snooze_days=_snooze_days(now, zone),
        colleagues=_colleagues(connection, scope) if Step.REASSIGN in choices else (),
        chart=chart(stored.history, results, held, now, zone),
        tree=branch(row.tree, now, zone) if row.tree else None,
        sources=tuple(_source(ruleset, source) for source in row.sources),
        history=timeline(connection, steps, zone, links_of(connection, row)),
        others=_others(connection, scope, row),
        provisional=bool(provisional_among(connection, [stored.id])),
    )


def _told(row: Row[Any], asked_next: str, now: datetime, zone: ZoneInfo) -> str:
    said = (
        f"told {words.clock_time(row.told_at, now, zone)}"
        if row.told_at
        else f"raised {words.clock_time(row.raised_at, now, zone)}"
    )
    due = row.answer_by if row.state in (State.RAISED, State.TOLD) else None
    if due is None:
        return said
    by = words.clock_time(due, now, zone)
    parts = [said, f"answer was due {by}" if due < now else f"answer by {by}"]
    return " · ".join([*parts, f"then {asked_next}"] if asked_next else parts)


def _value(shown: Shown, held: Held | None, stored: Stored, now: datetime, zone: ZoneInfo) -> ValueLine:
    return ValueLine(
        analyte=shown.name,
        text=shown.text,
        was=_before_correction(shown, stored),
        also="",
        taken=words.day(shown.effective_at, now, zone),
        limit=held.said_in(shown.unit).text if held else "",
    )


def _before_correction(shown: Shown, stored: Stored) -> str:
    versions = sorted((r for r in stored.history.results if r.key == shown.key), key=version_order)
    older = [text for r in versions[:-1] if (text := result_text(r)) != shown.text]
    return older[-1] if older else ""


def _follow_up(row: Row[Any], now: datetime, zone: ZoneInfo) -> tuple[str, ...]:
    by_day: dict[date, list[str]] = {}
    for item in row.follow_up:
        by_day.setdefault(date.fromisoformat(item["due"]), []).append(concept_words(item["expect"]))
    return tuple(
        f"{words.joined([names[0], *map(words.in_sentence, names[1:])])} by {words.day(due, now, zone)}"
        for due, names in sorted(by_day.items())
    )


def _to_agree_on(
    expected: Sequence[tuple[str, date]], now: datetime, zone: ZoneInfo
) -> tuple[tuple[str, str], ...]:
    """(name, words) of what is expected; by the same name, the first day."""
    first: dict[str, date] = {}
    for name, due in expected:
        first.setdefault(name, due)
    return tuple(
        (name, f"{concept_words(name)} by {words.day(due, now, zone)}") for name, due in first.items()
    )


def _snooze_days(now: datetime, zone: ZoneInfo) -> tuple[str, str]:
    """The first and the last day somebody may choose."""
    today = now.astimezone(zone).date()
    last = (now + SNOOZE_AT_MOST).astimezone(zone).date() - timedelta(days=1)
    return (today + timedelta(days=1)).isoformat(), last.isoformat()


def _snoozes(now: datetime, zone: ZoneInfo) -> tuple[tuple[str, str], ...]:
    """(moment, words): tomorrow morning, in three days, in a week, in four weeks."""
    today = now.astimezone(zone).date()
    choices = ((1, "tomorrow 08:00"), (3, "in 3 days"), (7, "in a week"), (28, "in 4 weeks"))
    return tuple(
        (datetime.combine(today + timedelta(days=days), time(8), zone).isoformat(), said)
        for days, said in choices
    )


def _colleagues(connection: Connection, scope: Scope) -> tuple[tuple[str, str], ...]:
    people = select(RECIPIENT).where(RECIPIENT.c.active).order_by(RECIPIENT.c.name).limit(MOST_COLLEAGUES)
    pools = connection.execute(select(POOL).order_by(POOL.c.name)).all()
    own = (scope.own.system, scope.own.id)
    return (
        *((f"{POOL_SYSTEM}|{p.ident}", f"Pool: {p.name or p.ident}") for p in pools),
        *(
            (f"{r.system}|{r.ident}", r.name or r.ident)
            for r in connection.execute(people)
            if (r.system, r.ident) != own
        ),
    )


def _source(ruleset: Ruleset, source: str) -> str:
    known = ruleset.sources.get(source)
    return known.citation if known else source


def _others(connection: Connection, scope: Scope, row: Row[Any]) -> tuple[Other, ...]:
    query = (
        select(ALERT)
        .where(scope.visible(), ALERT.c.patient_id == row.patient_id, ALERT.c.id != row.id)
        .order_by(ALERT.c.id.desc())
        .limit(MOST_OTHERS)
    )
    return tuple(
        Other(r.id, r.severity, r.headline, r.state.replace("-", " ")) for r in connection.execute(query)
    )
