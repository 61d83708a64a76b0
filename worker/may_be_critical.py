"""Whether what waits in quarantine may hold a critical value: looked at once, kept as yes or no, never as a
value.

Yes, where the laboratory says so by a flag, or where a critical rule in force would fire on these results of
anybody. Operators who may not see values learn by it which item cannot wait (trials B41). Nobody is told of a
patient by this, and what it cannot read counts as yes only where reading itself went wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from rules.facts import History, Patient, Result
from rules.findings import Severity
from rules.ruleset import Ruleset
from rules.truth import Truth
from worker.composition import Deps
from worker.database import reading, writing
from worker.intake.dialect import Dialect
from worker.intake.event import ResultItem
from worker.intake.flags import is_critical_flag
from worker.intake.result_facts import Setting, result_fact
from worker.intake.results_alone import results_alone
from worker.intake.specimen import CONTROL_SAMPLE
from worker.logs import logger
from worker.quarantine import ITEMS, is_waiting
from worker.quarantine_reasons import QuarantineReason
from worker.tables import MESSAGE, QUARANTINE_ITEM

log = logger("worker.may_be_critical")

BATCH = 20
NOBODY = Patient("urn:ferrule:nobody", "nobody")
CRITICAL_BY_ITSELF = frozenset({QuarantineReason.HEMOGLOBIN_IMPLAUSIBLE})
"""Reasons that say it: a true value stands behind an impossible one."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An item nobody has looked at yet, and its message."""

    item: int
    reason: str
    place: str
    format: str
    raw: bytes
    source: str
    received_at: datetime
    whole: bool


def critical_due(deps: Deps) -> bool:
    """Look at some of the items that nobody has looked at; whether there may be more."""
    with reading(deps.engine) as connection:
        found = [Waiting(**row._mapping) for row in connection.execute(_unseen())]
    seen = [(one.item, _careful(deps, one)) for one in found]
    if seen:
        with writing(deps.engine) as connection:
            for item, critical in seen:
                same = QUARANTINE_ITEM.update().where(QUARANTINE_ITEM.c.id == item)
                connection.execute(same.values(may_be_critical=critical))
    return len(found) == BATCH


def _unseen() -> Any:
    item, message = QUARANTINE_ITEM.c, MESSAGE.c
    columns: Sequence[Any] = (
        item.id.label("item"),
        item.reason,
        item.place,
        message.format,
        message.raw,
        message.source,
        message.received_at,
        (message.state == "quarantined").label("whole"),
    )
    unseen = (*is_waiting(), item.may_be_critical.is_(None))
    return select(*columns).select_from(ITEMS).where(*unseen).order_by(item.id).limit(BATCH)


def _careful(deps: Deps, one: Waiting) -> bool:
    """What cannot be looked at, by a fault of ours, is shown as if it were critical."""
    try:
        return may_be_critical(one, deps.ruleset, _dialect(deps, one.source))
    except Exception as error:
        log.error("could not look at an item", item=one.item, error=error)
        return True


def _dialect(deps: Deps, source: str) -> tuple[Dialect, ZoneInfo]:
    dialect = deps.sources().dialect(source)
    return dialect, dialect.zone or deps.settings.default_zone or ZoneInfo("UTC")


def may_be_critical(one: Waiting, ruleset: Ruleset, writes: tuple[Dialect, ZoneInfo]) -> bool:
    """Whether any result of the item is flagged critical, or would make a critical rule fire."""
    if one.reason in CRITICAL_BY_ITSELF:
        return True
    items = [item for item in _meant(one, results_alone(one.format, one.raw)) if not _of_nobody(item)]
    if any(is_critical_flag(item.interpretation) for item in items):
        return True
    dialect, zone = writes
    setting = Setting(one.source, str(one.item), one.received_at, one.received_at, one.item, zone, dialect)
    results = [result_fact(item, at, setting).result for at, item in enumerate(items)]
    return bool(results) and _fires(ruleset, results, one.received_at)


def _fires(ruleset: Ruleset, results: Iterable[Result], as_of: datetime) -> bool:
    judgment = ruleset.judge(History(NOBODY, tuple(results)), as_of)
    return any(rule.pattern is Truth.TRUE and rule.severity is Severity.CRITICAL for rule in judgment.rules)


def _meant(one: Waiting, items: list[ResultItem]) -> list[ResultItem]:
    """The result at the item's place; all of them where the place is the message's or the patient's."""
    if one.whole:
        return items
    here = [item for item in items if item.place and _stands_at(one.place, item.place)]
    return here or items


def _stands_at(place: str, result: str) -> bool:
    return place == result or place.startswith((f"{result}.", f"{result}-", f"{result},"))


def _of_nobody(item: ResultItem) -> bool:
    return CONTROL_SAMPLE in item.specimen_notes
