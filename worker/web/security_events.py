"""What operations must hear of: counted and logged by kind. Who it was stands in the audit trail alone."""

from __future__ import annotations

from enum import StrEnum

from worker.logs import logger
from worker.metrics import SECURITY_EVENTS

log = logger("worker.web.security")


class Kind(StrEnum):
    """The kinds; each is a label of `ferrule_security_events_total`."""

    LOGINS_REFUSED = "logins-refused"
    SIGN_IN_REFUSED = "sign-in-refused"
    PROVIDER_UNREACHABLE = "provider-unreachable"
    BREAK_GLASS = "break-glass"


for _kind in Kind:
    SECURITY_EVENTS.labels(_kind.value)  # there from the start: Prometheus sees no rise in what begins at one


def note(kind: Kind, reason: str = "") -> None:
    """It happened; `reason` is a word of ours."""
    SECURITY_EVENTS.labels(kind.value).inc()
    log.warning("security event", kind=kind.value, reason=reason)


def note_not_told(reason: str) -> None:
    """The mail to the privacy officer did not go out; their list has it all the same."""
    log.warning("privacy officer not told by mail", reason=reason)
