"""Whether two texts of an event are one event: the same content, however its JSON is written.

A sender that puts an event on the queue and over HTTP writes it with other blanks, another order of keys or
`9.10` for `9.1`. Numbers are compared exactly. The bytes stay what is stored; this only compares them.
"""

from __future__ import annotations

from worker.intake.json_text import canonical, loads
from worker.intake.unreadable import Unreadable

JSON_TYPES = ("application/json", "application/json; charset=utf-8")


def is_same_event(one: bytes, other: bytes) -> bool:
    """Whether both say the same. What cannot be read is the same only byte for byte."""
    if one == other:
        return True
    try:
        return _content(one) == _content(other)
    except (Unreadable, RecursionError):
        return False


def _content(raw: bytes) -> str:
    event = loads(raw)
    if isinstance(event, dict) and str(event.get("datacontenttype", "")).lower() in JSON_TYPES:
        # What is left out of a structured event stands in the header of a binary one.
        event = {name: value for name, value in event.items() if name != "datacontenttype"}
    return canonical(event)
