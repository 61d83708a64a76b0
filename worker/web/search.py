"""Finding one's own alerts by words: of the headline, the rule, the patient's name, or an identifier.

Reads only, within the scope. The words come in a form, never in an address: they may name a patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, or_, select

from alerts.states import State
from alerts.tables import ALERT
from rules.findings import Severity
from worker import records
from worker.tables import PATIENT
from worker.web.listing import ListRow, list_row
from worker.web.scope import Scope
from worker.web.tabs import tab_of

MOST_FOUND = 50
MOST_WORDS = 8


@dataclass(frozen=True, slots=True)
class Found:
    """What a search gave: the newest alerts first; `more` says that there are others."""

    asked: str
    rows: tuple[ListRow, ...]
    more: bool


def search(connection: Connection, scope: Scope, asked: str, now: datetime, zone: ZoneInfo) -> Found:
    """The alerts of this scope in which every word occurs; nothing for no words."""
    terms = asked.split()[:MOST_WORDS]
    if not terms:
        return Found("", (), more=False)
    query = select(ALERT).where(scope.visible(), *(_occurs(term) for term in terms))
    rows = connection.execute(query.order_by(ALERT.c.id.desc()).limit(MOST_FOUND + 1)).all()
    stored = records.load(connection, sorted({row.patient_id for row in rows}))
    found = []
    for row in rows[:MOST_FOUND]:
        tab = tab_of(State(row.state), Severity(row.severity), row.snoozed_until, now)
        found.append(list_row(row, tab, stored.get(row.patient_id), now, zone))
    return Found(" ".join(terms), tuple(found), more=len(rows) > MOST_FOUND)


def _occurs(term: str) -> ColumnElement[bool]:
    named = (column.icontains(term, autoescape=True) for column in (PATIENT.c.name, PATIENT.c.ident))
    said = (column.icontains(term, autoescape=True) for column in (ALERT.c.headline, ALERT.c.rule))
    return or_(*said, ALERT.c.patient_id.in_(select(PATIENT.c.id).where(or_(*named))))
