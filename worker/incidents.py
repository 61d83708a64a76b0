"""A result of the wrong patient that alerts rested on: an incident of its own (trials B73).

That the alerts are taken back on every channel that carried them is the reconciler's; here it stays
written, in the audit trail and on the quarantine's list, that somebody was told of another person's result,
and operations hears of it once. A result that was deleted, not misposted, is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from alerts import audit
from alerts.channels.channel import Passing, Refused
from alerts.people import ferrule
from alerts.tables import ALERT
from rules.facts import Status
from worker.channels import email_channel
from worker.composition import Deps
from worker.database import writing
from worker.intake.marks import Mark
from worker.logs import logger
from worker.quarantine import Aside, note
from worker.quarantine_reasons import QuarantineReason
from worker.statements import Said
from worker.tables import QUARANTINE_ITEM

log = logger("worker.incidents")

ACTION = "incident.wrong-patient"
REASON = QuarantineReason.WRONG_PATIENT


@dataclass(frozen=True, slots=True)
class Incident:
    """Results of one message that are not this patient's after all, and the alerts that rested on them."""

    message: int
    patient: int
    place: str
    alerts: tuple[int, ...]


def incidents_of(connection: Connection, patient: int, fresh: Sequence[Said]) -> list[Incident]:
    """What the news of a patient takes back as misposted. Ask before the alerts are changed."""
    found = []
    for said in fresh:
        places = {r.key: said.sent[r.key].place for r in said.results if _is_misposted(said, r.key, r.status)}
        alerts = _resting_on(connection, patient, set(places)) if places else {}
        if alerts:
            place = next(places[key] for keys in alerts.values() for key in keys)
            found.append(Incident(said.message, patient, place, tuple(sorted(alerts))))
    return found


def _is_misposted(said: Said, key: str, status: Status) -> bool:
    sent = said.sent.get(key)
    return status is Status.ENTERED_IN_ERROR and sent is not None and Mark.DELETED not in sent.marks


def _resting_on(connection: Connection, patient: int, keys: set[str]) -> dict[int, list[str]]:
    """The patient's alerts, closed ones too, whose evidence holds one of these results."""
    rows = connection.execute(select(ALERT.c.id, ALERT.c.evidence).where(ALERT.c.patient_id == patient))
    held = {row.id: [one["key"] for one in row.evidence if one.get("key") in keys] for row in rows}
    return {alert: found for alert, found in held.items() if found}


def write_down(connection: Connection, incidents: Sequence[Incident], now: datetime) -> None:
    """One audit record and one item of the list for each; a message read again makes no second."""
    for one in incidents:
        if _is_written(connection, one.message):
            continue
        note(connection, one.message, Aside.of(REASON, one.place), now)
        data = {"message": one.message, "alerts": list(one.alerts)}
        entry = audit.Entry(
            ACTION, ferrule("intake"), "message", str(one.message), now, patient_id=one.patient, data=data
        )
        audit.record(connection, [entry])


def _is_written(connection: Connection, message: int) -> bool:
    item = QUARANTINE_ITEM.c
    asked = select(item.id).where(item.message_id == message, item.reason == REASON)
    return connection.execute(asked.limit(1)).first() is not None


def incidents_due(deps: Deps) -> bool:
    """Tell operations of incidents nobody was told of; each once, whoever else looks."""
    for item in _unannounced(deps):
        log.warning("result of the wrong patient", item=item)
        _announce(deps, item)
    return False


def _unannounced(deps: Deps) -> Sequence[Any]:
    table = QUARANTINE_ITEM
    with writing(deps.engine) as connection:
        new = (table.c.reason == REASON) & table.c.notified_at.is_(None)
        told = table.update().where(new).values(notified_at=deps.clock(connection))
        return connection.execute(told.returning(table.c.id)).scalars().all()


def _announce(deps: Deps, item: int) -> None:
    channel = email_channel(deps.settings)
    if channel is None or deps.settings.operator_email is None:
        return
    text = (
        "A result that alerts rested on was sent for the wrong patient. The alerts are taken back where\n"
        "they were told. Find out who acted on them, and whose the result is:\n\n"
        f"    ferrule quarantine show {item}\n"
    )
    try:
        channel.send_note(deps.settings.operator_email, "Ferrule: a result of the wrong patient", text)
    except (Passing, Refused) as problem:
        log.warning("operator not told by mail", item=item, reason=problem.reason)
