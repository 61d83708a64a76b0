"""Messages of nobody: control samples and test patients. Kept with their bytes, counted, listed here, never
judged.

A laboratory that marks a patient's tube as a control by mistake is found by this list, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, RowMapping, func, select

from worker.intake.marks import Mark
from worker.reading import Read
from worker.tables import MESSAGE

NOBODYS = (Mark.CONTROL_SAMPLE.value, Mark.TEST_PATIENT.value)


def keep_apart(connection: Connection, reads: Iterable[Read]) -> None:
    """Mark the messages of which a part is nobody's."""
    for mark in NOBODYS:
        ids = [read.message.id for read in reads if mark in read.noticed]
        if ids:
            marked = MESSAGE.update().where(MESSAGE.c.id.in_(ids), MESSAGE.c.flag.is_(None))
            connection.execute(marked.values(flag=mark))


def apart(connection: Connection, sources: Sequence[str] | None, limit: int) -> Sequence[RowMapping]:
    """The newest first, without their bytes; `sources` are names as messages carry them, None: all."""
    columns = (
        MESSAGE.c.id,
        MESSAGE.c.source,
        MESSAGE.c.message_id,
        MESSAGE.c.flag.label("reason"),
        MESSAGE.c.received_at,
    )
    found = select(*columns).where(MESSAGE.c.flag.in_(NOBODYS)).order_by(MESSAGE.c.id.desc()).limit(limit)
    if sources is not None:
        found = found.where(MESSAGE.c.source.in_(sources))
    return connection.execute(found).mappings().all()


def counted_apart(connection: Connection, sources: Sequence[str] | None) -> Sequence[RowMapping]:
    """How many, by what they are and who sent them, and when the last one came."""
    by = (MESSAGE.c.flag.label("reason"), MESSAGE.c.source)
    counted = (func.count().label("count"), func.max(MESSAGE.c.received_at).label("newest"))
    found = (
        select(*by, *counted).where(MESSAGE.c.flag.in_(NOBODYS)).group_by(MESSAGE.c.flag, MESSAGE.c.source)
    )
    if sources is not None:
        found = found.where(MESSAGE.c.source.in_(sources))
    return connection.execute(found.order_by(func.count().desc(), *by)).mappings().all()
