"""What keeps an alert from being told although it is raised: results from before go-live, or a storm.

Pure: what is live and which storms are in force is handed in. A critical alert is never held by a storm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rules.findings import Evidence, Severity


class HeldFor(StrEnum):
    """Why an alert is held: the closed set that the alert, the metric and the audit trail show."""

    BEFORE_GO_LIVE = "before-go-live"
    STORM = "storm"


class Surge(StrEnum):
    """What a storm is of."""

    RULE = "rule"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Hold:
    """Why one alert is held, and by which storm."""

    why: HeldFor
    storm: int | None = None


def _everything_is_live(_evidence: Sequence[Evidence]) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Holds:
    """What holds the alerts of one judging. `is_live` tells whether evidence has anything new since go-live;
    `storms` are those in force; `source` is who sent the message that is judged.
    """

    is_live: Callable[[Sequence[Evidence]], bool] = _everything_is_live
    storms: Mapping[tuple[str, str], int] = field(default_factory=dict)
    source: str | None = None

    def of(self, rule: str, severity: Severity, evidence: Sequence[Evidence]) -> Hold | None:
        """Why an alert of `rule` on `evidence` is held; None: it is told."""
        if not self.is_live(evidence):
            return Hold(HeldFor.BEFORE_GO_LIVE)
        if severity is Severity.CRITICAL:
            return None
        storm = self.storms.get((Surge.RULE, rule)) or self.storms.get((Surge.SOURCE, self.source or ""))
        return Hold(HeldFor.STORM, storm) if storm else None


NOTHING_HELD = Holds()
