"""CloudEvents over HTTP: how a request carries events, and a binary one written as a structured one.

Bytes and headers in, bytes out: it stores nothing and knows no request. What a JSON event says is
`worker.intake.event`.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from enum import Enum
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import HTTPException

from worker.intake.event import event_schema
from worker.intake.json_text import dumps, loads
from worker.intake.unreadable import Reason, Unreadable

STRUCTURED_TYPE = "application/cloudevents+json"
BATCH_TYPE = "application/cloudevents-batch+json"
ATTRIBUTES = ("specversion", "type", "source", "id", "time", "subject", "dataschema")
UNSAID = ("", "text/plain", "application/x-www-form-urlencoded")
"""What clients say that were told nothing (curl, urllib): taken for JSON."""


class Mode(Enum):
    """How a request carries events."""

    PLAIN = "application/json"
    STRUCTURED = STRUCTURED_TYPE
    BATCH = BATCH_TYPE
    BINARY = "binary"


def mode_of(headers: Mapping[str, str]) -> Mode:
    """The way of one request; raises HTTPException 415 for a format or encoding that is not read."""
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HTTPException(415, "Content-Encoding: send the body as it is, not compressed")
    media, charset = _content_type(headers.get("content-type", ""))
    if charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise HTTPException(415, "Content-Type: expected charset UTF-8")
    if media == STRUCTURED_TYPE:
        return Mode.STRUCTURED
    if media == BATCH_TYPE:
        return Mode.BATCH
    if media.startswith("application/cloudevents") or not _is_json(media):
        raise HTTPException(
            415, f"Content-Type: expected {STRUCTURED_TYPE}, {BATCH_TYPE} or application/json"
        )
    return Mode.BINARY if "ce-specversion" in headers else Mode.PLAIN


def structured(body: bytes, headers: Mapping[str, str]) -> bytes:
    """A binary event as the structured one it stands for, its data as it was written; raises `Unreadable`."""
    loads(body)
    named = {name: _header(headers[f"ce-{name}"]) for name in ATTRIBUTES if f"ce-{name}" in headers}
    attributes = dumps({**named, "datacontenttype": "application/json"})
    return attributes[:-1].encode() + b',"data":' + body.removeprefix(b"\xef\xbb\xbf").strip() + b"}"


def _content_type(text: str) -> tuple[str, str]:
    message = Message()
    message["content-type"] = text or "text/plain"
    charset = message.get_param("charset", "")
    return message.get_content_type() if text.strip() else "", str(charset).lower()


def _is_json(media: str) -> bool:
    return media in UNSAID or media in ("application/json", "text/json") or media.endswith("+json")


def _header(value: str) -> str:
    """The text of an attribute: percent-encoded UTF-8 in a header."""
    try:
        return unquote_to_bytes(value.strip().strip('"')).decode()
    except UnicodeDecodeError:
        raise Unreadable(Reason.CHARSET, "ce- header", "expected percent-encoded UTF-8") from None


def _example() -> dict[str, Any]:
    result = {
        "id": "R1",
        "system": "http://loinc.org",
        "code": "2276-4",
        "value": "9",
        "unit": "ug/L",
        "status": "final",
        "effective_at": "2026-03-01T07:30:00Z",
    }
    return {
        "specversion": "1.0",
        "type": "org.ferrule.report.v1",
        "source": "urn:lab:north",
        "id": "MSG00001",
        "time": "2026-03-01T08:12:00Z",
        "data": {"patient": {"system": "urn:mrn:north", "id": "123"}, "results": [result]},
    }


EXAMPLE = _example()
"""One event, as the published documents show it."""


def _openapi_body() -> dict[str, Any]:
    # The full schema is a file of its own; here is its name and what one looks like.
    one = {
        "type": "object",
        "title": event_schema()["title"],
        "required": ["specversion", "type", "source", "id"],
    }
    many = {"type": "array", "items": one}
    return {
        "required": True,
        "description": "A CloudEvent, by deploy/schemas/event.schema.json. In binary mode (ce-specversion, "
        "ce-type, ce-source and ce-id as headers) the body is the event's data.",
        "content": {
            STRUCTURED_TYPE: {"schema": one, "example": EXAMPLE},
            BATCH_TYPE: {"schema": many, "example": [EXAMPLE]},
            "application/json": {"schema": {"anyOf": [one, many]}, "example": EXAMPLE},
        },
    }


OPENAPI_BODY = _openapi_body()
