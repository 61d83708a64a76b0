"""Whether a patient is pregnant at a moment, and how many weeks: by statement first, else by code.

Statements carry forward from when they were said and hold until week 42 (280 d where weeks are unknown);
codes hold for 280 d unless a later code ends the pregnancy (clinical.md 4.0.1, "Pregnancy, sex, age").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rules.concepts import Concept, matches
from rules.facts import PregnancyStatement, Record

TERM = timedelta(weeks=42)
UNDATED = timedelta(days=280)


@dataclass(frozen=True, slots=True)
class Gravidity:
    """Pregnant or not at a moment; `weeks` completed, None when not known."""

    pregnant: bool
    weeks: int | None = None

    @property
    def trimester(self) -> int | None:
        """1 for weeks 0–13, 2 for 14–27, 3 from 28; None when weeks are unknown."""
        if self.weeks is None:
            return None
        return 1 if self.weeks < 14 else 2 if self.weeks < 28 else 3


NOT_PREGNANT = Gravidity(False)


def gravidity(
    statements: Sequence[PregnancyStatement],
    conditions: Sequence[Record],
    at: datetime,
    concepts: Mapping[str, Concept],
    slack: timedelta = timedelta(0),
) -> Gravidity:
    """The patient's state at `at`; `statements` and `conditions` are those already known.

    `slack` stretches every expiry: time that passed since an alert does not by itself end a pregnancy for it.
    """
    ended = concepts["pregnancy_end"]
    ends = [r.start for r in conditions if r.start and r.start <= at and matches(ended, r)]
    for said in sorted(statements, key=lambda s: (s.effective_at, s.arrival), reverse=True):
        if not said.pregnant and said.effective_at <= at:
            return NOT_PREGNANT
        if said.pregnant and not any(said.effective_at <= end for end in ends) and _covers(said, at, slack):
            return Gravidity(True, _weeks(said, at))
    return _by_code(conditions, at, concepts, slack)


def _covers(said: PregnancyStatement, at: datetime, slack: timedelta) -> bool:
    if said.weeks is None:
        return abs(at - said.effective_at) <= UNDATED + slack
    began = said.effective_at - timedelta(weeks=said.weeks)
    return began <= at <= began + TERM + slack


def _weeks(said: PregnancyStatement, at: datetime) -> int | None:
    if said.weeks is None:
        return None
    return said.weeks + (at - said.effective_at) // timedelta(weeks=1)


def _by_code(
    conditions: Sequence[Record], at: datetime, concepts: Mapping[str, Concept], slack: timedelta
) -> Gravidity:
    codes = [r for r in conditions if matches(concepts["pregnancy"], r)]
    ends = [r.start for r in conditions if r.start and matches(concepts["pregnancy_end"], r)]
    for code in codes:
        if code.start is None or not code.start <= at <= (code.start_last or code.start) + UNDATED + slack:
            continue
        if not any(code.start < end <= at for end in ends):
            return Gravidity(True)
    return NOT_PREGNANT
