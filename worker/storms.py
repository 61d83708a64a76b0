"""The storm brake at work: its terms from the settings, what the poller does for it, one word to operations.

What a storm is and what becomes of held alerts is `alerts.storms`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from alerts import storms
from alerts.channels.channel import Passing, Refused
from alerts.storms import Terms
from alerts.tables import STORM
from worker.channels import email_channel
from worker.composition import Deps
from worker.database import writing
from worker.logs import logger
from worker.metrics import source_name
from worker.settings import Settings
from worker.telling import reach_of

log = logger("worker.storms")


def terms_of(settings: Settings) -> Terms:
    """When a surge is a storm, as the site has set it."""
    return Terms(settings.storm_floor, settings.storm_factor, timedelta(minutes=settings.storm_minutes))


def storms_due(deps: Deps) -> int:
    """Do what was decided about held alerts, let storms subside, tell operations of new ones."""
    with writing(deps.engine) as connection:
        now = deps.clock(connection)
        settled = storms.settle(connection, reach_of(deps.settings), now)
        storms.subside(connection, terms_of(deps.settings), now)
    for storm in _unannounced(deps):
        _announce(deps, storm)
    return settled


def _unannounced(deps: Deps) -> list[Any]:
    """Storms nobody was told of; they count as announced from now on, whoever else looks."""
    with writing(deps.engine) as connection:
        now = deps.clock(connection)
        new = STORM.update().where(STORM.c.notified_at.is_(None)).values(notified_at=now)
        return list(connection.execute(new.returning(STORM)).all())


def _announce(deps: Deps, storm: Any) -> None:
    key = storm.key if storm.kind == "rule" else source_name(storm.key)
    log.warning(
        "storm began", storm=storm.id, kind=storm.kind, key=key, count=storm.raised, limit=storm.limit
    )
    channel = email_channel(deps.settings)
    if channel is None or deps.settings.operator_email is None:
        return
    subject = f"Ferrule: a surge of alerts is held ({storm.kind} {key})"
    text = (
        f"{storm.raised} alerts within {deps.settings.storm_minutes} minutes, more than {storm.limit}:\n"
        "new ones that are not critical are held. Look for a bulk load, a changed unit or a replay,\n"
        "then decide:\n\n"
        "    ferrule storms list\n"
        f"    ferrule storms release {storm.id} --reason '…'     (or merge, or void)\n"
    )
    try:
        channel.send_note(deps.settings.operator_email, subject, text)
    except (Passing, Refused) as problem:
        log.warning("operator not told by mail", storm=storm.id, reason=problem.reason)
