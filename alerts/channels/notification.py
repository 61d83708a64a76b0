"""Chat, SMS and pager by one library (Apprise): a headline and a link, nothing of the patient.

Each attempt is a process of its own (`alerts.channels.notify_once`): the library sets no end to an exchange,
and a process can be stopped. Sends once; `alerts.outbox` retries.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from alerts.channels.channel import Message, Passing, Refused
from alerts.channels.webhook import FOR_GOOD
from alerts.wording import body, subject

TOTAL_SECONDS = 9.0
"""With what it takes to stop it, an attempt is over in ten."""
PHONE = "{phone}"
OURS = "FERRULE_"


@dataclass(frozen=True, slots=True)
class NotificationChannel:
    """Tells by one Apprise address, in which `{phone}` stands for the recipient's number."""

    name: str
    url: str = field(repr=False)
    page_url: str
    seconds: float = TOTAL_SECONDS
    instant: bool = False

    def send(self, message: Message) -> None:
        """One attempt. Raises Refused (this message or recipient, for good) or Passing (all else)."""
        asked = {
            "url": self._url(message),
            "title": subject(message.lines),
            # These services know no repeats: by this a reader does.
            "body": f"{body(message.lines, self.page_url)}({message.key[:8]})",
        }
        judge(_attempt(asked, self.seconds))

    def _url(self, message: Message) -> str:
        if PHONE not in self.url:
            return self.url
        digits = re.sub(r"[^0-9]", "", message.phone or "")
        if not digits:
            raise Refused("no-phone")
        return self.url.replace(PHONE, digits)


def judge(said: dict[str, Any]) -> None:
    """Nothing when it was taken; raises Refused or Passing for the rest."""
    if said["sent"]:
        return
    if not said["known"]:
        raise Passing("bad-address", is_down=True)
    if said["status"] in FOR_GOOD:
        raise Refused(f"status-{said['status']}")
    raise Passing(f"status-{said['status']}" if said["status"] else "connection", is_down=True)


def _attempt(asked: dict[str, str], seconds: float) -> dict[str, Any]:
    """In a process that knows the address from its standard input alone, and none of our settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "alerts.channels.notify_once"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=seconds,
            env=environment,
            check=True,
        )
        said: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise Passing("timeout", is_down=True) from None
    except (subprocess.CalledProcessError, OSError, ValueError):
        raise Passing("fault", is_down=True) from None
    return said
