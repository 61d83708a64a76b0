"""Stored bytes back into events, whatever format they came in.

The formats are those a message row may carry: "event" (CloudEvents JSON) and "hl7" (HL7 v2, one message)
and "fhir" (FHIR R4, a Bundle or one resource).
Splitting a file into messages is `worker.intake.files`; storing and judging are the pipeline's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from worker.intake.event import Event, parse_event
from worker.intake.fhir import UNNAMED, decode_fhir, fallback_of, refuse_unreadable
from worker.intake.fhir_scope import Known, nothing_known
from worker.intake.hl7v2 import decode_hl7, read_header
from worker.intake.unreadable import Reason, Unreadable

FORMATS = ("event", "hl7", "fhir")


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one message gave: its events, and its parts that could not be read beside them."""

    events: tuple[Event, ...]
    refused: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a message is stored under; `flag` says when its sender gave no id and one was made."""

    source: str
    message_id: str
    flag: str | None = None


def decode(format: str, raw: bytes) -> list[Event]:
    """The events in one message; raises `Unreadable` when it holds none that can be read.

    A part that cannot be read beside others that can is in `decode_parts` alone.
    """
    decoded = decode_parts(format, raw)
    if decoded.refused and not decoded.events:
        raise decoded.refused[0]
    return list(decoded.events)


def decode_parts(format: str, raw: bytes, *, source: str = UNNAMED, known: Known = nothing_known) -> Decoded:
    """The events in one message and the refused parts beside them; raises `Unreadable` for the whole.

    FHIR does not say who sends: `source` does, and `known` what that sender's references lead to.
    """
    if format == "event":
        return Decoded((parse_event(raw),))
    if format == "hl7":
        events, refused = decode_hl7(raw)
        return Decoded(tuple(events), tuple(refused))
    if format == "fhir":
        events, refused = decode_fhir(raw, source, known)
        return Decoded(tuple(events), tuple(refused))
    raise Unreadable(
        Reason.FORMAT_LATER, "", f"format {format!r} is not read; use one of {', '.join(FORMATS)}"
    )


def envelope_of(format: str, raw: bytes) -> Envelope:
    """Source and id to store `raw` under; raises `Unreadable` when its envelope or header cannot be read."""
    if format == "event":
        event = parse_event(raw)
        return Envelope(event.source, event.id)
    if format == "fhir":
        refuse_unreadable(raw)
        return Envelope(UNNAMED, fallback_of(raw))
    header = read_header(raw)
    if header.control_id:
        return Envelope(header.source, header.control_id)
    return Envelope(header.source, hashlib.sha256(raw).hexdigest(), "control-id-missing")
