"""How a person wants to be told: by which channels, what in one digest, what not at night. Pure.

Nothing is ever dropped by a preference: everything stands in the inbox at once, and what is held is sent
later. Critical is never held.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from alerts.zones import zone_named
from rules.findings import Severity

URGENT = (Severity.CRITICAL, Severity.HIGH)


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class QuietHours(_Shape):
    """From when until when nothing but critical is sent; they may go over midnight."""

    since: time = Field(alias="from")
    until: time


class Preferences(_Shape):
    """What one person prefers. `channels` None: every channel that reaches them.

    `digest` is the time of day at which what is not urgent is sent in one message.
    """

    channels: tuple[str, ...] | None = None
    digest: time | None = None
    quiet: QuietHours | None = None
    zone: str = "UTC"

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        zone_named(zone)
        return zone

    def among(self, channels: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the channels that this person wants."""
        return channels if self.channels is None else tuple(c for c in channels if c in self.channels)

    def held_until(self, severity: Severity, now: datetime) -> datetime | None:
        """When a message is sent instead of now; None: now."""
        if severity is Severity.CRITICAL:
            return None
        if self.digest is not None and severity not in URGENT:
            return self._next(self.digest, now)
        return self._next(self.quiet.until, now) if self.quiet and self._is_quiet(self.quiet, now) else None

    def _is_quiet(self, quiet: QuietHours, now: datetime) -> bool:
        at = now.astimezone(ZoneInfo(self.zone)).time()
        if quiet.since <= quiet.until:
            return quiet.since <= at < quiet.until
        return at >= quiet.since or at < quiet.until

    def _next(self, at: time, now: datetime) -> datetime:
        zone = ZoneInfo(self.zone)
        local = now.astimezone(zone)
        today = datetime.combine(local.date(), at, zone)
        return today if today > local else datetime.combine(local.date() + timedelta(days=1), at, zone)


NONE = Preferences()
