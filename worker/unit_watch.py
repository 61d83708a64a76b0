"""Which sources' newest values look like those of another unit: read from the timeline, for operations.

It reads the newest rows of each source and analyte; nothing is written, nothing is excluded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from rules.analytes import CATALOGUE, to_canonical
from rules.unit_watch import TYPICAL, looks_like
from worker.tables import RESULT, SOURCE_SEEN

NEWEST, BEFORE = 60, 400
"""How many values are looked at, and how many earlier ones they are compared with."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The newest values of a source came in `unit` and look like `other`."""

    source: str
    analyte: str
    unit: str
    other: str


def suspicions(connection: Connection) -> list[Suspicion]:
    """What operations should ask each laboratory about."""
    sources = connection.execute(select(SOURCE_SEEN.c.source).order_by(SOURCE_SEEN.c.source)).scalars().all()
    return [found for source in sources for found in _of(connection, source)]


def _of(connection: Connection, source: str) -> Iterator[Suspicion]:
    for analyte in TYPICAL:
        rows = _newest(connection, source, analyte)
        newest, before = rows[:NEWEST], rows[NEWEST:]
        if not newest:
            continue
        unit = Counter(row.unit for row in newest).most_common(1)[0][0]
        other = looks_like(
            analyte,
            unit,
            _canonical(analyte, [row for row in newest if row.unit == unit]),
            _canonical(analyte, before),
        )
        if other:
            yield Suspicion(source, analyte, unit, other)


def _newest(connection: Connection, source: str, analyte: str) -> Sequence[Any]:
    asked = (
        select(RESULT.c.unit, RESULT.c.dimension, RESULT.c.base)
        .where(
            RESULT.c.analyte == analyte,
            RESULT.c.source == source,
            RESULT.c.problem.is_(None),
            RESULT.c.comparator == "=",
        )
        .order_by(RESULT.c.id.desc())
        .limit(NEWEST + BEFORE)
    )
    return connection.execute(asked).all()


def _canonical(analyte: str, rows: Sequence[Any]) -> list[Decimal]:
    values = (to_canonical(CATALOGUE[analyte], Decimal(row.base), row.dimension) for row in rows)
    return [value for value in values if value is not None]
