"""How long an alert may wait for an answer, and who hears of it then: a site's escalation policy, and its
defaults.

A site writes it as a YAML file (`FERRULE_ESCALATION_FILE`); what is written there, and only that, replaces a
default. Pure: which alert waits since when, `alerts.escalation` and `alerts.timers` know.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from alerts.zones import zone_named
from rules.findings import Severity
from rules.shaping import shaped
from rules.yaml_source import read_yaml

Wait = Annotated[
    str,
    Field(
        pattern=r"^[1-9][0-9]{0,3} (min|h|d|working days?)$",
        description="Such as '15 min', '4 h', '7 d' or '2 working days'.",
    ),
]
UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
A_MONDAY = datetime(2026, 3, 2, 8, tzinfo=ZoneInfo("UTC"))
"""When the steps of a ladder are compared, to refuse one that would go down before it goes up."""


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ladder(_Shape):
    """What happens to an alert nobody answers, each wait counted from when it was told; `call` is the last
    step.

    `answer_within` is what the page shows as its deadline. `acknowledged_for` is how long an acknowledgement
    without any expected result holds before the alert asks again.
    """

    answer_within: Wait
    remind: Wait
    cover: Wait
    pool: Wait
    call: Wait
    acknowledged_for: Wait

    @property
    def steps(self) -> dict[str, str]:
        """The ladder from the first rung to the last."""
        return {"remind": self.remind, "cover": self.cover, "pool": self.pool, "call": self.call}


class CriticalLadder(Ladder):
    """Phone or page with read-back, within minutes (clinical.md 4.0). Laboratories aim at an hour for a
    critical value, so that a person calls when it has passed, and everybody else was asked before.
    """

    answer_within: Wait = "60 min"
    remind: Wait = "15 min"
    cover: Wait = "30 min"
    pool: Wait = "45 min"
    call: Wait = "60 min"
    acknowledged_for: Wait = "4 h"


class HighLadder(Ladder):
    """A task within one working day: the reminder comes on its morning, the next person is asked on the
    morning after it has passed. Not at night, nor on a day when nobody is there.
    """

    answer_within: Wait = "1 working day"
    remind: Wait = "1 working day"
    cover: Wait = "2 working days"
    pool: Wait = "3 working days"
    call: Wait = "4 working days"
    acknowledged_for: Wait = "14 d"


class ModerateLadder(Ladder):
    """It waits in the list; a week is an ordinary interval between two looks at it, and a month the longest
    that a matter worth an alert should lie.
    """

    answer_within: Wait = "7 d"
    remind: Wait = "7 d"
    cover: Wait = "10 d"
    pool: Wait = "14 d"
    call: Wait = "28 d"
    acknowledged_for: Wait = "30 d"


class Ladders(_Shape):
    """The ladder of each severity. There is none for low: it is shown, never pushed and never escalated."""

    critical: CriticalLadder = CriticalLadder()
    high: HighLadder = HighLadder()
    moderate: ModerateLadder = ModerateLadder()


class FollowUps(_Shape):
    """An expected result that has not come by its day: the owner is told at once, the pool after `pool`."""

    pool: Wait = "3 working days"


class Calendar(_Shape):
    """Working days and hours. A wait in working days ends when that day starts, a deadline when it ends."""

    zone: str | None = Field(
        None, description="Name of the time zone; default: FERRULE_DEFAULT_ZONE, else UTC."
    )
    day_starts: time = time(9)
    day_ends: time = time(17)
    working_days: Annotated[list[Annotated[int, Field(ge=1, le=7)]], Field(min_length=1)] = Field(
        [1, 2, 3, 4, 5], description="Monday is 1."
    )
    holidays: list[date] = []

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str | None) -> str | None:
        if zone is not None:
            zone_named(zone)
        return zone

    @property
    def tz(self) -> ZoneInfo:
        """The zone that days are counted in."""
        return ZoneInfo(self.zone or "UTC")

    def works(self, day: date) -> bool:
        """Whether somebody is there on that day."""
        return day.isoweekday() in self.working_days and day not in self.holidays

    def working_day(self, since: datetime, number: int) -> date:
        """The `number`-th working day after the day of `since`."""
        day = since.astimezone(self.tz).date()
        while number:
            day += timedelta(days=1)
            number -= self.works(day)
        return day


class EscalationPolicy(_Shape):
    """A site's escalation policy; everything has a default."""

    severities: Ladders = Ladders()
    follow_ups: FollowUps = FollowUps()
    calendar: Calendar = Calendar()

    @model_validator(mode="after")
    def _rises(self) -> Self:
        for name in ("critical", "high", "moderate"):
            ladder: Ladder = getattr(self.severities, name)
            times = [ends(self.calendar, wait, A_MONDAY) for wait in ladder.steps.values()]
            if times != sorted(times):
                raise ValueError(f"{name}: expected remind, cover, pool and call in this order of time")
        return self

    def ladder(self, severity: Severity) -> Ladder | None:
        """The ladder of a severity; None for low."""
        return None if severity is Severity.LOW else getattr(self.severities, severity.value)

    @property
    def document(self) -> dict[str, Any]:
        """All of it, defaults included, as JSON."""
        return self.model_dump(mode="json")

    @property
    def fingerprint(self) -> str:
        """The hash of what it says."""
        text = json.dumps(self.document, sort_keys=True)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def ends(calendar: Calendar, wait: str, since: datetime) -> datetime:
    """When a wait that began at `since` is over: for working days, when that day starts."""
    number, _, unit = wait.partition(" ")
    if unit in UNITS:
        return since + int(number) * UNITS[unit]
    return datetime.combine(calendar.working_day(since, int(number)), calendar.day_starts, calendar.tz)


def deadline(policy: EscalationPolicy, severity: Severity, since: datetime) -> datetime | None:
    """By when an alert wants its answer: for working days, when that day ends. None for low."""
    ladder = policy.ladder(severity)
    if ladder is None:
        return None
    number, _, unit = ladder.answer_within.partition(" ")
    if unit in UNITS:
        return since + int(number) * UNITS[unit]
    calendar = policy.calendar
    return datetime.combine(calendar.working_day(since, int(number)), calendar.day_ends, calendar.tz)


def read_policy(path: Path | None, zone: ZoneInfo | None = None) -> EscalationPolicy:
    """The policy of a file, or the default. Raises BadFile, pointing at the first key that does not fit."""
    policy = shaped(read_yaml(path), EscalationPolicy) if path else EscalationPolicy()
    if policy.calendar.zone is not None or zone is None:
        return policy
    calendar = policy.calendar.model_copy(update={"zone": zone.key})
    return policy.model_copy(update={"calendar": calendar})


@lru_cache(maxsize=16)
def policy_of(text: str) -> EscalationPolicy:
    """The policy of a kept document."""
    return EscalationPolicy.model_validate_json(text)
