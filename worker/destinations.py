"""One word to operations when a channel's destination begins to fail, and one when it takes again.

What fails since when is `alerts.destinations`.
"""

from __future__ import annotations

from alerts.channels.channel import Passing, Refused
from alerts.destinations import Change, unsaid
from worker.channels import email_channel
from worker.composition import Deps
from worker.database import writing
from worker.logs import logger

log = logger("worker.destinations")


def destinations_due(deps: Deps) -> int:
    """Say what began and what ended; how much there was."""
    with writing(deps.engine) as connection:
        changes = unsaid(connection, deps.clock(connection))
    for change in changes:
        _say(deps, change)
    return len(changes)


def _say(deps: Deps, change: Change) -> None:
    if change.failing:
        log.warning("destination fails", channel=change.channel, reason=change.reason)
    else:
        log.info("destination takes again", channel=change.channel)
    mail, to = email_channel(deps.settings), deps.settings.operator_email
    if mail is None or to is None or (change.failing and change.channel == mail.name):
        return
    try:
        mail.send_note(to, *_words(change))
    except (Passing, Refused) as problem:
        log.warning("operator not told by mail", channel=change.channel, reason=problem.reason)


def _words(change: Change) -> tuple[str, str]:
    if change.failing:
        return (
            f"Ferrule: {change.channel} does not take what is sent ({change.reason})",
            f"Since {change.since:%Y-%m-%d %H:%M} UTC. Alerts wait and are tried again for 24 hours;\n"
            "the inbox shows them all the same. See FerruleOutboxStuck in the runbook.\n",
        )
    return f"Ferrule: {change.channel} takes again what is sent", "What waited is being sent.\n"
