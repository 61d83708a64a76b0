"""What the demo shows while it runs: each alert as it is raised, withdrawn or closed, from the database.

Made-up patients' numbers may be shown here; the program's own logs never hold one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text
from sqlalchemy import Connection, Row, Select, select

from alerts.states import Step
from alerts.tables import ALERT, ALERT_EVENT
from worker.tables import PATIENT

_SHOWN = (Step.RAISE, Step.WITHDRAW, Step.CLOSE)
_LOOKS = {
    "critical": ("● CRITICAL", "bold white on red"),
    "high": ("◆ HIGH    ", "bold red"),
    "moderate": ("▲ MODERATE", "yellow"),
    "low": ("○ LOW     ", "cyan"),
}


@dataclass
class Watcher:
    """Prints every step of an alert once, in the order they happened."""

    console: Console
    last: int = 0

    def show_new(self, connection: Connection) -> None:
        """Print what has happened since the last look."""
        for row in connection.execute(_steps_after(self.last)):
            self.last = row.id
            if row.step in _SHOWN:
                self.console.print(_line(row), soft_wrap=True)


def _steps_after(last: int) -> Select[Any]:
    columns = (ALERT_EVENT.c.id, ALERT_EVENT.c.step, ALERT_EVENT.c.reason, ALERT_EVENT.c.at)
    shown = (ALERT.c.severity, ALERT.c.headline, PATIENT.c.ident)
    joined = ALERT_EVENT.join(ALERT, ALERT.c.id == ALERT_EVENT.c.alert_id).join(
        PATIENT, PATIENT.c.id == ALERT.c.patient_id
    )
    return (
        select(*columns, *shown).select_from(joined).where(ALERT_EVENT.c.id > last).order_by(ALERT_EVENT.c.id)
    )


def _line(row: Row[Any]) -> Text:
    label, style = _LOOKS[row.severity]
    line = Text(f"  {label}  ", style=style if row.step == Step.RAISE else "dim")
    line.append(f"{row.ident}  ", style="default")
    if row.step == Step.RAISE:
        return line.append(row.headline, style="default")
    word = "withdrawn" if row.step == Step.WITHDRAW else "closed"
    return line.append(f"{word} ({row.reason}): {row.headline}", style="dim")
