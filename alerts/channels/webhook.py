"""A signed webhook (Standard Webhooks): headlines and links of one delivery, nothing of the patient.

The delivery's key is the `webhook-id`, the same on each repeat, so that a receiver takes it once. Sends once;
`alerts.outbox` retries. Where it may be sent to, `alerts.channels.guarded_http` decides.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from alerts.channels.channel import Message, Passing, Refused
from alerts.channels.guarded_http import GUARDED, GuardedHttp, NotSent, Reply, Target
from alerts.wording import link, one_line

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
FOR_GOOD = frozenset({400, 406, 409, 411, 413, 414, 415, 417, 422, 431, 451})
"""What a receiver says of this one message. All else is about the way to it, and may be mended."""

Clock = Callable[[], datetime]


class WrongSecret(ValueError):
    """Raised when a signing secret cannot be read. It is never shown."""


def keys_of(secrets: str) -> tuple[bytes, ...]:
    """The keys of `whsec_… whsec_…`: one, or two while one takes over from the other."""
    keys = tuple(_key(text) for text in secrets.split())
    if not 1 <= len(keys) <= 2:
        raise WrongSecret("expected one secret, or two while they are exchanged")
    return keys


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise WrongSecret("expected whsec_ and base64") from None
    if len(key) not in KEY_BYTES:
        raise WrongSecret("expected 24 to 64 bytes in base64")
    return key


def signature(keys: Sequence[bytes], key: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature`: one for each key, by spaces."""
    signed = f"{key}.{timestamp}.".encode() + body
    digests = (hmac.new(one, signed, hashlib.sha256).digest() for one in keys)
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)


@dataclass(frozen=True, slots=True)
class WebhookChannel:
    """Tells one receiver of the site, which finds the person by the identifier in `to`."""

    target: Target
    keys: tuple[bytes, ...] = field(repr=False)
    page_url: str
    clock: Clock
    http: GuardedHttp = GUARDED
    name: str = "webhook"
    instant: bool = False

    def send(self, message: Message) -> None:
        """One attempt. Raises Refused (this message, for good) or Passing (all else)."""
        body = payload(message, self.page_url)
        now = self.clock()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "ferrule",
            "webhook-id": message.key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature(self.keys, message.key, int(now.timestamp()), body),
        }
        try:
            reply = self.http.request("POST", self.target, body, headers)
        except NotSent as problem:
            raise Passing(problem.reason, is_down=True) from None
        judge_reply(reply, now)


def payload(message: Message, page_url: str) -> bytes:
    """The body of a message, the same on each repeat."""
    document = {
        "type": "alert.told",
        "timestamp": message.created_at.isoformat(),
        "data": {
            "to": {"system": message.to.system, "id": message.to.id},
            "alerts": [
                {
                    "step": line.step.value,
                    "severity": line.severity.value,
                    "headline": one_line(line),
                    "link": link(page_url, line.alert_id),
                }
                for line in message.lines
            ],
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def judge_reply(reply: Reply, now: datetime, for_good: Set[int] = FOR_GOOD) -> None:
    """Nothing for 2xx; raises Refused or Passing for the rest."""
    if 200 <= reply.status < 300:
        return
    if reply.status in for_good:
        raise Refused(f"status-{reply.status}")
    reason = "redirect" if 300 <= reply.status < 400 else f"status-{reply.status}"
    raise Passing(reason, is_down=True, retry_after=retry_after(reply.headers.get("retry-after"), now))


def retry_after(text: str | None, now: datetime) -> timedelta | None:
    """How long a server asks us to wait: seconds or a date. What cannot be read is not there."""
    return next(_waits(text or "", now), None)


def _waits(text: str, now: datetime) -> Iterator[timedelta]:
    if text.isascii() and text.isdigit():
        yield timedelta(seconds=min(int(text[:9]), 86_400))
        return
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return
    if at.tzinfo is not None and at > now:
        yield at - now
