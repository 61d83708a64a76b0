"""The doors by which the demo's messages come in: queue, HTTP, and storing first as `ferrule submit` does.

A message and its repeats always take the same door. What becomes of it behind the door is not known here.
"""

from __future__ import annotations

import json
import urllib.request
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from celery import Celery
from sqlalchemy import Engine

from worker.accepting import accept
from worker.demo.day import as_text
from worker.demo.reports import Event
from worker.doorbell import Doorbell
from worker.submitted import inbound_of

QUEUE_TASK, QUEUE = "ferrule.submit", "ferrule.intake"
_PATIENCE_SECONDS = 30


class Door(StrEnum):
    """A way in."""

    QUEUE = "queue"
    HTTP = "http"
    STORE = "store"


_SHARES = (Door.QUEUE,) * 6 + (Door.HTTP,) * 3 + (Door.STORE,)


def door_of(event: Event) -> Door:
    """The door of an event: most take the queue, the rest HTTP or `ferrule submit`'s way."""
    return _SHARES[zlib.crc32(f"{event['source']}|{event['id']}".encode()) % len(_SHARES)]


@dataclass
class Doors:
    """What is needed to knock: the broker as any producer sees it, the web address, a token, the database.

    `stored_here` counts what this process stored itself: the program's own metrics do not know of it.
    """

    broker_url: str
    http: str
    token: str
    engine: Engine
    stored_here: int = 0
    _producer: Celery = field(init=False)

    def __post_init__(self) -> None:
        self._producer = Celery("demo-laboratory", broker=self.broker_url, set_as_current=False)
        self._doorbell = Doorbell(self.broker_url)

    def send(self, events: Sequence[Event]) -> None:
        """Send some events, each by its door."""
        by_door: dict[Door, list[Event]] = {door: [] for door in Door}
        for event in events:
            by_door[door_of(event)].append(event)
        for event in by_door[Door.QUEUE]:
            self._queue(event)
        if by_door[Door.HTTP]:
            self._post(by_door[Door.HTTP])
        self._store(by_door[Door.STORE])

    def send_unreadable(self, texts: Sequence[str]) -> None:
        """Put on the queue what no reader can use: as the object it is, or as bare text where it is none."""
        for text in texts:
            try:
                self._queue(json.loads(text))
            except ValueError:
                self._queue(text)

    def _queue(self, event: Event | str) -> None:
        self._producer.send_task(QUEUE_TASK, args=[event], queue=QUEUE, serializer="json", ignore_result=True)

    def _post(self, events: Sequence[Event]) -> None:
        body = f"[{','.join(map(as_text, events))}]".encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"{self.http}/events", body, headers)  # noqa: S310  # our own address
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS) as answer:  # noqa: S310
            answer.read()

    def _store(self, events: Sequence[Event]) -> None:
        """Store first, then ring: what `ferrule submit` does with a file."""
        receipts = accept(self.engine, [inbound_of(event) for event in events])
        self.stored_here += len(receipts)
        self._doorbell.ring([receipt.message for receipt in receipts if receipt.judge])
