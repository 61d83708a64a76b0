"""The history of an alert in words: who did what, when, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from alerts.directory import one_of
from alerts.people import POOL_SYSTEM, SELF_SYSTEM, Address
from alerts.states import Step
from alerts.tables import ALERT_EVENT, POOL, RECIPIENT
from worker.tables import PATIENT_LINK
from worker.web import words

DID: dict[str, str] = {
    Step.RAISE: "The pattern was seen and the alert raised",
    Step.HOLD: "Found, and held back",
    Step.RELEASE: "The reason to hold it back has passed",
    Step.TELL: "Told",
    Step.JOIN: "A further result joined",
    Step.AMEND: "A result was corrected; the alert was brought up to date",
    Step.WORSEN: "It became worse",
    Step.FLAG: "The rule has changed since",
    Step.ACKNOWLEDGE: "Acknowledged",
    Step.FOLLOW: "Is being followed up",
    Step.SNOOZE: "Snoozed",
    Step.WAKE: "The snooze ended",
    Step.REASSIGN: "Passed on",
    Step.DISMISS: "Dismissed",
    Step.RESOLVE: "Closed: settled",
    Step.REOPEN: "Opened again",
    Step.CLOSE: "Closed",
    Step.WITHDRAW: "Withdrawn",
    Step.REMIND: "Reminded: nobody had answered",
    Step.ESCALATE: "Nobody had answered: told",
    Step.CALL: "Called",
    Step.LAPSE: "Asks for an answer again",
    Step.OVERDUE: "What was expected had not come",
}

WHY: dict[str, str] = {
    **words.DISMISS_REASONS,
    "resolved-by-evidence": "a newer result or record answers it",
    "superseded-by": "a stronger finding covers it",
    "expired-by-policy": "nobody answered in the time the site allows",
    "severity-rose": "the finding is more severe now",
    "worse-value": "a later result is worse than the one told of",
    "merged": "two patient identifiers became one, and another alert says the same",
    "held": "the rule asks to wait",
    "hold-ended": "what held it back no longer does",
    "fact-corrected": "a result it rested on was corrected or taken back",
    "patient-moved": "the patient was moved or discharged; who answers for them was asked anew",
    "cover-gap": "nobody covers the owner",
    "call-list": "it is on the call list",
    "read-back": "and they read it back",
    "called": "and they did not read it back",
    "acknowledgement-lapsed": "nothing came of the acknowledgement",
    "follow-up-overdue": "it is overdue",
}


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One step as shown."""

    when: str
    what: str
    why: str


def steps_of(connection: Connection, alert: int) -> list[Row[Any]]:
    """The alert's steps, oldest first."""
    query = select(ALERT_EVENT).where(ALERT_EVENT.c.alert_id == alert).order_by(ALERT_EVENT.c.seq)
    return list(connection.execute(query))


def names_of(connection: Connection, addresses: set[Address]) -> dict[Address, str]:
    """The names of people and pools of the directory; Ferrule's own parts have none."""
    people = {a for a in addresses if a.system not in (POOL_SYSTEM, SELF_SYSTEM)}
    pools = {a.id: a for a in addresses if a.is_pool}
    found = {
        Address(row.system, row.ident): row.name or row.ident
        for row in connection.execute(select(RECIPIENT).where(one_of(RECIPIENT, people)))
    }
    for row in connection.execute(select(POOL).where(POOL.c.ident.in_(list(pools)))):
        found[pools[row.ident]] = row.name or row.ident
    return found


def links_of(connection: Connection, alert: Row[Any]) -> list[tuple[datetime, str]]:
    """When the alert's patient became one with another identifier, and two again."""
    link, theirs = PATIENT_LINK.c, [alert.patient_id, alert.filed_under]
    asked = select(PATIENT_LINK).where(link.retired_id.in_(theirs) | link.survivor_id.in_(theirs))
    told = []
    for row in connection.execute(asked):
        told.append((row.linked_at, "Merged: two patient numbers became one patient"))
        if row.ended_at is not None:
            told.append((row.ended_at, "Unmerged: the two patient numbers are two patients again"))
    return [one for one in told if one[0] >= alert.raised_at]


def timeline(
    connection: Connection,
    steps: list[Row[Any]],
    zone: ZoneInfo,
    beside: Sequence[tuple[datetime, str]] = (),
) -> tuple[HistoryLine, ...]:
    """The steps in words, oldest first, and between them what happened beside the alert."""
    actors = {Address(step.actor_system, step.actor_ident) for step in steps}
    named = {one for step in steps for one in (*_to(step.data), *_read_by(step.data))}
    names = names_of(connection, actors | named)
    lines = [(step.at, _line(step, names, zone)) for step in steps]
    lines += [(at, HistoryLine(words.stamp(at, zone), what, "")) for at, what in beside]
    return tuple(line for _, line in sorted(lines, key=lambda one: one[0]))


def _line(step: Row[Any], names: Mapping[Address, str], zone: ZoneInfo) -> HistoryLine:
    actor, to = Address(step.actor_system, step.actor_ident), _to(step.data)
    what = DID.get(step.step, step.step)
    if to:
        what += f" to {words.joined([names.get(one, one.id) for one in to])}"
    if actor.system != SELF_SYSTEM:
        what += f" by {names.get(actor, actor.id)}"
    read_by = words.joined([names.get(one, one.id) for one in _read_by(step.data)])
    had_read = f"it had been read by {read_by}" if read_by else ""
    why = [WHY.get(step.reason, ""), had_read, str(step.data.get("comment") or "")]
    return HistoryLine(words.stamp(step.at, zone), what, " · ".join(part for part in why if part))


def _read_by(data: Mapping[str, Any]) -> tuple[Address, ...]:
    """Who had read what is taken back or corrected by this step, each once."""
    return tuple(dict.fromkeys(Address(one["system"], one["id"]) for one in data.get("read_by", ())))


def _to(data: Mapping[str, Any]) -> tuple[Address, ...]:
    to = data.get("to")
    named = to if isinstance(to, list) else [to]
    return tuple(Address(one["system"], one["id"]) for one in named if isinstance(one, dict))
