"""What every channel is: it sends the message it is handed, or says why not. `alerts.outbox` retries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from alerts.people import Address
from alerts.states import Step
from rules.findings import Severity


@dataclass(frozen=True, slots=True)
class Line:
    """One alert of a message, and what happened to it."""

    alert_id: int
    step: Step
    severity: Severity
    headline: str


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery, ready to be sent, the worst line first. `key` is the same on each physical repeat."""

    key: str
    to: Address
    email: str | None
    created_at: datetime
    lines: tuple[Line, ...]
    phone: str | None = None


class Refused(Exception):
    """Raised when this message will never be taken: there is no use in trying again. `reason` is one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Passing(Exception):
    """Raised when it may be taken later. `is_down` says that the whole channel is, not only this message.

    `retry_after` is what the other side asked for, if it did.
    """

    def __init__(self, reason: str, *, is_down: bool = False, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_down = is_down
        self.retry_after = retry_after


class Channel(Protocol):
    """A way to tell someone. An `instant` one does nothing outside the database and cannot fail."""

    @property
    def name(self) -> str:
        """The channel's name, as deliveries and metrics carry it."""

    @property
    def instant(self) -> bool:
        """Whether sending is nothing but being recorded."""

    def send(self, message: Message) -> None:
        """Send; raises Refused or Passing."""
