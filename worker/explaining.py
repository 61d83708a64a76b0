"""A clinician says a supplement explains a pattern: it goes on the record, with an end, and the patient is
judged.

The answer becomes a message of ours, stored and judged like any other, so that replay sees it and the alert
it leads to shows it as evidence. Taken back, the entry is marked as an error. The timer that asks for it is
written with the answer (`alerts.answers`); a repeat makes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from alerts.due import LEASE
from alerts.escalation import Timer
from alerts.leases import claim, settle
from alerts.snapshot import time_text
from alerts.tables import ALERT, ALERT_EVENT, TIMER
from worker.accepting import Inbound, accept
from worker.composition import Deps
from worker.database import reading, writing
from worker.tables import PATIENT

SOURCE = "urn:ferrule:answers"
EXPLAINED_FOR = timedelta(days=90)
"""How long after the answer the supplement stands on the record: the look-back of an oral B12 product. Then
the medication list must say it, or somebody is asked again.
"""
PRODUCTS: Mapping[str, Mapping[str, str]] = {
    "b12_supplement": {
        "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
        "code": "11248",
        "name": "Vitamin B12, as answered to an alert",
    }
}
"""What an alert did not find on record → what is then put there. Others are explained in words alone."""
BATCH = 20


def explain_due(deps: Deps) -> int:
    """Put on the record, or take back, what clinicians have said; how many timers there were."""
    kinds = TIMER.c.kind.in_([Timer.EXPLAIN, Timer.UNEXPLAIN])
    with writing(deps.engine) as connection:
        now = deps.clock(connection)
        claimed = claim(connection, TIMER, limit=BATCH, lease=LEASE, where=kinds, now=now)
    for one in claimed:
        with reading(deps.engine) as connection:
            messages = _messages(connection, one.id)
        receipts = accept(deps.engine, messages)
        deps.publish([receipt.message for receipt in receipts if receipt.judge])
        done = {"state": "done", "reason": "recorded" if messages else "nothing-to-record", "ended_at": now}
        with writing(deps.engine) as connection:
            settle(connection, TIMER, one, done)
    return len(claimed)


def _messages(connection: Connection, timer_id: int) -> list[Inbound]:
    timer = connection.execute(select(TIMER).where(TIMER.c.id == timer_id)).one()
    alert = connection.execute(select(ALERT).where(ALERT.c.id == timer.alert_id)).one()
    patient = connection.execute(select(PATIENT).where(PATIENT.c.id == alert.patient_id)).one()
    answered = _answered(connection, alert.id, timer.created_at)
    products = [PRODUCTS[name] for name in _absent(alert.evidence) if name in PRODUCTS]
    if answered is None or not products:
        return []
    taken_back = timer.kind == Timer.UNEXPLAIN
    entries = [_entry(alert, product, answered.at, taken_back=taken_back) for product in products]
    return [_message(f"{timer.kind}-{timer.id}", patient, timer.created_at, entries)]


def _answered(connection: Connection, alert_id: int, until: datetime) -> Row[Any] | None:
    """The newest dismissal that said so."""
    said = (
        select(ALERT_EVENT)
        .where(
            ALERT_EVENT.c.alert_id == alert_id,
            ALERT_EVENT.c.reason == "explained-by-supplement",
            ALERT_EVENT.c.at <= until,
        )
        .order_by(ALERT_EVENT.c.seq.desc())
    )
    return connection.execute(said.limit(1)).first()


def _absent(evidence: Iterable[Mapping[str, Any]]) -> list[str]:
    return [one["absent"] for one in evidence if "absent" in one]


def _entry(
    alert: Row[Any], product: Mapping[str, str], answered_at: datetime, *, taken_back: bool
) -> dict[str, Any]:
    """A medication from the specimen that it explains until some time after the answer."""
    times = [one["effective_at"] for one in alert.evidence if "analyte" in one]
    return {
        **product,
        "id": f"ferrule-alert-{alert.id}",
        "status": "entered-in-error" if taken_back else "active",
        "start": min(times, default=time_text(answered_at)),
        "end": time_text(answered_at + EXPLAINED_FOR),
        "route": "oral",
    }


def _message(ident: str, patient: Row[Any], at: datetime, medications: list[dict[str, Any]]) -> Inbound:
    event = {
        "specversion": "1.0",
        "type": "org.ferrule.record.v1",
        "source": SOURCE,
        "id": ident,
        "time": time_text(at),
        "data": {
            "patient": {"system": patient.system, "id": patient.ident},
            "medications": medications,
        },
    }
    return Inbound(SOURCE, ident, "event", json.dumps(event, sort_keys=True).encode())
