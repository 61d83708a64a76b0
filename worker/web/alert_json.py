"""The JSON of an alert, as the API promises it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from alerts.snapshot import time_text
from alerts.tables import ALERT_EVENT
from worker.patients import provisional_among
from worker.tables import PATIENT

Document = dict[str, Any]


def alert_json(connection: Connection, row: Row[Any]) -> Document:
    """One alert."""
    return alerts_json(connection, [row])[0]


def alerts_json(connection: Connection, rows: Sequence[Row[Any]]) -> list[Document]:
    """Many alerts, in two statements more."""
    if not rows:
        return []
    patients = select(PATIENT).where(PATIENT.c.id.in_({row.patient_id for row in rows}))
    known = {row.id: {"system": row.system, "id": row.ident} for row in connection.execute(patients)}
    provisional = provisional_among(connection, known.keys())
    steps = select(ALERT_EVENT).where(ALERT_EVENT.c.alert_id.in_([row.id for row in rows]))
    history: dict[int, list[Document]] = defaultdict(list)
    for step in connection.execute(steps.order_by(ALERT_EVENT.c.alert_id, ALERT_EVENT.c.seq)):
        history[step.alert_id].append(_step(step))
    return [
        _alert(row, known.get(row.patient_id), history[row.id])
        | {"provisional_patient": row.patient_id in provisional}
        for row in rows
    ]


def _alert(row: Row[Any], patient: Document | None, history: list[Document]) -> Document:
    return {
        "id": row.id,
        "patient": patient,
        "rule": row.rule,
        "version": row.rule_version,
        "episode": row.episode,
        "severity": row.severity,
        "state": row.state,
        "reason": row.reason,
        "held_for": row.held_for,
        "recipient": {"system": row.recipient_system, "id": row.recipient_ident},
        "headline": row.headline,
        "text": row.text,
        "evidence": row.evidence,
        "actions": row.actions,
        "follow_up": row.follow_up,
        "sources": row.sources,
        "annotates": row.annotates,
        "history": history,
        "raised_at": time_text(row.raised_at),
        "updated_at": time_text(row.updated_at),
        "snoozed_until": time_text(row.snoozed_until),
        "etag": etag(row.version),
    }


def etag(version: int) -> str:
    """The entity tag of a version, quoted as HTTP wants it."""
    return f'"{version}"'


def _step(row: Row[Any]) -> Document:
    return {
        "step": row.step,
        "at": time_text(row.at),
        "by": {"system": row.actor_system, "id": row.actor_ident},
        "from": row.from_state,
        "to": row.to_state,
        "reason": row.reason,
        "data": row.data,
    }
