"""Telling what the outbox holds, by the channels this site has; each attempt is counted.

How a delivery is claimed, made and repeated is `alerts.outbox`; the channels are `alerts.channels`.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from alerts.channels.channel import Channel
from alerts.channels.inbox import InboxChannel
from alerts.due import Reach, run_due
from alerts.outbox import deliver_due
from alerts.people import pool
from worker import metrics
from worker.channels import MAKERS, push_channels
from worker.composition import Deps
from worker.logs import logger
from worker.record_entries import entries_in
from worker.settings import Settings
from worker.tables import PATIENT

log = logger("worker.telling")

BATCH = 50


def inbox_due(deps: Deps) -> int:
    """Show what is due in the inboxes; how many deliveries were attempted."""
    return _deliver(deps, InboxChannel())


def push_due(deps: Deps, name: str) -> int:
    """Send what is due by one channel; how many were attempted. None where it is off."""
    channel = MAKERS[name](deps.settings, entries_in(deps.engine))
    return _deliver(deps, channel) if channel else 0


def timers_due(deps: Deps) -> int:
    """Do what is due to alerts that wait for an answer or for a result; how many timers there were."""
    done = run_due(deps.engine, reach_of(deps.settings), now=deps.clock, failed=_say_why)
    for (kind, outcome), times in done.items():
        metrics.TIMERS.labels(kind, outcome).inc(times)
    return done.total()


def _say_why(error: Exception) -> None:
    log.error("timer not handled; it comes again", error=error)


def reach_of(settings: Settings) -> Reach:
    """By what this site tells people."""
    return Reach(push_channels(settings), pool(settings.fallback_pool), has_died)


def has_died(connection: Connection, patient: int) -> bool:
    """Whether a patient is known to have died."""
    died = select(PATIENT.c.deceased_at).where(PATIENT.c.id == patient)
    return connection.execute(died).scalar_one_or_none() is not None


def _deliver(deps: Deps, channel: Channel) -> int:
    delivered = deliver_due(deps.engine, [channel], limit=BATCH, has_died=has_died)
    for (name, outcome, reason), times in delivered.counts.items():
        metrics.DELIVERIES.labels(name, outcome, reason).inc(times)
    for seconds in delivered.received_to_told_seconds:
        metrics.RECEIVED_TO_TOLD.observe(seconds)
    return delivered.attempts
