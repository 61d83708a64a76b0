"""What the web writes to the audit trail: each look at patient data, each log-in, each refusal that matters.

Answers to alerts are recorded where they are given (`alerts.answers`). Nothing is read or shown here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fastapi import Request
from sqlalchemy import Connection

from alerts import audit
from alerts.people import SELF_SYSTEM, Actor
from worker.web.readers import Reader

ACCOUNT_SYSTEM = "urn:ferrule:account"
"""The system of a local account's user name, where its person has no address."""

DENIED = "denied"
DONE = "done"


def origin(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def actor(request: Request, reader: Reader) -> Actor:
    """The reader as the one who takes a step: by their address, else by their account."""
    if reader.session and not reader.ident:
        return Actor(reader.session.issuer or ACCOUNT_SYSTEM, reader.session.account, origin(request))
    return Actor(reader.system or SELF_SYSTEM, reader.ident or reader.role, origin(request))


def note_login(connection: Connection, now: datetime, by: Actor | None, where: str) -> None:
    """Somebody logged in, or (by None) tried to. The name they typed is not kept: it may be a password."""
    who = by or Actor(SELF_SYSTEM, "unknown", where)
    _note(connection, now, "login", who, "session", "", outcome=DONE if by else DENIED)


def note_logout(connection: Connection, now: datetime, by: Actor) -> None:
    """Somebody logged out."""
    _note(connection, now, "logout", by, "session", "")


def note_list(
    connection: Connection, now: datetime, by: Actor, alerts: Sequence[int], patients: Sequence[int]
) -> None:
    """A list of alerts was shown: one record that names each alert and patient on it; none if empty."""
    if alerts:
        _note(
            connection,
            now,
            "list",
            by,
            "alert",
            "",
            data={"alerts": list(alerts), "patients": sorted(set(patients))},
        )


def note_alert(connection: Connection, now: datetime, by: Actor, alert: int, patient: int) -> None:
    """One alert was shown, with its patient's values."""
    _note(connection, now, "read", by, "alert", str(alert), patient=patient)


def note_denied(connection: Connection, now: datetime, by: Actor, action: str, alert: int) -> None:
    """Somebody asked for an alert that is not theirs, or is not there."""
    _note(connection, now, action, by, "alert", str(alert), outcome=DENIED)


def note_glass_refused(connection: Connection, now: datetime, by: Actor) -> None:
    """Somebody wanted to open a patient who is not here; what they typed is not kept."""
    _note(connection, now, "break-glass", by, "patient", "", outcome=DENIED)


def note_openings(connection: Connection, now: datetime, by: Actor, patients: Sequence[int]) -> None:
    """The list of who opened whom was shown."""
    _note(connection, now, "list", by, "break-glass", "", data={"patients": sorted(set(patients))})


def note_silent(
    connection: Connection, now: datetime, by: Actor, findings: Sequence[int], patients: Sequence[int]
) -> None:
    """Findings of silent rules were shown with their values; no record if there were none."""
    if findings:
        data = {"findings": list(findings), "patients": sorted(set(patients))}
        _note(connection, now, "list", by, "silent-finding", "", data=data)


def _note(
    connection: Connection, now: datetime, action: str, by: Actor, kind: str, object_id: str, *,
    outcome: str = DONE, patient: int | None = None, data: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    entry = audit.Entry(action, by, kind, object_id, now, patient_id=patient, outcome=outcome, data=data)
    audit.record(connection, [entry])
