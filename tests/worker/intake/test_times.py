from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.facts import Unusable
from worker.intake.marks import Mark
from worker.intake.times import NoTimeError, read_date, read_end, read_instant, read_start

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T07:30:00Z", datetime(2026, 3, 1, 7, 30, tzinfo=UTC)),
        ("2026-03-01T07:30:00+01:00", datetime(2026, 3, 1, 6, 30, tzinfo=UTC)),
        ("2026-03-01T07:30-0500", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01 07:30:00.123456789Z", datetime(2026, 3, 1, 7, 30, 0, 123456, tzinfo=UTC)),
    ],
)
def test_a_time_with_offset_needs_no_zone(text, expected):
    assert read_instant(text, None).at == expected


def test_a_time_without_offset_is_read_in_the_zone():
    assert read_instant("2026-07-01T07:30:00", BERLIN).at == datetime(2026, 7, 1, 5, 30, tzinfo=UTC)


def test_a_time_without_offset_and_zone_is_zone_unknown():
    assert read_instant("2026-07-01T07:30:00", None).problem is Unusable.ZONE_UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        None, "", "  ", "2024-02-30T08:00:00Z", "2024-13-01T08:00:00Z", "2024-01-01T24:00:00Z",
        "2024-01-01T08:00:60Z", "2024", "2024-13", "20240101080000", "yesterday", "2024-01-01T08:00:00+99:00",
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "٢٠٢٤-01-01T08:00:00Z", "2024-02-30",
    ],
)  # fmt: skip
def test_what_names_no_instant_is_no_time(text):
    assert read_instant(text, BERLIN).problem is Unusable.NO_TIME


def test_a_bare_date_is_the_first_instant_of_its_day_and_marked():
    read = read_instant("2026-03-01", BERLIN)
    assert read.at == datetime(2026, 2, 28, 23, 0, tzinfo=UTC)
    assert Mark.TIME_OF_DAY_MISSING in read.marks


def test_in_a_repeated_hour_the_earlier_instant_is_taken_and_marked():
    read = read_instant("2026-10-25T02:30:00", BERLIN)
    assert read.at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert read.marks == (Mark.HOUR_REPEATED,)


def test_a_skipped_hour_is_shifted_and_marked():
    read = read_instant("2026-03-29T02:30:00", BERLIN)
    assert read.at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert read.marks == (Mark.HOUR_SKIPPED,)


def test_a_record_date_is_a_whole_local_day():
    start, end = read_start("2026-03-29", BERLIN), read_end("2026-03-29", BERLIN)
    assert start == datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    assert end + timedelta(microseconds=1) == datetime(2026, 3, 29, 22, 0, tzinfo=UTC)


def test_a_record_date_without_a_zone_is_a_day_of_utc():
    assert read_start("2026-03-01", None) == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_record_may_name_a_month_or_a_year():
    assert read_start("2019-05", None) == datetime(2019, 5, 1, tzinfo=UTC)
    assert read_end("2019", None) == datetime(2019, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize("text", ["soon", "2024-02-30", "2024-1-1"])
def test_a_record_date_that_names_nothing_is_refused(text):
    with pytest.raises(NoTimeError):
        read_start(text, None)


@pytest.mark.parametrize("text", [None, "", "1980", "1980-02", "1980-02-30", "0980-02-03"])
def test_a_birth_date_that_is_not_a_day_is_none(text):
    assert read_date(text) is None


def test_a_birth_date_is_the_day_as_written():
    assert read_date("1980-02-03") == read_date("1980-02-03T23:00:00-05:00") == date(1980, 2, 3)


@given(st.text(max_size=40), st.sampled_from([None, BERLIN]))
def test_no_text_makes_the_reader_raise(text, zone):
    read = read_instant(text, zone)
    assert (read.at is None) == (read.problem is not None)


@given(st.integers(-2_000_000_000, 4_000_000_000).map(lambda n: datetime.fromtimestamp(n, UTC)))
def test_every_instant_reads_back_as_itself(at):
    assert read_instant(at.isoformat(), None).at == at
