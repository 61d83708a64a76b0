"""The gauges about what could not be understood: the quarantine's work-list, unmapped codes, strange units.

Read from the database when the metrics page is asked for; the unit watch looks at thousands of rows and is
asked again only after `WATCH_SECONDS`.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import Connection

from worker.code_gaps import unmapped
from worker.fhir_subscriptions import missing_by_source
from worker.quarantine import heaps
from worker.sources import InForce, Sources
from worker.unit_watch import Suspicion, suspicions

WATCH_SECONDS = 300.0

LABELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "quarantine_waiting": ("What waits in quarantine.", ("source", "reason")),
    "quarantine_oldest_seconds": ("Age of the oldest that waits in quarantine.", ("source", "reason")),
    "quarantine_may_be_critical": (
        "What waits in quarantine and may hold a critical value, by flag or by the rules.",
        ("source",),
    ),
    "unmapped_codes": (
        "Codes and units that arrived and nothing maps; ours: their names are analytes of ours.",
        ("source", "ours"),
    ),
    "fhir_gaps_open": ("Events of FHIR subscriptions that were not sent and not fetched.", ("source",)),
    "fhir_gaps_oldest_seconds": ("Age of the oldest missing event of a FHIR subscription.", ("source",)),
    "unit_suspect": (
        "1 where a source's newest values look like those of another unit; none is excluded.",
        ("source", "analyte", "unit", "other"),
    ),
}


class IntakeGauges:
    """Fills the families of `LABELS`."""

    def __init__(self, sources: InForce) -> None:
        self._sources = sources
        self._watched_at: float | None = None
        self._suspicions: list[Suspicion] = []

    def fill(self, connection: Connection, families: dict[str, GaugeMetricFamily], now: datetime) -> None:
        """One sample for each heap, source and suspicion."""
        sources = self._sources()
        waiting: dict[tuple[str, str], tuple[int, float]] = defaultdict(lambda: (0, 0.0))
        critical: Counter[str] = Counter()
        for heap in heaps(connection):
            critical[sources.label(heap["source"])] += heap["critical"]
            key = sources.label(heap["source"]), heap["reason"]
            age = max(0.0, (now - heap["oldest"]).total_seconds())
            waiting[key] = waiting[key][0] + heap["count"], max(waiting[key][1], age)
        for (source, reason), (count, age) in sorted(waiting.items()):
            families["quarantine_waiting"].add_metric([source, reason], count)
            families["quarantine_oldest_seconds"].add_metric([source, reason], age)
        for source, count in sorted(critical.items()):
            families["quarantine_may_be_critical"].add_metric([source], count)
        for (source, ours), count in sorted(unmapped(connection, sources).items()):
            families["unmapped_codes"].add_metric([source, "yes" if ours else "no"], count)
        _gaps(connection, families, sources, now)
        for one in self._watch(connection):
            labels = [sources.label(one.source), one.analyte, one.unit, one.other]
            families["unit_suspect"].add_metric(labels, 1)

    def _watch(self, connection: Connection) -> list[Suspicion]:
        asked = time.monotonic()
        if self._watched_at is None or asked - self._watched_at > WATCH_SECONDS:
            self._suspicions, self._watched_at = _once(suspicions(connection), self._sources), asked
        return self._suspicions


def _gaps(
    connection: Connection, families: dict[str, GaugeMetricFamily], sources: Sources, now: datetime
) -> None:
    missing: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for source, (count, since) in missing_by_source(connection).items():
        label, age = sources.label(source), max(0.0, (now - since).total_seconds())
        missing[label] = missing[label][0] + count, max(missing[label][1], age)
    for label, (count, age) in sorted(missing.items()):
        families["fhir_gaps_open"].add_metric([label], count)
        families["fhir_gaps_oldest_seconds"].add_metric([label], age)


def _once(found: list[Suspicion], sources: InForce) -> list[Suspicion]:
    """One for each set of labels: several unnamed sources are all `other`."""
    label = sources().label
    return list({(label(s.source), s.analyte, s.unit, s.other): s for s in found}.values())
