"""What a record system is shown of one alert: the whole of it, as it stands when it is written.

Only channels into the systems that patient data came from carry any; how they word it is their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.people import Address
from alerts.states import State, Step
from rules.findings import Severity

ANSWERS = (Step.ACKNOWLEDGE, Step.DISMISS, Step.RESOLVE, Step.CLOSE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was done about an alert, by whom and when; `reason` is coded."""

    step: Step
    reason: str
    by: Address
    at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One alert. `patient` is their identifier, `evidence` as the alert keeps it (`alerts.snapshot`)."""

    alert_id: int
    patient: Address
    rule: str
    severity: Severity
    state: State
    headline: str
    text: str
    evidence: tuple[Mapping[str, Any], ...]
    actions: tuple[str, ...]
    recipients: tuple[Address, ...]
    raised_at: datetime
    updated_at: datetime
    corrected: bool = False
    answers: tuple[Answer, ...] = ()

    @property
    def withdrawn(self) -> bool:
        """Whether it was taken back: a fact it rested on was wrong."""
        return self.state is State.WITHDRAWN


Entries = Callable[[Sequence[int]], Mapping[int, Entry]]
"""Reads the alerts of a message by their ids."""
