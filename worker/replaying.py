"""Replay: stored messages judged again by the rules and mappings in force, along the same path as new ones.

Nothing new comes of it while nothing has changed: facts that are kept are known, and a judging that finds
what it found before changes no alert. What would change can be asked for first, and nothing is written then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, select

from alerts.people import Actor
from worker.claiming import Claimed
from worker.composition import Deps
from worker.database import reading, writing
from worker.judging import judged_unwritten
from worker.pipeline import read_stored
from worker.quarantine import read_again
from worker.tables import MESSAGE

BATCH = 200

Change = tuple[str, str, str]
"""(rule, action, reason) of an alert that would be raised, changed or closed."""


def replay(deps: Deps, since: datetime | None, to: datetime | None, by: Actor) -> int:
    """Let the messages received in that time be judged again; how many. The workers do it."""
    again = 0
    for ids in _batches(deps, since, to):
        with writing(deps.engine) as connection:
            pending = [one for one in ids if read_again(connection, one, by, "replay")]
        deps.publish(pending)
        again += len(pending)
    return again


def would_change(deps: Deps, since: datetime | None, to: datetime | None) -> Counter[Change]:
    """How many alerts a replay would change, and how. Each patient is looked at as they stand now."""
    seen: set[tuple[int, Change]] = set()
    for ids in _batches(deps, since, to):
        columns = [MESSAGE.c[name] for name in Claimed.__slots__]
        with reading(deps.engine) as connection:
            rows = connection.execute(select(*columns).where(MESSAGE.c.id.in_(ids)).order_by(MESSAGE.c.id))
            messages = [_read_once_more(Claimed(*row)) for row in rows]
        stored = (read_stored(deps, message) for message in messages)
        reads = [one for one in stored if one.whole is None]
        for judged in judged_unwritten(deps, reads):
            changes = (d for d in judged.decisions if d.step is not None)
            seen |= {(judged.stored.id, (d.rule, d.action.value, d.reason.value)) for d in changes}
    return Counter(change for _, change in seen)


def _read_once_more(message: Claimed) -> Claimed:
    """The later reading wins: without it another mapping would seem to change nothing."""
    return replace(message, reading=message.reading + 1)


def _batches(deps: Deps, since: datetime | None, to: datetime | None) -> Iterator[Sequence[int]]:
    """The ids of judged messages of that time, in the order of arrival."""
    after = 0
    while True:
        where: list[ColumnElement[bool]] = [
            MESSAGE.c.id > after, MESSAGE.c.state == "judged", MESSAGE.c.reason.is_(None)
        ]  # fmt: skip
        where += [MESSAGE.c.received_at >= since] if since else []
        where += [MESSAGE.c.received_at < to] if to else []
        with reading(deps.engine) as connection:
            ids = list(
                connection.execute(
                    select(MESSAGE.c.id).where(*where).order_by(MESSAGE.c.id).limit(BATCH)
                ).scalars()
            )
        if not ids:
            return
        yield ids
        after = ids[-1]
