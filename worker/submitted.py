"""A whole event from the queue (a task or a stream entry) as a message to store. What is no event is kept
too, set aside with its reason.

A stream entry's bytes are stored as they came. A task's are the broker's no longer: its event is written out
again as JSON, numbers as they stood in the task (`worker.celery_app` reads them so).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal

from worker.accepting import Inbound
from worker.intake.event import event_of
from worker.intake.json_text import dumps, loads
from worker.intake.unreadable import Reason, Unreadable

QUEUE = "urn:ferrule:queue"
"""The source of what came on the queue and does not say from whom."""


def inbound_of_task(given: Sequence[object], named: Mapping[str, object]) -> Inbound:
    """The one argument of a `ferrule.submit` task; called in another way, all that it was called with."""
    if len(given) == 1 and not named:
        return inbound_of(given[0])
    if not given and named.keys() == {"event"}:
        return inbound_of(named["event"])
    return inbound_of({"args": list(given), "kwargs": dict(named)})


def inbound_of(value: object) -> Inbound:
    """`value` as it came in a `ferrule.submit` task."""
    try:
        value = plain(value)
        raw = dumps(value).encode("utf-8", "replace")
    except (RecursionError, TypeError):
        return _unwalked(value)
    try:
        event = event_of(value)
    except Unreadable as why:
        source, message_id = _names(value, raw)
        return Inbound(source, message_id, "event", raw, (str(why.reason), why.place, why.remedy))
    return Inbound(event.source, event.id, "event", raw)


def _unwalked(value: object) -> Inbound:
    """What only the JSON encoder written in C can still walk: kept as it writes it, and read by nobody."""
    raw = json.dumps(value, default=str).encode("ascii")
    remedy = "nested too deeply; an event is four levels deep"
    return Inbound(QUEUE, hashlib.sha256(raw).hexdigest(), "event", raw, (str(Reason.NOT_JSON), "", remedy))


def inbound_of_bytes(raw: bytes) -> Inbound:
    """The event in the field `event` of a stream entry."""
    value: object = None
    try:
        value = loads(raw)
        event = event_of(value)
    except Unreadable as why:
        source, message_id = _names(value, raw)
        return Inbound(source, message_id, "event", raw, (str(why.reason), why.place, why.remedy))
    return Inbound(event.source, event.id, "event", raw)


def inbound_of_fields(fields: Mapping[bytes, bytes]) -> Inbound:
    """A stream entry without the field: kept as JSON of what it has."""
    raw = dumps({_text(name): _text(value) for name, value in fields.items()}).encode("utf-8", "replace")
    remedy = "put the event's JSON into the entry's field `event`"
    reason = (str(Reason.NOT_AN_EVENT), "event", remedy)
    return Inbound(QUEUE, hashlib.sha256(raw).hexdigest(), "event", raw, reason)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def plain(value: object) -> object:
    """The same without what only Celery's own JSON has (dates, UUIDs, bytes): each as its text."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int | float | Decimal):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _names(value: object, raw: bytes) -> tuple[str, str]:
    said = value if isinstance(value, dict) else {}
    source, message_id = said.get("source"), said.get("id")
    return (
        source if isinstance(source, str) and source.strip() else QUEUE,
        message_id if isinstance(message_id, str) and message_id.strip() else hashlib.sha256(raw).hexdigest(),
    )
