"""Alerts into a FHIR R4 server: a DetectedIssue for each alert, a Communication for each time it is told.

What is new is created on the condition that its identifier is not there yet, what has changed is updated by
that identifier: a repeat makes no second resource. What they say is `alerts.channels.fhir_resources`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from alerts.channels.channel import Line, Message, Passing
from alerts.channels.fhir_resources import Resource, communication, detected_issue
from alerts.channels.guarded_http import GUARDED, GuardedHttp, NotSent, Reply, Target
from alerts.channels.record_entry import Entries, Entry
from alerts.channels.webhook import judge_reply
from alerts.record_systems import FOLLOWED
from alerts.states import Step

FHIR_JSON = "application/fhir+json"
BEGINS = (Step.RAISE, Step.RELEASE)
FOR_GOOD = frozenset({400, 406, 410, 412, 413, 415, 422})
"""What a server says of this one resource. 412: several have its identifier, which a person must mend."""
BUSY_WITH_IT = frozenset({409, 423})
"""Somebody else is writing the same resource; nothing is wrong with the way to it."""
UNAUTHORIZED = 401

Clock = Callable[[], datetime]
Token = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class FhirChannel:
    """Writes into one server; `base` is where it begins, `token` reads the bearer token as it is now."""

    base: Target
    token: Token = field(repr=False)
    entries: Entries
    page_url: str
    clock: Clock
    http: GuardedHttp = GUARDED
    name: str = "fhir"
    instant: bool = False

    def send(self, message: Message) -> None:
        """One attempt at all of it, in the time of one. Raises Refused or Passing."""
        until = self.clock() + timedelta(seconds=self.http.seconds)
        known = self.entries([line.alert_id for line in message.lines])
        for line in message.lines:
            self._write(message, line, known[line.alert_id], until)

    def _write(self, message: Message, line: Line, entry: Entry, until: datetime) -> None:
        issue = detected_issue(entry, self.page_url)
        if line.step in BEGINS:
            self._create(issue, until)
        else:
            self._update(issue, until)
        if line.step not in FOLLOWED:
            told = communication(
                entry,
                self.page_url,
                key=f"{message.key}.{line.alert_id}",
                step=line.step,
                headline=line.headline,
                sent=message.created_at,
            )
            self._create(told, until)

    def _create(self, resource: Resource, until: datetime) -> None:
        self._say("POST", resource["resourceType"], resource, {"If-None-Exist": _search(resource)}, until)

    def _update(self, resource: Resource, until: datetime) -> None:
        """Creates it as well where it is not there."""
        self._say("PUT", f"{resource['resourceType']}?{_search(resource)}", resource, {}, until)

    def _say(
        self, method: str, path: str, resource: Resource, headers: Mapping[str, str], until: datetime
    ) -> None:
        reply = self._exchange(method, path, resource, headers, until)
        if reply.status == UNAUTHORIZED:
            # It may have been exchanged for another one a moment ago: read again, once.
            reply = self._exchange(method, path, resource, headers, until)
        if reply.status in BUSY_WITH_IT:
            raise Passing(f"status-{reply.status}")
        judge_reply(reply, self.clock(), FOR_GOOD)

    def _exchange(
        self, method: str, path: str, resource: Resource, headers: Mapping[str, str], until: datetime
    ) -> Reply:
        left = (until - self.clock()).total_seconds()
        if left <= 0:
            raise Passing("timeout", is_down=True)
        target = replace(self.base, path=f"{self.base.path.rstrip('/')}/{path}")
        token = self.token()
        fields = {
            "Content-Type": FHIR_JSON,
            "Accept": FHIR_JSON,
            "User-Agent": "ferrule",
            "Prefer": "return=minimal",
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **headers,
        }
        try:
            return replace(self.http, seconds=min(left, self.http.seconds)).request(
                method, target, json.dumps(resource, ensure_ascii=False).encode(), fields
            )
        except NotSent as problem:
            raise Passing(problem.reason, is_down=True) from None


def _search(resource: Resource) -> str:
    """The search that finds this one resource, and no patient in it."""
    (identifier,) = resource["identifier"]
    return "identifier=" + quote(f"{identifier['system']}|{identifier['value']}", safe="")


def token_in(path: Path) -> str:
    """The token in a file, which another program may exchange at any time. Raises Passing, without it."""
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise Passing("no-token", is_down=True) from None
    if not token or not token.isprintable() or " " in token:
        raise Passing("no-token", is_down=True)
    return token
