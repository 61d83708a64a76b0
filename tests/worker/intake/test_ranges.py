import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.event import RangeItem
from worker.intake.ranges import limits_in_text, limits_of


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("13-150", "13", "150"),
        ("13.0 - 150.0", "13.0", "150.0"),
        ("(13 – 150)", "13", "150"),
        ("13 to 150 ng/mL", "13", "150"),
        ("<5", None, "5"),
        ("<= 5.0", None, "5.0"),
        ("up to 20", None, "20"),
        (">60", "60", None),
        ("≥ 60", "60", None),
        ("60-", "60", None),
        ("-5-5", "-5", "5"),
    ],
)
def test_a_range_is_read(text, low, high):
    read = limits_in_text(text, "ng/mL")
    assert (read.low, read.high, read.readable) == (low, high, True)


@pytest.mark.parametrize(
    "text", ["neg", "see note", "13,0-150,0", "13-150 pmol/L", "F: 13-150 M: 30-400", "١-٢"]
)
def test_a_range_that_cannot_be_read_is_no_range(text):
    read = limits_in_text(text, "ng/mL")
    assert (read.low, read.high, read.readable) == (None, None, False)


def test_no_range_is_readable_as_none():
    assert limits_of(None, "ng/mL").readable
    assert limits_in_text("  ", "ng/mL").readable


def test_fields_win_over_text():
    read = limits_of(RangeItem(low="13", high="<150", text="1-2"), "ng/mL")
    assert (read.low, read.high) == ("13", "150")


def test_a_limit_that_is_no_number_is_dropped_and_said():
    read = limits_of(RangeItem(low="13", high="150,0"), "ng/mL")
    assert (read.low, read.high, read.readable) == ("13", None, False)


@given(st.text(max_size=60))
def test_no_text_makes_the_reader_raise(text):
    read = limits_in_text(text, None)
    assert read.readable or (read.low is None and read.high is None)
