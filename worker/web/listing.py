"""The inbox list: rows as they are shown, counts of the tabs, and what has arrived since a moment.

Reads only. What may be read is `worker.web.scope`; what each tab holds is `worker.web.tabs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup
from sqlalchemy import Connection, Row, func, select

from alerts.states import State
from alerts.tables import ALERT, ALERT_EVENT
from rules.history import View
from worker import records
from worker.records import Stored
from worker.web import words
from worker.web.evidence import Shown, results_in
from worker.web.people import PatientWords, patient_words
from worker.web.scope import Scope
from worker.web.sparkline import sparkline
from worker.web.tabs import EMPTY, Tab, belongs, order
from worker.web.trends import trend

PAGE = 50
VALUES_IN_ROW = 3
ARRIVES = ("raise", "release", "worsen", "wake", "reassign", "reopen")


@dataclass(frozen=True, slots=True)
class RowValue:
    """One value of a row, as reported, with its trend."""

    analyte: str
    text: str
    spark: Markup


@dataclass(frozen=True, slots=True)
class ListRow:
    """One alert of the list."""

    id: int
    patient_id: int
    severity: str
    headline: str
    patient: PatientWords
    values: tuple[RowValue, ...]
    wait: str
    due: str
    late: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """One tab as shown at a moment. `mark` is the newest step of any alert then: what came later is new."""

    tab: Tab
    rows: tuple[ListRow, ...]
    counts: dict[Tab, int]
    mark: int
    as_of: str
    mine: bool
    shared: bool
    more: int | None

    @property
    def mine_suffix(self) -> Markup:
        """What links carry to keep the filter."""
        return Markup("&amp;mine=1") if self.mine else Markup("")

    @property
    def empty(self) -> tuple[str, str]:
        """Why there is nothing, and what would bring something."""
        return EMPTY[self.tab]


def listing(
    connection: Connection,
    scope: Scope,
    tab: Tab,
    now: datetime,
    zone: ZoneInfo,
    *,
    mine: bool = False,
    show: int = PAGE,
) -> Listing:
    """The tab for this reader at `now`, at most `show` rows."""
    query = (
        select(ALERT)
        .where(scope.visible(only_own=mine), belongs(tab, now))
        .order_by(*order(tab))
        .limit(show + 1)
    )
    found = connection.execute(query).all()
    shown = found[:show]
    stored = records.load(connection, sorted({row.patient_id for row in shown}))
    return Listing(
        tab=tab,
        rows=tuple(list_row(row, tab, stored.get(row.patient_id), now, zone) for row in shown),
        counts=_counts(connection, scope, now, mine),
        mark=newest_step(connection),
        as_of=words.clock_time(now, now, zone),
        mine=mine,
        shared=len(scope.addresses) > 1,
        more=show + PAGE if len(found) > show else None,
    )


def arrived_since(
    connection: Connection,
    scope: Scope,
    tab: Tab,
    mark: int,
    now: datetime,
    zone: ZoneInfo,
    *,
    mine: bool = False,
) -> tuple[ListRow, ...]:
    """Alerts that were raised, or worsened, after the step `mark`, the most severe first; without values."""
    newer = select(ALERT_EVENT.c.alert_id).where(ALERT_EVENT.c.id > mark, ALERT_EVENT.c.step.in_(ARRIVES))
    query = select(ALERT).where(scope.visible(only_own=mine), belongs(tab, now), ALERT.c.id.in_(newer))
    return tuple(
        list_row(row, tab, None, now, zone)
        for row in connection.execute(query.order_by(*order(tab)).limit(PAGE))
    )


def newest_step(connection: Connection) -> int:
    """The id of the newest step of any alert; 0 before the first."""
    return connection.execute(select(func.max(ALERT_EVENT.c.id))).scalar() or 0


def _counts(connection: Connection, scope: Scope, now: datetime, mine: bool) -> dict[Tab, int]:
    counts = {}
    for tab in (Tab.ANSWER, Tab.FOLLOWING, Tab.INFORMATION):
        query = select(func.count()).select_from(ALERT).where(scope.visible(only_own=mine), belongs(tab, now))
        counts[tab] = connection.execute(query).scalar_one()
    return counts


def list_row(row: Row[Any], tab: Tab, stored: Stored | None, now: datetime, zone: ZoneInfo) -> ListRow:
    """One alert as the list shows it under `tab`; without `stored`, without values."""
    due = row.answer_by if tab is Tab.ANSWER else None
    return ListRow(
        id=row.id,
        patient_id=row.patient_id,
        severity=row.severity,
        headline=row.headline,
        patient=patient_words(stored, now),
        values=_values(results_in(row.evidence), View(stored.history, now)) if stored else (),
        wait=words.wait(row.updated_at if tab is Tab.ANSWERED else row.raised_at, now),
        due=_due_words(row, due, tab, now, zone),
        late=due is not None and due < now,
    )


def _due_words(row: Row[Any], due: datetime | None, tab: Tab, now: datetime, zone: ZoneInfo) -> str:
    if due is not None:
        return f"due {words.wait(due, now)} ago" if due < now else f"by {words.clock_time(due, now, zone)}"
    if row.state == State.SNOOZED and row.snoozed_until:
        return f"until {words.clock_time(row.snoozed_until, now, zone)}"
    return row.state.replace("-", " ") if tab in (Tab.ANSWERED, Tab.FOLLOWING) else ""


def _values(results: Sequence[Shown], view: View) -> tuple[RowValue, ...]:
    """The newest value of each analyte, in the order of the evidence."""
    newest: dict[str, Shown] = {}
    for result in results:
        if result.analyte not in newest or result.effective_at > newest[result.analyte].effective_at:
            newest[result.analyte] = result
    return tuple(
        RowValue(shown.name, shown.text, sparkline(trend(view, shown.analyte)))
        for shown in list(newest.values())[:VALUES_IN_ROW]
    )
