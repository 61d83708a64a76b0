"""The gauges that are read from the database each time the metrics page is asked for; nothing is counted
here.

A database that does not answer gives families without samples and `ferrule_database_up` 0: the page still
comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from alerts import audit, destinations, storms
from alerts.follow_up import Expectation
from alerts.holding import HeldFor, Surge
from alerts.states import ASKING, OPEN, UNANSWERED, State
from alerts.tables import ALERT, DELIVERY, FOLLOW_UP, RECIPIENT, TIMER
from alerts.telling import HELD
from alerts.unaddressed import reaches_nobody
from rules.findings import Severity
from worker.database import db_now, reading
from worker.intake_gauges import LABELS as INTAKE_LABELS
from worker.intake_gauges import IntakeGauges
from worker.sources import no_sources
from worker.tables import EVALUATION, MESSAGE, SOURCE_SEEN

Families = dict[str, GaugeMetricFamily]

LABELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "alerts_open": ("Open alerts.", ("rule", "severity", "state")),
    "alert_unanswered_oldest_seconds": ("Age of the oldest alert nobody has answered.", ("severity",)),
    "outbox_pending": ("Deliveries not yet made.", ()),
    "outbox_oldest_seconds": ("Age of the oldest delivery not yet made.", ()),
    "destination_failing_seconds": ("How long a channel's destination has taken nothing.", ("channel",)),
    "inbound_unfinished": ("Messages stored and not yet judged.", ()),
    "inbound_oldest_seconds": ("Age of the oldest message not yet judged.", ()),
    "source_last_message_timestamp_seconds": ("When a source last sent.", ("source",)),
    "follow_ups_overdue": ("Expected results that have not come in time.", ()),
    "unaddressed_alerts": ("Open alerts that reach nobody.", ()),
    "unaddressed_oldest_seconds": ("Age of the oldest open alert that reaches nobody.", ()),
    "call_list_alerts": ("Alerts somebody must be called about.", ("severity",)),
    "call_list_oldest_seconds": ("How long the oldest of them has been on the call list.", ()),
    "timers_late_seconds": ("How late the timer is that should have been done first.", ()),
    **INTAKE_LABELS,
    "directory_last_import_timestamp_seconds": ("When the directory of clinicians was last imported.", ()),
    "ruleset_info": ("The rules that judged last.", ("fingerprint", "version")),
    "build_info": ("The running version.", ("version",)),
    "alerts_held": ("Alerts that are raised and not told, by why.", ("reason",)),
    "storms_open": ("Surges whose held alerts wait for a person.", ("kind", "key")),
    "audit_unsealed_oldest_seconds": ("Age of the oldest audit record that no link seals yet.", ()),
    "database_up": ("Whether the database answered this scrape.", ()),
}


class DatabaseGauges(Collector):
    """One look at the database, one sample for each thing in it."""

    def __init__(
        self, engine: Engine, source_name: Callable[[str], str], intake: IntakeGauges | None = None
    ) -> None:
        self._engine = engine
        self._source_name = source_name
        self._intake = intake or IntakeGauges(no_sources)

    def describe(self) -> Iterable[Metric]:
        """Names only, so that registering asks no database."""
        return _families().values()

    def collect(self) -> Iterable[Metric]:
        """Every family; without samples when the database does not answer."""
        families = _families()
        families["build_info"].add_metric([_version()], 1)
        try:
            with reading(self._engine) as connection:
                self._fill(connection, families)
            families["database_up"].add_metric([], 1)
        except SQLAlchemyError:
            families = _families()
            families["database_up"].add_metric([], 0)
        return families.values()

    def _fill(self, connection: Connection, families: Families) -> None:
        now = db_now(connection)
        _inbound(connection, families, now)
        _alerts(connection, families, now)
        _waiting(connection, families, now)
        _held(connection, families, self._source_name)
        _outbox(connection, families, now)
        _follow_ups(connection, families, now)
        waits = audit.oldest_unsealed(connection)
        families["audit_unsealed_oldest_seconds"].add_metric([], _age(waits, now))
        _rules(connection, families)
        self._intake.fill(connection, families, now)
        _sources(connection, families, self._source_name)


def _families() -> Families:
    return {
        name: GaugeMetricFamily(f"ferrule_{name}", text, labels=labels)
        for name, (text, labels) in LABELS.items()
    }


def _version() -> str:
    try:
        return version("ferrule")
    except PackageNotFoundError:
        return "unknown"


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def _inbound(connection: Connection, families: Families, now: datetime) -> None:
    waiting = select(func.count(), func.min(MESSAGE.c.received_at)).where(MESSAGE.c.state == "pending")
    count, oldest = connection.execute(waiting).one()
    families["inbound_unfinished"].add_metric([], count)
    families["inbound_oldest_seconds"].add_metric([], _age(oldest, now))


def _sources(connection: Connection, families: Families, source_name: Callable[[str], str]) -> None:
    newest = (
        select(func.max(MESSAGE.c.received_at))
        .where(MESSAGE.c.source == SOURCE_SEEN.c.source)
        .scalar_subquery()
    )
    seen: dict[str, float] = {}
    for source, at in connection.execute(select(SOURCE_SEEN.c.source, newest)):
        if at is not None:
            name = source_name(source)
            seen[name] = max(seen.get(name, 0.0), at.timestamp())
    for name, stamp in sorted(seen.items()):
        families["source_last_message_timestamp_seconds"].add_metric([name], stamp)


def _alerts(connection: Connection, families: Families, now: datetime) -> None:
    is_open = ALERT.c.state.in_(sorted(OPEN))
    by_kind = (ALERT.c.rule, ALERT.c.severity, ALERT.c.state)
    for rule, severity, state, count in connection.execute(
        select(*by_kind, func.count()).where(is_open).group_by(*by_kind)
    ):
        families["alerts_open"].add_metric([rule, severity, state], count)
    unanswered = select(ALERT.c.severity, func.min(ALERT.c.raised_at).label("oldest")).where(
        ALERT.c.state.in_(UNANSWERED)
    )
    rows = connection.execute(unanswered.group_by(ALERT.c.severity))
    oldest = {row.severity: row.oldest for row in rows}
    for severity in Severity:
        age = _age(oldest.get(severity.value), now)
        families["alert_unanswered_oldest_seconds"].add_metric([severity.value], age)
    unaddressed = select(func.count(), func.min(ALERT.c.raised_at)).where(reaches_nobody())
    lost, oldest_lost = connection.execute(unaddressed).one()
    families["unaddressed_alerts"].add_metric([], lost)
    families["unaddressed_oldest_seconds"].add_metric([], _age(oldest_lost, now))


def _waiting(connection: Connection, families: Families, now: datetime) -> None:
    """What people must do by telephone, and whether the timers that lead there are kept."""
    listed = ALERT.c.call_list_since.is_not(None) & ALERT.c.state.in_(ASKING)
    since = func.min(ALERT.c.call_list_since)
    rows = connection.execute(
        select(ALERT.c.severity, func.count().label("alerts"), since.label("since"))
        .where(listed)
        .group_by(ALERT.c.severity)
    ).all()
    by_severity = {row.severity: row for row in rows}
    for severity in Severity:
        row = by_severity.get(severity.value)
        families["call_list_alerts"].add_metric([severity.value], row.alerts if row else 0)
    oldest = min((row.since for row in rows), default=None)
    families["call_list_oldest_seconds"].add_metric([], _age(oldest, now))
    first = select(func.min(TIMER.c.planned_at)).where(TIMER.c.state == "pending")
    imported = connection.execute(select(func.max(RECIPIENT.c.listed_at))).scalar()
    if imported is not None:
        families["directory_last_import_timestamp_seconds"].add_metric([], imported.timestamp())
    families["timers_late_seconds"].add_metric([], _age(connection.execute(first).scalar(), now))


def _held(connection: Connection, families: Families, source_name: Callable[[str], str]) -> None:
    held = (
        select(ALERT.c.held_for, func.count()).where(ALERT.c.state == State.HELD).group_by(ALERT.c.held_for)
    )
    counts = {row[0]: row[1] for row in connection.execute(held)}
    for why in HeldFor:
        families["alerts_held"].add_metric([why.value], counts.get(why.value, 0))
    seen: Counter[tuple[str, str]] = Counter()
    for storm in storms.listing(connection):
        key = storm["key"] if storm["kind"] == Surge.RULE else source_name(storm["key"])
        seen[storm["kind"], key] += 1
    for (kind, key), count in seen.items():
        families["storms_open"].add_metric([kind, key], count)


def _outbox(connection: Connection, families: Families, now: datetime) -> None:
    # What somebody wants later, in a digest or after quiet hours, is not late.
    is_held = DELIVERY.c.lane.endswith(HELD, autoescape=True) & (DELIVERY.c.due_at > now)
    waiting = select(func.count(), func.min(DELIVERY.c.created_at)).where(
        DELIVERY.c.state == "pending", ~(is_held & (DELIVERY.c.attempts == 0))
    )
    count, oldest = connection.execute(waiting).one()
    families["outbox_pending"].add_metric([], count)
    families["outbox_oldest_seconds"].add_metric([], _age(oldest, now))
    for channel, since in destinations.known(connection):
        families["destination_failing_seconds"].add_metric([channel], _age(since, now))


def _follow_ups(connection: Connection, families: Families, now: datetime) -> None:
    overdue = select(func.count()).where(
        FOLLOW_UP.c.state == Expectation.EXPECTED, FOLLOW_UP.c.due < now.date()
    )
    families["follow_ups_overdue"].add_metric([], connection.execute(overdue).scalar_one())


def _rules(connection: Connection, families: Families) -> None:
    columns = (EVALUATION.c.ruleset, EVALUATION.c.ruleset_version)
    last = connection.execute(select(*columns).order_by(EVALUATION.c.id.desc()).limit(1)).first()
    if last:
        families["ruleset_info"].add_metric([last.ruleset, last.ruleset_version], 1)
