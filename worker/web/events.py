"""POST /events: CloudEvents come in, are stored, and the doorbell is rung. Nothing is judged here.

The four ways of CloudEvents over HTTP (`worker.web.cloudevents`): one structured event, a batch, an event in
headers and body, and plain JSON. 400 is for what is not JSON or not a CloudEvent, 415 for another format;
whatever is an event is kept, in quarantine if need be: 202.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Request
from pydantic import BaseModel, Field

from worker.accepting import Inbound, Outcome, Receipt, accept
from worker.intake.event import event_of
from worker.intake.json_text import MAX_BYTES, loads
from worker.intake.unreadable import Unreadable
from worker.web.cloudevents import OPENAPI_BODY, Mode, mode_of, structured
from worker.web.deps import Have
from worker.web.readers import Intake

router = APIRouter(tags=["events"])

ENVELOPE = ("specversion", "id", "source", "type")
_SHAPES = {Mode.STRUCTURED: "one event", Mode.BATCH: "an array of events", Mode.BINARY: "one event"}


class Quarantined(BaseModel):
    """One event that was kept and set aside."""

    index: int = Field(description="Its place in the request, from 0.")
    id: str
    reason: str = Field(examples=["id-reused"])


class Accepted(BaseModel):
    """What became of the events of one request. Everything counted here is stored."""

    model_config = {"json_schema_extra": {"examples": [{"accepted": 1, "duplicates": 0, "quarantined": []}]}}

    accepted: int = Field(description="New, and judged within seconds.")
    duplicates: int = Field(description="Stored before, by whatever door.")
    quarantined: list[Quarantined]


async def body_of(request: Request) -> bytes:
    """The body, refused while it comes in when it is larger than anything we read."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise HTTPException(413, f"send at most {MAX_BYTES} bytes in one request")
    return bytes(body)


@router.post("/events", status_code=202, openapi_extra={"requestBody": OPENAPI_BODY})
def receive(
    request: Request,
    _: Intake,
    have: Have,
    body: Annotated[bytes, Depends(body_of)],
    afterwards: BackgroundTasks,
) -> Accepted:
    """Store one event or several; the answer comes after the commit, the bell after the answer."""
    inbound = inbound_of(body, mode_of(request.headers), request.headers)
    receipts = accept(have.engine, inbound)
    if stored := [receipt.message for receipt in receipts if receipt.judge]:
        afterwards.add_task(have.publish, stored)
    return Accepted(
        accepted=_count(receipts, Outcome.STORED),
        duplicates=_count(receipts, Outcome.DUPLICATE),
        quarantined=[
            Quarantined(index=index, id=message.message_id, reason=receipt.reason or "")
            for index, (message, receipt) in enumerate(zip(inbound, receipts, strict=True))
            if receipt.outcome is Outcome.QUARANTINED
        ],
    )


def inbound_of(
    body: bytes, mode: Mode = Mode.PLAIN, headers: Mapping[str, str] = MappingProxyType({})
) -> list[Inbound]:
    """Each event of the body with its own bytes; raises HTTPException 400."""
    try:
        if mode is Mode.BINARY:
            body = structured(body, headers)
        value = loads(body)
    except Unreadable as error:
        raise HTTPException(400, str(error)) from None
    if isinstance(value, list) is not (mode is Mode.BATCH) and mode is not Mode.PLAIN:
        raise HTTPException(400, f"{mode.value}: expected {_SHAPES[mode]}, as its content type says")
    if not isinstance(value, list):
        return [_inbound(value, body, "event")]
    texts = _item_texts(body.decode("utf-8-sig"))
    return [
        _inbound(item, text.encode(), f"[{at}]")
        for at, (item, text) in enumerate(zip(value, texts, strict=True))
    ]


def _inbound(value: object, raw: bytes, place: str) -> Inbound:
    if not isinstance(value, dict) or not all(_is_text(value.get(name)) for name in ENVELOPE):
        raise HTTPException(400, f"{place}: not a CloudEvent: expected an object with {', '.join(ENVELOPE)}")
    if value["specversion"] != "1.0":
        raise HTTPException(400, f"{place}: specversion: expected 1.0")
    source, message_id = value["source"].strip(), value["id"].strip()
    try:
        event_of(value)
    except Unreadable as error:
        return Inbound(source, message_id, "event", raw, (error.reason, error.place, error.remedy))
    return Inbound(source, message_id, "event", raw)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _item_texts(text: str) -> list[str]:
    """The text of each item of a JSON array that is known to be well formed, just as it was sent."""
    decoder, at = json.JSONDecoder(), text.index("[") + 1
    items: list[str] = []
    while True:
        while text[at] in " \t\r\n,":
            at += 1
        if text[at] == "]":
            return items
        _, end = decoder.raw_decode(text, at)
        items.append(text[at:end])
        at = end


def _count(receipts: Sequence[Receipt], outcome: Outcome) -> int:
    return sum(receipt.outcome is outcome for receipt in receipts)
