"""A whole event from the queue, as a message to store. What is no event is kept too, set aside with its
reason.

The bytes are the broker's no longer: the event is written out again as JSON, numbers as the broker gave them.
"""

from __future__ import annotations

import hashlib
import json

from worker.accepting import Inbound
from worker.intake.event import event_of
from worker.intake.unreadable import Unreadable

QUEUE = "urn:ferrule:queue"
"""The source of what came on the queue and does not say from whom."""


def inbound_of(value: object) -> Inbound:
    """`value` as it came in a `ferrule.submit` task."""
    raw = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    try:
        event = event_of(value)
    except Unreadable as why:
        source, message_id = _names(value, raw)
        return Inbound(source, message_id, "event", raw, (str(why.reason), why.place, why.remedy))
    return Inbound(event.source, event.id, "event", raw)


def _names(value: object, raw: bytes) -> tuple[str, str]:
    said = value if isinstance(value, dict) else {}
    source, message_id = said.get("source"), said.get("id")
    return (
        source if isinstance(source, str) and source.strip() else QUEUE,
        message_id if isinstance(message_id, str) and message_id.strip() else hashlib.sha256(raw).hexdigest(),
    )
