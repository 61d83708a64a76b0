"""Releasing many: what waits for one reason, and results that a mapping has learned to understand since.

Small transactions, the oldest first: stopped half way, it goes on where it was when it is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Select, select

from alerts.people import Actor
from worker.code_gaps import Gap, gaps, waiting_results
from worker.database import reading, retried, writing
from worker.quarantine import NotInQuarantine, Only, read_again, release, waiting
from worker.sources import Sources
from worker.tables import MESSAGE, RESULT, SOURCE_SEEN

CHUNK = 100


@dataclass(frozen=True, slots=True)
class Released:
    """How many messages will be read again, and how many could not be: their ids belong to others."""

    messages: int = 0
    held: int = 0

    def __add__(self, other: Released) -> Released:
        return Released(self.messages + other.messages, self.held + other.held)


def sources_named(connection: Connection, sources: Sources, name: str | None) -> list[str] | None:
    """The sources, as messages carry them, that a short name (or such a source itself) stands for."""
    if name is None:
        return None
    seen = connection.execute(select(SOURCE_SEEN.c.source)).scalars()
    return [source for source in seen if name in (source, sources.label(source))]


def release_all(
    engine: Engine, only: Only, by: Actor, told: Callable[[int], None] = lambda _count: None
) -> Released:
    """Release every item that `only` means; `told` hears how many items were dealt with, now and then."""
    total, after = Released(), 0
    while True:
        with reading(engine) as connection:
            items = [row["id"] for row in waiting(connection, only, CHUNK, after)]
        if not items:
            return total
        total += _release_chunk(engine, items, by)
        after = items[-1]
        told(len(items))


def _release_chunk(engine: Engine, items: Sequence[int], by: Actor) -> Released:
    def step() -> Released:
        with writing(engine) as connection:
            return sum((_release_one(connection, item, by) for item in items), Released())

    return retried(step)


def _release_one(connection: Connection, item: int, by: Actor) -> Released:
    """One item. Another item of the same message may have answered for it a moment ago."""
    try:
        with connection.begin_nested():
            release(connection, item, by)
        return Released(messages=1)
    except NotInQuarantine as error:
        return Released(held=1) if "holds this id" in str(error) else Released()


def messages_understood_now(
    connection: Connection, sources: Sources, reason: str | None, name: str | None
) -> Iterator[int]:
    """The messages with results that were not used, and whose code or unit the mapping in force knows."""
    found = [gap for gap in gaps(connection, sources, name) if gap.mapped and reason in (None, gap.problem)]
    seen: set[int] = set()
    for gap in found:
        for message in connection.execute(_behind(gap)).scalars():
            if message not in seen:
                seen.add(message)
                yield message


def _behind(gap: Gap) -> Select[Any]:
    return (
        waiting_results(RESULT.c.message_id)
        .join(MESSAGE, MESSAGE.c.id == RESULT.c.message_id)
        .where(
            MESSAGE.c.state == "judged",
            RESULT.c.source == gap.source,
            RESULT.c.code_system == gap.system,
            RESULT.c.code == gap.code,
            RESULT.c.code_name == gap.name,
            RESULT.c.reported_unit == gap.unit,
            RESULT.c.problem == gap.problem,
        )
        .distinct()
        .order_by(RESULT.c.message_id)
    )


def read_all_again(
    engine: Engine,
    messages: Sequence[int],
    by: Actor,
    because: str,
    told: Callable[[int], None] = lambda _count: None,
) -> Released:
    """Let all of `messages` be read again, a hundred in one transaction."""
    total = Released()
    for start in range(0, len(messages), CHUNK):
        chunk = messages[start : start + CHUNK]
        with writing(engine) as connection:
            done = [read_again(connection, message, by, because) for message in chunk]
        total += Released(done.count(True), done.count(False))
        told(len(chunk))
    return total
