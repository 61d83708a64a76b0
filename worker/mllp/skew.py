"""How far a sender's clock is off: MSH-7 against the moment of receipt, for each configured feed."""

from __future__ import annotations

from datetime import datetime

from worker import metrics
from worker.intake.hl7_times import iso_time
from worker.intake.times import read_instant
from worker.mllp.policy import Policy
from worker.mllp.received import Received


def note_skew(frame: Received, now: datetime, policy: Policy) -> None:
    """Measure each message of the frame. A time without an offset or a configured zone says nothing."""
    for part in frame.parts:
        if part.header is None:
            continue
        zone = policy.sources().dialect(part.header.source).zone or policy.zone
        sent = read_instant(iso_time(part.header.sent_at), zone).at
        if sent is not None:
            metrics.note_clock_skew(part.header.source, (sent - now).total_seconds())
