"""The Redis stream `ferrule:events` as a door: entries are stored in batches, then acknowledged and deleted.

An entry lives in the broker until it is committed; one that a dead reader left is claimed by another. What
cannot be read goes to quarantine with its bytes. Nothing is judged here; only Redis and Valkey have streams.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from worker.accepting import Receipt, accept
from worker.clock import monotonic_seconds
from worker.composition import Publish
from worker.database import is_passing
from worker.logs import logger
from worker.submitted import inbound_of_bytes, inbound_of_fields

log = logger("worker.event_stream")

STREAM = "ferrule:events"
GROUP = "ferrule"
FIELD = b"event"

BATCH = 200
BLOCK_MS = 2000
SOCKET_SECONDS = 5.0
"""Longer than a read may block, so that only a server that hangs is given up."""
ABANDONED_MS = 15_000
"""An entry its reader has not acknowledged for so long is another's. A slow reader only makes duplicates."""
CLAIM_EVERY_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 5.0

Entry = tuple[bytes, Mapping[bytes, bytes]]


def has_streams(broker_url: str | None) -> bool:
    """Whether the broker is a Redis or Valkey."""
    return broker_url is not None and _redis_url(broker_url) is not None


def client_of(broker_url: str | None) -> redis.Redis | None:
    """A client of the broker, if it is one that has streams; connects when it is first used."""
    url = _redis_url(broker_url) if broker_url else None
    if url is None:
        return None
    keep_alive = {} if url.startswith("unix") else {"socket_keepalive": True}
    return redis.Redis.from_url(
        url,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
        health_check_interval=10,
        **keep_alive,
    )


def _redis_url(broker_url: str) -> str | None:
    """Celery's way of naming a Redis, as redis-py's; None for another broker."""
    scheme, _, rest = broker_url.partition("://")
    if scheme in ("redis", "rediss", "unix"):
        return broker_url
    if scheme in ("valkey", "valkeys"):
        return f"redis{scheme.removeprefix('valkey')}://{rest}"
    if scheme in ("redis+socket", "socket"):
        parts = urlsplit(broker_url)
        database = parse_qs(parts.query).get("virtual_host", ["0"])[0].strip("/") or "0"
        user = f":{parts.password}@" if parts.password else ""
        return f"unix://{user}{parts.path}?db={database}"
    return None


class StreamDoor:
    """One reader of the stream. Any number of them share the work."""

    def __init__(self, client: redis.Redis, engine: Engine, publish: Publish) -> None:
        self._client = client
        self._engine = engine
        self._publish = publish
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._waiting: list[Entry] = []
        self._claim_at = 0.0

    def turn(self) -> int:
        """Take one batch; how many entries were stored. Raises RedisError or SQLAlchemyError: try again."""
        if not self._waiting:
            self._waiting = self._abandoned() or self._new()
        entries, receipts = self._stored(self._waiting)
        self._waiting = []
        if entries:
            # Acknowledged after the commit; deleted, so that a drained broker holds no patient.
            ids = [entry for entry, _ in entries]
            with self._client.pipeline(transaction=True) as both:
                both.xack(STREAM, GROUP, *ids)
                both.xdel(STREAM, *ids)
                both.execute()
            self._publish([receipt.message for receipt in receipts if receipt.judge])
        return len(entries)

    def leave(self) -> None:
        """Give the name back, unless entries stand under it: they would go with it, and nobody claim them."""
        try:
            readers: Any = self._client.xinfo_consumers(STREAM, GROUP)
            if any(one["name"].decode() == self._name and not one["pending"] for one in readers):
                self._client.xgroup_delconsumer(STREAM, GROUP, self._name)
        except redis.RedisError:
            pass
        self._client.close()

    def _new(self) -> list[Entry]:
        try:
            answer: Any = self._client.xreadgroup(
                GROUP, self._name, {STREAM: ">"}, count=BATCH, block=BLOCK_MS
            )
        except redis.ResponseError as error:
            self._make_group(error)
            return []
        return _entries(answer)

    def _abandoned(self) -> list[Entry]:
        """What a reader that died has left, looked for now and then."""
        if monotonic_seconds() < self._claim_at:
            return []
        self._claim_at = monotonic_seconds() + CLAIM_EVERY_SECONDS
        try:
            answer: Any = self._client.xautoclaim(STREAM, GROUP, self._name, ABANDONED_MS, "0-0", count=BATCH)
        except redis.ResponseError as error:
            self._make_group(error)
            return []
        found = [(entry, fields) for entry, fields in answer[1] if entry and fields is not None]
        if len(found) == BATCH:
            self._claim_at = 0.0
        return found

    def _make_group(self, error: redis.ResponseError) -> None:
        """The first reader makes the group; a broker that was emptied gets it anew. Else raises `error`."""
        if not any(word in str(error) for word in ("NOGROUP", "no such key")):
            raise error
        try:
            self._client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except redis.ResponseError as made:
            if "BUSYGROUP" not in str(made):
                raise

    def _stored(self, entries: Sequence[Entry]) -> tuple[list[Entry], list[Receipt]]:
        """The entries that are committed. Where the database refuses a batch for good, each goes alone."""
        inbound = [_inbound(fields) for _, fields in entries]
        try:
            return list(entries), accept(self._engine, inbound)
        except SQLAlchemyError as error:
            if is_passing(error):
                raise
            if len(entries) == 1:
                log.error(
                    "stream entry not stored", entry=entries[0][0].decode("ascii", "replace"), error=error
                )
                return [], []
        alone = [self._stored([entry]) for entry in entries]
        return [e for kept, _ in alone for e in kept], [r for _, receipts in alone for r in receipts]


def run(door: StreamDoor, stop: threading.Event) -> None:
    """Read until `stop` is set, whatever broker and database do meanwhile."""
    pause = 0.0
    while not stop.wait(pause):
        try:
            door.turn()
            pause = 0.0
        except (redis.RedisError, OSError, SQLAlchemyError) as error:
            if not pause:
                log.warning("stream not read", error=error)
            pause = min(max(0.5, pause * 2), LONGEST_PAUSE_SECONDS)
    door.leave()


def _entries(answer: Any) -> list[Entry]:
    """The entries of the one stream that was read: a list of pairs, or in RESP3 a mapping."""
    if not answer:
        return []
    streams = list(answer.values()) if isinstance(answer, dict) else [entries for _, entries in answer]
    first = streams[0]
    flat = first[0] if first and isinstance(first[0], list) else first
    return [(entry, fields) for entry, fields in flat if fields is not None]


def _inbound(fields: Mapping[bytes, bytes]) -> Any:
    raw = fields.get(FIELD)
    return inbound_of_fields(fields) if raw is None else inbound_of_bytes(raw)
