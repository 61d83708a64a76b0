"""What the HL7 door refused (AR, CR): kept with its bytes, listed here, never judged."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, select

from worker.tables import MESSAGE


def rejected_messages(
    connection: Connection, reason: str | None, sources: Sequence[str] | None, limit: int
) -> Sequence[RowMapping]:
    """The newest first, without their bytes; `sources` are names as messages carry them, None: all."""
    columns = (
        MESSAGE.c.id,
        MESSAGE.c.source,
        MESSAGE.c.message_id,
        MESSAGE.c.reason,
        MESSAGE.c.received_at,
    )
    found = select(*columns).where(MESSAGE.c.state == "rejected").order_by(MESSAGE.c.id.desc()).limit(limit)
    if reason is not None:
        found = found.where(MESSAGE.c.reason == reason)
    if sources is not None:
        found = found.where(MESSAGE.c.source.in_(sources))
    return connection.execute(found).mappings().all()
