"""The gauges that are read from the database each time the metrics page is asked for; nothing is counted
here.

A database that does not answer gives families without samples and `ferrule_database_up` 0: the page still
comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from worker.database import db_now, reading
from worker.tables import MESSAGE, SOURCE_SEEN

Families = dict[str, GaugeMetricFamily]

LABELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "alerts_open": ("Open alerts.", ("rule", "severity", "state")),
    "alert_unanswered_oldest_seconds": ("Age of the oldest alert nobody has answered.", ("severity",)),
    "outbox_pending": ("Deliveries not yet made.", ()),
    "outbox_oldest_seconds": ("Age of the oldest delivery not yet made.", ()),
    "inbound_unfinished": ("Messages stored and not yet judged.", ()),
    "inbound_oldest_seconds": ("Age of the oldest message not yet judged.", ()),
    "source_last_message_timestamp_seconds": ("When a source last sent.", ("source",)),
    "follow_ups_overdue": ("Expected results that have not come in time.", ()),
    "unaddressed_alerts": ("Open alerts that reach nobody.", ()),
    "ruleset_info": ("The rules that judged last.", ("fingerprint", "version")),
    "build_info": ("The running version.", ("version",)),
    "database_up": ("Whether the database answered this scrape.", ()),
}


class DatabaseGauges(Collector):
    """One look at the database, one sample for each thing in it."""

    def __init__(self, engine: Engine, source_name: Callable[[str], str]) -> None:
        self._engine = engine
        self._source_name = source_name

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
