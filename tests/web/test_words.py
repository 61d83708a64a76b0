"""Times, waits, names and numbers in a reader's words."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from worker.web import words
from worker.web.evidence import absent_in, value_text
from worker.web.sparkline import sparkline

OSLO = ZoneInfo("Europe/Oslo")
NOW = datetime(2026, 3, 6, 9, 0, tzinfo=UTC)
"""A Friday, 10:00 in Oslo."""


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=23), "23 h"),
        (timedelta(days=1), "yesterday"),
        (timedelta(days=2), "2 d"),
    ],
)
def test_a_wait_is_said_in_its_largest_unit(ago: timedelta, said: str) -> None:
    assert words.wait(NOW - ago, NOW) == said


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("2026-03-06T08:12:00+00:00", "09:12"),
        ("2026-03-05T22:59:00+00:00", "yesterday 23:59"),
        ("2026-03-05T23:01:00+00:00", "00:01"),
        ("2026-03-07T16:00:00+00:00", "tomorrow 17:00"),
        ("2026-03-01T07:00:00+00:00", "1 Mar 08:00"),
        ("2025-12-31T22:30:00+00:00", "31 Dec 2025 23:30"),
    ],
)
def test_a_time_is_said_in_the_sites_zone_by_its_own_calendar(moment: str, said: str) -> None:
    assert words.clock_time(datetime.fromisoformat(moment), NOW, OSLO) == said


@pytest.mark.parametrize(
    ("born", "on", "years"),
    [
        (date(1980, 3, 6), date(2026, 3, 6), 46),
        (date(1980, 3, 7), date(2026, 3, 6), 45),
        (date(2000, 2, 29), date(2026, 2, 28), 25),
    ],
)
def test_age_is_in_completed_years(born: date, on: date, years: int) -> None:
    assert words.age(born, on) == years


@pytest.mark.parametrize(
    ("comparator", "value", "unit", "said"),
    [
        ("=", "1450", "pg/mL", "1,450 pg/mL"),
        ("<", "150", "pg/mL", "< 150 pg/mL"),
        (">=", "2000", "ng/L", "≥ 2,000 ng/L"),
        ("=", "9.10", "ng/mL", "9.10 ng/mL"),
        ("=", "1234.50", "ug/L", "1,234.50 ug/L"),
        ("=", "4.5", "10*12/L", "4.5 ×10¹²/L"),
        ("=", "positive", "", "positive"),
        ("=", "007", "", "007"),
    ],
)
def test_a_value_keeps_its_digits_sign_and_unit(comparator: str, value: str, unit: str, said: str) -> None:
    assert value_text(comparator, value, unit) == said


@pytest.mark.parametrize(
    ("name", "said"), [("Ferritin", "ferritin"), ("Vitamin B12", "vitamin B12"), ("MCV", "MCV"), ("", "")]
)
def test_a_name_fits_into_a_sentence(name: str, said: str) -> None:
    assert words.in_sentence(name) == said


def test_a_trend_of_one_value_is_no_line() -> None:
    assert sparkline([(0, 1)]) == ""


def test_a_rising_trend_rises_and_a_flat_one_lies_in_the_middle() -> None:
    assert 'points="3.0,15.0 61.0,3.0"' in sparkline([(0, 1), (1, 2)])
    assert 'points="3.0,9.0 61.0,9.0"' in sparkline([(0, 5), (1, 5)])


def absent(concept: str, days: int | None) -> dict[str, str | None]:
    since = None if days is None else (NOW - timedelta(days=days)).isoformat()
    return {"absent": concept, "since": since}


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ([absent("b12_supplement", 90)], ["Not on record in the last 90 days: product with vitamin B12"]),
        (
            [absent("b12_supplement", 90), absent("b12_supplement", 180)],
            ["Not on record in the last 90 days (180 days for injections): product with vitamin B12"],
        ),
        (
            [absent("liver_disease", None), absent("macro_b12", None)],
            ["Not on record at any time: liver disease; macro-B12"],
        ),
        ([absent("solid_tumor", 1826)], ["Not on record in the last 5 years: solid tumor"]),
        ([absent("gi_referral", 730)], ["Not on record in the last 2 years: referral to gastroenterology"]),
    ],
)
def test_absence_is_said_with_how_far_back_was_looked(
    documents: list[dict[str, str | None]], said: list[str]
) -> None:
    assert absent_in(documents, NOW) == said
