"""What the fuzzers call: the whole way from bytes to facts, and the only error bytes may raise."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from worker.intake.decode import decode_parts
from worker.intake.event import MERGE
from worker.intake.normalize import facts_of
from worker.intake.unreadable import Unreadable

RECEIVED = datetime(2026, 3, 1, tzinfo=UTC)


def read_all(raw: bytes) -> None:
    """Read `raw` as FHIR, and make facts of what it says."""
    try:
        decoded = decode_parts("fhir", raw, source="urn:fuzz")
    except Unreadable:
        return
    for event in decoded.events:
        if event.type != MERGE:
            facts_of(event, zone=ZoneInfo("UTC"), received_at=RECEIVED, arrival=1)
