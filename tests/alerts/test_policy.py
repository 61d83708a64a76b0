"""How long an alert may wait: the defaults, a site's own file, and what is refused in it."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.escalation import ladder
from alerts.policy import EscalationPolicy, deadline, ends, read_policy
from rules.findings import Severity
from rules.yaml_source import BadFile

OSLO = ZoneInfo("Europe/Oslo")
FRIDAY = datetime(2026, 3, 6, 9, 0, tzinfo=UTC)


def written(path: Path, text: str) -> Path:
    file = path / "escalation.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("severity", "due"),
    [
        (Severity.CRITICAL, "2026-03-06T10:00:00+00:00"),
        (Severity.HIGH, "2026-03-09T16:00:00+00:00"),
        (Severity.MODERATE, "2026-03-13T09:00:00+00:00"),
        (Severity.LOW, None),
    ],
)
def test_high_waits_to_the_end_of_the_next_working_day(severity: Severity, due: str | None) -> None:
    policy = read_policy(None, OSLO)
    assert deadline(policy, severity, FRIDAY) == (due and datetime.fromisoformat(due))


def test_a_step_in_working_days_comes_on_a_morning_and_leaves_out_holidays(tmp_path: Path) -> None:
    file = written(tmp_path, "calendar: {zone: Europe/Oslo, holidays: [2026-03-09]}\n")
    found = ladder(read_policy(file), Severity.HIGH, FRIDAY)
    assert [planned.due_at.astimezone(OSLO).isoformat() for planned in found][:2] == [
        "2026-03-10T09:00:00+01:00",
        "2026-03-11T09:00:00+01:00",
    ]


def test_a_morning_after_the_clocks_change_is_the_same_morning(tmp_path: Path) -> None:
    """F75."""
    calendar = read_policy(written(tmp_path, "calendar: {zone: Europe/Oslo}\n")).calendar
    before_the_change = datetime(2026, 3, 27, 12, tzinfo=UTC)
    assert ends(calendar, "1 working day", before_the_change).astimezone(UTC).hour == 7


def test_a_site_changes_one_ladder_and_keeps_the_others(tmp_path: Path) -> None:
    text = "severities: {critical: {pool: 40 min, call: 50 min}}"
    policy = read_policy(written(tmp_path, text))
    assert policy.severities.critical.call == "50 min"
    assert policy.severities.critical.remind == "15 min"
    assert policy.severities.high == EscalationPolicy().severities.high
    assert policy.fingerprint != EscalationPolicy().fingerprint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("severities: {low: {}}", "low"),
        ("severities: {high: {remind: soon}}", "remind"),
        ("follow_ups: {pool: 0 d}", "pool"),
        ("calendar: {zone: Atlantis}", "zone"),
        ("calendar: {working_days: []}", "working_days"),
        ("severities: {critical: {remind: 2 h}}", "order"),
    ],
)
def test_a_mistake_is_one_line_that_points_at_it(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadFile, match=said) as refused:
        read_policy(written(tmp_path, text))
    assert "\n" not in str(refused.value)
