"""What people do about an alert: acknowledge, dismiss, snooze, resolve, reassign, reopen.

Each answer is one step in the caller's writing transaction, with its event, its audit record and, where
somebody else must hear of it, a delivery. Whether this person may answer this alert, the caller has asked.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select

from alerts import directory, follow_up, timers
from alerts.addressing import address
from alerts.escalation import Timer
from alerts.people import Actor, Address, ferrule
from alerts.reconcile import ANSWERED, PATIENT_DECEASED
from alerts.routing import Addressee, Why
from alerts.snapshot import time_text
from alerts.states import TRANSITIONS, NotAllowed, State, Step, Taken
from alerts.steps import Cause, Conflict, Standing, take
from alerts.tables import ALERT, ALERT_EVENT
from alerts.telling import HasDied, nobody_died, tell

COMMENT_MAX_CHARACTERS = 4_000
TIMER = ferrule("timer")
_TURNS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


class DismissReason(StrEnum):
    """Why an alert is dismissed: the coded reasons of the page and the API."""

    EXPLAINED_BY_SUPPLEMENT = "explained-by-supplement"
    KNOWN_DIAGNOSIS = "known-diagnosis"
    ALREADY_ACTED = "already-acted"
    NOT_MY_PATIENT = "not-my-patient"
    WRONG_PATIENT = "wrong-patient"
    LAB_ERROR = "lab-error"
    NOT_RELEVANT = "not-relevant"
    RULE_WRONG = "rule-wrong"


class NoSuchAlert(Exception):
    """Raised for an id that no alert has."""


class Invalid(Exception):
    """Raised when an answer cannot be taken as it is: which field, and what was expected of it."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}")
        self.field = field
        self.expected = expected


class TooLate(NotAllowed):
    """Raised when the state does not allow the answer; somebody else may have been first: who and when."""

    def __init__(self, alert_id: int, state: State, step: Step, by: Actor, at: datetime) -> None:
        super().__init__(state, step)
        self.alert_id = alert_id
        self.by = by
        self.at = at


@dataclass(frozen=True, slots=True)
class _Answer:
    """A step that somebody wants to take; `if_match` is the version they saw, None if they do not say."""

    step: Step
    by: Actor
    at: datetime
    if_match: int | None
    reason: str
    data: Mapping[str, Any]
    changes: Mapping[str, Any] = field(default_factory=dict)


def acknowledge(
    connection: Connection,
    alert_id: int,
    by: Actor,
    *,
    now: datetime,
    if_match: int | None = None,
    comment: str | None = None,
    follow_ups: Collection[str] | None = None,
) -> Taken:
    """Take the alert on. `follow_ups` names what is agreed on of what the rule expects; None: all of it.

    Where some are named, the alert is following up from then on.
    """
    data = {"comment": cleaned("comment", comment), "agreed": _agreed(connection, alert_id, follow_ups, now)}
    changes = {"acknowledged_at": now, "snoozed_until": None}
    answer = _Answer(Step.ACKNOWLEDGE, by, now, if_match, "acknowledged", data, changes)
    taken = _take(connection, alert_id, answer)
    if not follow_ups:
        return taken
    follows = _Answer(Step.FOLLOW, by, now, None, "follow-up-agreed", {"agreed": data["agreed"]})
    return _take(connection, alert_id, follows)


def dismiss(
    connection: Connection,
    alert_id: int,
    by: Actor,
    *,
    reason: str,
    now: datetime,
    if_match: int | None = None,
    comment: str | None = None,
) -> Taken:
    """Say that nothing is to be done, for one of the coded reasons."""
    if reason not in tuple(DismissReason):
        raise Invalid("reason", "one of " + ", ".join(DismissReason))
    data = {"comment": cleaned("comment", comment)}
    taken = _take(connection, alert_id, _Answer(Step.DISMISS, by, now, if_match, reason, data))
    follow_up.cancel(connection, alert_id, reason, now)
    if reason == DismissReason.EXPLAINED_BY_SUPPLEMENT:
        timers.at_once(connection, alert_id, Timer.EXPLAIN, now)
    return taken


def snooze(
    connection: Connection,
    alert_id: int,
    by: Actor,
    *,
    until: datetime,
    reason: str,
    now: datetime,
    if_match: int | None = None,
) -> Taken:
    """Put it off until a time; it is told again then (`wake_due`)."""
    if until.tzinfo is None or until <= now:
        raise Invalid("until", "a time with an offset that is still to come")
    data = {"until": time_text(until), "comment": _said("reason", reason)}
    return _take(
        connection,
        alert_id,
        _Answer(Step.SNOOZE, by, now, if_match, "snoozed", data, {"snoozed_until": until}),
    )


def resolve(
    connection: Connection,
    alert_id: int,
    by: Actor,
    *,
    reason: str,
    now: datetime,
    if_match: int | None = None,
) -> Taken:
    """Close it: the matter is dealt with."""
    data = {"comment": _said("reason", reason)}
    taken = _take(connection, alert_id, _Answer(Step.RESOLVE, by, now, if_match, ANSWERED, data))
    follow_up.cancel(connection, alert_id, ANSWERED, now)
    return taken


def reassign(
    connection: Connection,
    alert_id: int,
    by: Actor,
    *,
    to: Address,
    reason: str,
    now: datetime,
    if_match: int | None = None,
    push: Sequence[str] = (),
    has_died: HasDied = nobody_died,
) -> Taken:
    """Pass it on to somebody in the directory, or to a pool, who is told; `push` as in `directory.load`."""
    person = directory.person(connection, to)
    if person is None or not person.active:
        raise Invalid("to", "somebody active in the directory, or a pool")
    data = {"to": {"system": to.system, "id": to.id}, "comment": _said("reason", reason)}
    changes = {"recipient_system": to.system, "recipient_ident": to.id, "snoozed_until": None}
    taken = _take(
        connection, alert_id, _Answer(Step.REASSIGN, by, now, if_match, "reassigned", data, changes)
    )
    address(connection, alert_id, [Addressee(to, Why.REASSIGNED)], now)
    tell(connection, taken, [to], now, push, has_died)
    return taken


def reopen(
    connection: Connection,
    alert_id: int,
    by: Actor,
    *,
    reason: str,
    now: datetime,
    if_match: int | None = None,
) -> Taken:
    """Open an answered alert again, unless there is a newer episode of it."""
    row = _locked(connection, alert_id)
    newer = (
        (ALERT.c.patient_id == row.patient_id) & (ALERT.c.rule == row.rule) & (ALERT.c.episode > row.episode)
    )
    if connection.execute(select(ALERT.c.id).where(newer).limit(1)).first():
        raise _too_late(connection, row, Step.REOPEN)
    data = {"comment": _said("reason", reason)}
    changes = {"closed_at": None, "superseded_by": None}
    taken = _take(connection, alert_id, _Answer(Step.REOPEN, by, now, if_match, "reopened", data, changes))
    follow_up.revive(connection, alert_id, now)
    if row.reason == DismissReason.EXPLAINED_BY_SUPPLEMENT:
        timers.at_once(connection, alert_id, Timer.UNEXPLAIN, now)
    return taken


def wake_due(
    connection: Connection,
    now: datetime,
    *,
    push: Sequence[str] = (),
    limit: int = 100,
    has_died: HasDied = nobody_died,
) -> tuple[Taken, ...]:
    """Tell again what was put off until now; `now` is the database's clock."""
    due = (ALERT.c.state == State.SNOOZED) & (ALERT.c.snoozed_until <= now)
    oldest = select(ALERT).where(due).order_by(ALERT.c.snoozed_until, ALERT.c.id).limit(limit)
    rows = connection.execute(oldest.with_for_update(skip_locked=True)).all()
    return tuple(_wake(connection, row, now, push, has_died) for row in rows)


def cleaned(name: str, text: str | None) -> str | None:
    """Free text as it is kept: no control characters but line ends, nothing that turns the words around it,
    at most COMMENT_MAX_CHARACTERS.
    """
    if text is None or not text.strip():
        return None
    if len(text) > COMMENT_MAX_CHARACTERS:
        raise Invalid(name, f"at most {COMMENT_MAX_CHARACTERS} characters")
    kept = (c for c in text.replace("\r\n", "\n") if c == "\n" or not _is_unfit(c))
    return "".join(kept).strip()


def _is_unfit(character: str) -> bool:
    """Of no text that people write: a control character, half a character, an order to turn what follows."""
    return unicodedata.category(character) in ("Cc", "Cs") or unicodedata.bidirectional(character) in _TURNS


def _agreed(connection: Connection, alert_id: int, named: Collection[str] | None, now: datetime) -> list[str]:
    """What will be waited for; what was not agreed on is cancelled."""
    waited_for = follow_up.expected(connection, alert_id)
    if named is None:
        return list(waited_for)
    if unknown := set(named) - set(waited_for):
        known = ", ".join(waited_for) or "nothing: this alert expects none"
        raise Invalid("follow_ups", f"only what the alert expects ({known}), not {sorted(unknown)[0][:40]!r}")
    return list(follow_up.agree(connection, alert_id, named, now))


def _said(name: str, text: str | None) -> str:
    kept = cleaned(name, text)
    if not kept:
        raise Invalid(name, "a reason in words")
    return kept


def _take(connection: Connection, alert_id: int, answer: _Answer) -> Taken:
    row = _locked(connection, alert_id)
    if answer.if_match is not None and answer.if_match != row.version:
        raise Conflict(alert_id, row.version)
    standing = _standing(row)
    if (standing.state, answer.step) not in TRANSITIONS:
        raise _too_late(connection, row, answer.step)
    return take(
        connection,
        standing,
        answer.step,
        Cause(answer.by, answer.at, answer.reason, answer.data),
        answer.changes,
    )


def _wake(
    connection: Connection, row: Row[Any], now: datetime, push: Sequence[str], has_died: HasDied
) -> Taken:
    silenced = has_died(connection, row.patient_id)
    cause = Cause(TIMER, now, "snooze-ended", {"not_pushed": PATIENT_DECEASED} if silenced else {})
    taken = take(connection, _standing(row), Step.WAKE, cause, {"snoozed_until": None})
    owner = Address(row.recipient_system, row.recipient_ident)
    tell(connection, taken, [owner], now, push, has_died)
    return taken


def _locked(connection: Connection, alert_id: int) -> Row[Any]:
    row = connection.execute(select(ALERT).where(ALERT.c.id == alert_id).with_for_update()).one_or_none()
    if row is None:
        raise NoSuchAlert(f"alert {alert_id}")
    return row


def _standing(row: Row[Any]) -> Standing:
    return Standing(row.id, row.patient_id, State(row.state), row.version)


def _too_late(connection: Connection, row: Row[Any], step: Step) -> TooLate:
    last = (
        select(ALERT_EVENT)
        .where(ALERT_EVENT.c.alert_id == row.id)
        .order_by(ALERT_EVENT.c.seq.desc())
        .limit(1)
    )
    event = connection.execute(last).one()
    return TooLate(row.id, State(row.state), step, Actor(event.actor_system, event.actor_ident), event.at)
