"""Sends one notification with Apprise and ends: a process of its own, which can be stopped at any moment.

Reads {"url", "title", "body"} as JSON from standard input and writes {"sent", "status", "known"} to standard
output: whether it was taken, the last HTTP status there was, whether the address is one. It says nothing
else: the address is a secret.
"""

from __future__ import annotations

import json
import logging
import sys
from functools import wraps
from typing import Any

SOCKET_SECONDS = 5


def main() -> None:
    """One attempt."""
    asked = json.load(sys.stdin)
    json.dump(notify(asked["url"], asked["title"], asked["body"]), sys.stdout)


def notify(url: str, title: str, body: str) -> dict[str, Any]:
    """What became of it."""
    # Not at the top: it takes as long to load as all the rest, and only who sends needs it.
    import apprise

    logging.disable()
    statuses = _overheard()
    asset = apprise.AppriseAsset(app_id="Ferrule", http_redirects=False, async_mode=False)
    one = apprise.Apprise(asset=asset)
    if not one.add(url):
        return {"sent": False, "status": None, "known": False}
    for service in one:
        service.socket_connect_timeout = service.socket_read_timeout = SOCKET_SECONDS
    sent = one.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
    return {"sent": bool(sent), "status": statuses[-1] if statuses else None, "known": True}


def _overheard() -> list[int]:
    """The statuses of all answers: Apprise itself tells only whether it worked."""
    from requests.adapters import HTTPAdapter

    statuses: list[int] = []
    plain = HTTPAdapter.send

    @wraps(plain)
    def send(self: HTTPAdapter, *args: Any, **named: Any) -> Any:
        answer = plain(self, *args, **named)
        statuses.append(answer.status_code)
        return answer

    # In this process alone, which sends once and ends.
    HTTPAdapter.send = send  # type: ignore[method-assign]
    return statuses


if __name__ == "__main__":
    main()
