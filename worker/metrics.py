"""The metrics of the running program: their names, and what is counted (`worker.exposition` prints them).

Right whatever the pool: workers count into one directory that is private to the service
(PROMETHEUS_MULTIPROC_DIR, set and wiped by whoever starts the processes, before this module is imported);
what the database knows is not counted here (`worker.gauges`). No label can hold a person: sources are
configured names or `other`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call]

OTHER = "other"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
JUDGE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

REGISTRY = CollectorRegistry()
"""What this process counts. In multiprocess mode its values live in the shared directory."""


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"ferrule_{name}", text, labels, registry=REGISTRY)


MESSAGES_RECEIVED = _counter(
    "messages_received_total", "Messages received, duplicates too.", "source", "format"
)
MESSAGES_DUPLICATE = _counter(
    "messages_duplicate_total", "Messages that came again, byte for byte.", "source", "format"
)
MESSAGES_REFUSED = _counter("messages_refused_total", "HL7 messages answered AR or CR.", "source", "reason")
MESSAGES_FLAGGED = _counter(
    "messages_flagged_total", "Messages taken although their id was missing or used before.", "source", "flag"
)
MESSAGES_QUARANTINED = _counter("messages_quarantined_total", "Messages set aside.", "source", "reason")
RESULTS = _counter("results_total", "Result versions kept, by analyte and use.", "analyte", "outcome")
EVALUATIONS = _counter("evaluations_total", "Rules asked, by answer.", "rule", "truth")
FINDINGS = _counter("findings_total", "Patterns found true and told or silent.", "rule", "severity")
ALERTS_RAISED = _counter("alerts_raised_total", "Alerts raised.", "rule", "severity")
ALERTS_WITHDRAWN = _counter("alerts_withdrawn_total", "Alerts withdrawn.", "rule", "reason")
ALERTS_ANSWERED = _counter("alerts_answered_total", "Answers of clinicians.", "rule", "answer")
DECISIONS = _counter("decisions_total", "Decisions to tell or not to tell.", "decision", "reason")
DELIVERIES = _counter("deliveries_total", "Attempts to tell someone.", "channel", "outcome", "reason")
TIMERS = _counter("timers_total", "Timers that were due, by what became of them.", "kind", "outcome")
NOTICED = _counter("noticed_total", "Oddities of messages that intake could live with.", "mark")
FENCED = _counter("fenced_total", "Judgings refused because the facts or the lease had moved on.", "fence")
DOORBELL = _counter("doorbell_total", "Publications to the broker.", "outcome")
SECURITY_EVENTS = _counter("security_events_total", "What operations must hear of, by kind.", "kind")
MLLP_FRAMES = _counter("mllp_frames_total", "What came over MLLP, frames and what was none.", "outcome")
MLLP_ANSWERS = _counter("mllp_answers_total", "HL7 answers sent; none: no answer was asked for.", "code")
MLLP_CONNECTIONS = _counter("mllp_connections_total", "HL7 connections, let in or not.", "outcome")
MLLP_OPEN = Gauge(
    "ferrule_mllp_connections_open",
    "HL7 connections open now.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
MLLP_KEPT = Gauge(
    "ferrule_mllp_kept_bytes",
    "What HL7 connections keep of messages that are unfinished or unanswered.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
MLLP_CERTIFICATE = Gauge(
    "ferrule_mllp_certificate_expires_timestamp_seconds",
    "When the certificate of the HL7 listener ends; 0 without one.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
MLLP_ANSWER = Histogram(
    "ferrule_mllp_answer_seconds", "From a whole HL7 message to its answer, commit included.",
    buckets=SECONDS, registry=REGISTRY,
)  # fmt: skip
SILENT_AFTER = Gauge(
    "ferrule_source_silent_after_seconds",
    "How long a source may send nothing, where the sources file says so.",
    ("source",),
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
CLOCK_SKEW = Gauge(
    "ferrule_source_clock_skew_seconds",
    "MSH-7 of a source's last HL7 message minus its receipt; negative: sent late, or its clock is slow.",
    ("source",),
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
CANARY = Gauge(
    "ferrule_canary_last_success_timestamp_seconds",
    "When a task last went through the broker and a worker.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
SOURCES_REFUSED = Gauge(
    "ferrule_sources_file_refused",
    "1 while the sources file on disk is wrong and an older one is in force.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
AUDIT_HEAD_WANTED = Gauge(
    "ferrule_audit_head_wanted",
    "1 where the head of the audit chain is to be kept elsewhere.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
AUDIT_HEAD_KEPT = Gauge(
    "ferrule_audit_head_last_kept_timestamp_seconds",
    "When the head of the audit chain was last kept elsewhere.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
AUDIT_BROKEN = Gauge(
    "ferrule_audit_broken",
    "1 while a head that was kept elsewhere is no link of the audit chain any more.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
RECEIVED_TO_TOLD = Histogram(
    "ferrule_received_to_told_seconds", "From a message's receipt to its alert's delivery.",
    buckets=SECONDS, registry=REGISTRY,
)  # fmt: skip
EVALUATE = Histogram(
    "ferrule_evaluate_seconds",
    "Judging one patient with all rules.",
    buckets=JUDGE_SECONDS,
    registry=REGISTRY,
)

_labels: list[Callable[[str], str]] = []


def name_sources(label: Callable[[str], str]) -> None:
    """Take what gives each source its configured name; without it every source is counted as `other`."""
    _labels[:] = [label]


def source_name(source: str) -> str:
    """The label for a source: never what a message says of itself."""
    return _labels[0](source) if _labels else OTHER


def sources_refused(refused: bool) -> None:
    """Whether the sources file, changed while running, could not be taken."""
    SOURCES_REFUSED.set(int(refused))


def count_received(source: str, format_: str) -> None:
    """One message arrived."""
    MESSAGES_RECEIVED.labels(source_name(source), format_).inc()


def count_duplicate(source: str, format_: str) -> None:
    """One message came again."""
    MESSAGES_DUPLICATE.labels(source_name(source), format_).inc()


def count_refused(source: str, reason: str) -> None:
    """One message was kept and not taken."""
    MESSAGES_REFUSED.labels(source_name(source), reason).inc()


def count_flagged(source: str, flag: str) -> None:
    """One message was taken although its id was missing or used before."""
    MESSAGES_FLAGGED.labels(source_name(source), flag).inc()


def note_clock_skew(source: str, seconds: float) -> None:
    """How far the time in a message lay from now."""
    CLOCK_SKEW.labels(source_name(source)).set(seconds)


def count_quarantined(source: str, reason: str) -> None:
    """One message was set aside."""
    MESSAGES_QUARANTINED.labels(source_name(source), reason).inc()


class EveryFamily(Collector):
    """The counted metrics, summed over processes, with HELP and TYPE of those nobody has counted yet."""

    def collect(self) -> Iterable[Metric]:
        """Every declared family once."""
        found = {metric.name: metric for metric in self._counted()}
        for declared in REGISTRY.collect():
            yield found.get(declared.name) or _empty(declared)

    def _counted(self) -> Iterable[Metric]:
        directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if not directory:
            return REGISTRY.collect()
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]
        return registry.collect()


def _empty(declared: Metric) -> Metric:
    return Metric(declared.name, declared.documentation, declared.type)
