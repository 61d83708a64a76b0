"""The inbox: an alert is told by being visible. There is nothing to send."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.channels.channel import Message
from alerts.routing import INBOX


@dataclass(frozen=True, slots=True)
class InboxChannel:
    """Recording the delivery is the delivery."""

    name: str = INBOX
    instant: bool = True

    def send(self, message: Message) -> None:
        """Nothing: the row is on the page as soon as it is committed."""
