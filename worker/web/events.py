"""POST /events: CloudEvents come in, are stored, and the doorbell is rung. Nothing is judged here.

400 is for what is not JSON or not a CloudEvent; whatever is one is kept, in quarantine if need be: 202.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Request

from worker.accepting import Inbound, Outcome, Receipt, accept
from worker.intake.event import event_of
from worker.intake.json_text import MAX_BYTES, loads
from worker.intake.unreadable import Unreadable
from worker.web.deps import Have
from worker.web.readers import Intake

router = APIRouter(tags=["events"])

ENVELOPE = ("specversion", "id", "source", "type")


async def body_of(request: Request) -> bytes:
    """The body, refused while it comes in when it is larger than anything we read."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise HTTPException(413, f"send at most {MAX_BYTES} bytes in one request")
    return bytes(body)


@router.post("/events", status_code=202)
def receive(
    _: Intake, have: Have, body: Annotated[bytes, Depends(body_of)], afterwards: BackgroundTasks
) -> dict[str, Any]:
    """Store one event or an array of them; the answer comes after the commit, the bell after the answer."""
    inbound = inbound_of(body)
    receipts = accept(have.engine, inbound)
    if stored := [receipt.message for receipt in receipts if receipt.judge]:
        afterwards.add_task(have.publish, stored)
    return {
        "accepted": _count(receipts, Outcome.STORED),
        "duplicates": _count(receipts, Outcome.DUPLICATE),
        "quarantined": [
            {"index": index, "id": message.message_id, "reason": receipt.reason}
            for index, (message, receipt) in enumerate(zip(inbound, receipts, strict=True))
            if receipt.outcome is Outcome.QUARANTINED
        ],
    }


def inbound_of(body: bytes) -> list[Inbound]:
    """Each event of the body with its own bytes; raises HTTPException 400."""
    try:
        value = loads(body)
    except Unreadable as error:
        raise HTTPException(400, str(error)) from None
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
