"""Writing to the outbox: one delivery for each judging, recipient and channel.

Sending is `alerts.outbox`, the words are `alerts.wording`. Must run in the transaction of the steps that are
told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from alerts import directory
from alerts.leases import PENDING, database_now
from alerts.people import Address
from alerts.routing import Lane
from alerts.states import Step, Taken
from alerts.tables import ALERT, DELIVERY, NOTICE
from rules.findings import Severity

WRITTEN = (
    Step.RAISE,
    Step.RELEASE,
    Step.JOIN,
    Step.AMEND,
    Step.WORSEN,
    Step.ACKNOWLEDGE,
    Step.REASSIGN,
    Step.DISMISS,
    Step.RESOLVE,
    Step.REOPEN,
    Step.CLOSE,
    Step.WITHDRAW,
)
"""The steps a record system is told of: they change what it shows. Whom we remind is no part of a record."""
HELD = "|held"
"""The end of the name of a lane that waits for a digest or for the end of quiet hours."""


HasDied = Callable[[Connection, int], bool]
"""Asks the floor above whether a patient is known to have died: of them nothing is pushed."""


def nobody_died(_connection: Connection, _patient: int) -> bool:
    """The answer of a house that is not told of deaths."""
    return False


@dataclass(frozen=True, slots=True)
class News:
    """One step of one alert, and by which lanes it is to be told."""

    taken: Taken
    severity: Severity
    headline: str
    lanes: tuple[Lane, ...]


def carried_by(connection: Connection, alert_id: int) -> tuple[Lane, ...]:
    """The lanes that carry this alert, or soon will: what takes it back must follow on each of them."""
    columns = (DELIVERY.c.recipient_system, DELIVERY.c.recipient_ident, DELIVERY.c.channel)
    query = select(*columns).join(NOTICE, NOTICE.c.delivery_id == DELIVERY.c.id)
    rows = connection.execute(query.where(NOTICE.c.alert_id == alert_id).distinct().order_by(*columns))
    return tuple(Lane(Address(r.recipient_system, r.recipient_ident), r.channel) for r in rows)


def tell(
    connection: Connection,
    taken: Taken,
    to: Sequence[Address],
    now: datetime,
    push: Sequence[str],
    has_died: HasDied = nobody_died,
) -> None:
    """Write the deliveries that tell these people of one step, by every channel that reaches them; of
    somebody who has died, the inbox alone.
    """
    row = connection.execute(select(ALERT).where(ALERT.c.id == taken.alert_id)).one()
    severity = Severity(row.severity)
    push = () if has_died(connection, row.patient_id) else push
    router = directory.router(connection, {}, to, now=now, push=push)
    enqueue(connection, row.patient_id, [News(taken, severity, row.headline, router.lanes(to, severity))])


def enqueue(
    connection: Connection, patient_id: int, news: Iterable[News], received_at: datetime | None = None
) -> tuple[int, ...]:
    """Write the deliveries that tell `news`, the most severe first in each; their ids."""
    bundles: dict[Lane, list[News]] = {}
    for item in sorted(news, key=lambda n: (n.severity.rank, n.taken.alert_id)):
        for lane in dict.fromkeys(_fitting(item)):
            bundles.setdefault(lane, []).append(item)
    if not bundles:
        return ()
    now = database_now(connection)
    return tuple(
        _deliver(connection, patient_id, lane, bundle, now, received_at) for lane, bundle in bundles.items()
    )


def delivery_key(taken: Iterable[Taken], lane: Lane) -> str:
    """The same for the same steps to the same recipient by the same channel, and for nothing else."""
    steps = sorted(f"{t.alert_id}.{t.version}" for t in taken)
    parts = [*steps, lane.address.system, lane.address.id, lane.channel]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def lane_name(patient_id: int, lane: Lane) -> str:
    """Kept in order by this name. What is held waits in a lane of its own, and holds up nothing urgent."""
    name = f"{patient_id}|{lane.channel}|{lane.address.system}|{lane.address.id}"
    return f"{name}{HELD}" if lane.held_until else name


def _fitting(news: News) -> Iterator[Lane]:
    for lane in news.lanes:
        if not lane.address.is_record_system or news.taken.step in WRITTEN:
            yield lane


def _deliver(
    connection: Connection,
    patient_id: int,
    lane: Lane,
    bundle: Sequence[News],
    now: datetime,
    received_at: datetime | None,
) -> int:
    row = {
        "delivery_key": delivery_key((n.taken for n in bundle), lane),
        "patient_id": patient_id,
        "lane": lane_name(patient_id, lane),
        "channel": lane.channel,
        "recipient_system": lane.address.system,
        "recipient_ident": lane.address.id,
        "severity": bundle[0].severity,
        "state": PENDING,
        "received_at": received_at,
        "created_at": now,
        "due_at": max(now, lane.held_until or now),
    }
    delivery_id: int = connection.execute(
        insert(DELIVERY).values(**row).returning(DELIVERY.c.id)
    ).scalar_one()
    connection.execute(
        insert(NOTICE),
        [
            {
                "delivery_id": delivery_id,
                "alert_id": n.taken.alert_id,
                "event_id": n.taken.event_id,
                "step": n.taken.step,
                "severity": n.severity,
                "headline": n.headline,
                "position": position,
            }
            for position, n in enumerate(bundle)
        ],
    )
    return delivery_id
