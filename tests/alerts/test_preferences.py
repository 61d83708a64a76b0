"""How a person wants to be told: held, never dropped, and critical never held."""

from datetime import datetime

import pytest

from alerts.preferences import Preferences
from rules.findings import Severity

NIGHT = "2026-03-01T23:30:00+01:00"
DAY = "2026-03-01T10:00:00+01:00"
SLEEPER = Preferences.model_validate(
    {"digest": "07:30", "quiet": {"from": "20:00", "until": "07:00"}, "zone": "Europe/Oslo"}
)


@pytest.mark.parametrize(
    ("severity", "at", "until"),
    [
        (Severity.CRITICAL, NIGHT, None),
        (Severity.CRITICAL, DAY, None),
        (Severity.HIGH, DAY, None),
        (Severity.HIGH, NIGHT, "2026-03-02T07:00:00+01:00"),
        (Severity.HIGH, "2026-03-02T06:59:00+01:00", "2026-03-02T07:00:00+01:00"),
        (Severity.HIGH, "2026-03-02T07:00:00+01:00", None),
        (Severity.MODERATE, DAY, "2026-03-02T07:30:00+01:00"),
        (Severity.MODERATE, "2026-03-02T07:00:00+01:00", "2026-03-02T07:30:00+01:00"),
    ],
)
def test_quiet_hours_and_a_digest_hold_what_is_not_critical(
    severity: Severity, at: str, until: str | None
) -> None:
    assert SLEEPER.held_until(severity, datetime.fromisoformat(at)) == (
        until and datetime.fromisoformat(until)
    )


def test_without_preferences_everything_goes_at_once_by_every_channel() -> None:
    assert all(Preferences().held_until(s, datetime.fromisoformat(NIGHT)) is None for s in Severity)
    assert Preferences().among(("email", "pager")) == ("email", "pager")


def test_only_the_channels_somebody_wants_among_those_that_reach_them() -> None:
    assert Preferences(channels=("pager", "telepathy")).among(("email", "pager")) == ("pager",)


@pytest.mark.parametrize("wrong", [{"zone": "Atlantis"}, {"digest": "noon"}, {"quiet": {"from": "20:00"}}])
def test_a_preference_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="1 validation error"):
        Preferences.model_validate(wrong)
