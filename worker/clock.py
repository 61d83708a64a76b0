"""The one module that asks the process clock. Everything else is handed its time.

Leases and due times do not come from here: they use the database's clock (`worker.database.db_now`).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tzlocal import get_localzone


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def monotonic_seconds() -> float:
    """Seconds since some fixed moment; for time-outs inside one process only."""
    return time.monotonic()


def machine_zone() -> ZoneInfo:
    """The zone this machine is set to; UTC when it has none."""
    zone = get_localzone()
    return zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC")
