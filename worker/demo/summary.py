"""What became of the demo's day, counted from the record, for people and for scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from rich.table import Table
from sqlalchemy import ColumnElement, Connection, Select, func, select

from alerts.states import OPEN, State
from alerts.tables import ALERT, DELIVERY
from worker.tables import MESSAGE


@dataclass(frozen=True, slots=True)
class Summary:
    """`stored` are the messages kept, in quarantine or not; with `duplicates` they are all that was sent.

    `tasks_by_worker` counts the patients judged by each worker process; `told` the
    deliveries made by each channel.
    """

    stored: int
    quarantined: int
    duplicates: int
    tasks_by_worker: Mapping[str, int]
    alerts_open: Mapping[str, int]
    withdrawn: int
    told: Mapping[str, int]

    def as_line(self) -> str:
        """One JSON object on one line."""
        return json.dumps(asdict(self))


def count(connection: Connection, *, arrived: int, tasks_by_worker: Mapping[str, int]) -> Summary:
    """The summary of a database that holds nothing but the demo; `arrived` counts repeats too."""
    stored = _number(connection, select(func.count()).select_from(MESSAGE))
    aside = select(func.count()).select_from(MESSAGE).where(MESSAGE.c.state == "quarantined")
    withdrawn = select(func.count()).select_from(ALERT).where(ALERT.c.state == State.WITHDRAWN)
    return Summary(
        stored=stored,
        quarantined=_number(connection, aside),
        duplicates=arrived - stored,
        tasks_by_worker=tasks_by_worker,
        alerts_open=_by(connection, ALERT.c.rule, ALERT.c.state.in_(OPEN)),
        withdrawn=_number(connection, withdrawn),
        told=_by(connection, DELIVERY.c.channel, DELIVERY.c.sent_at.is_not(None)),
    )


def as_table(summary: Summary) -> Table:
    """The same for people."""
    table = Table(title="The day in numbers", show_header=False, title_justify="left")
    table.add_row("messages stored", str(summary.stored))
    table.add_row("  of them in quarantine", str(summary.quarantined))
    table.add_row("repeats, taken once", str(summary.duplicates))
    for pid, judged in summary.tasks_by_worker.items():
        table.add_row(f"judged by worker process {pid}", str(judged))
    table.add_section()
    for rule, alerts in summary.alerts_open.items():
        table.add_row(f"open: {rule}", str(alerts))
    table.add_row("withdrawn after a correction", str(summary.withdrawn))
    for channel, deliveries in summary.told.items():
        table.add_row(f"told by {channel}", str(deliveries))
    return table


def _number(connection: Connection, statement: Select[int]) -> int:
    return connection.execute(statement).scalar_one()


def _by(connection: Connection, column: ColumnElement[str], which: ColumnElement[bool]) -> dict[str, int]:
    counted = select(column, func.count()).where(which).group_by(column).order_by(column)
    return {row[0]: row[1] for row in connection.execute(counted)}
