"""A printed number with a sign is an interval; it is compared as one."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.facts import Comparator
from rules.intervals import Interval
from rules.nodes import Op
from rules.truth import Truth

T, F, U = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN


@pytest.mark.parametrize(
    ("printed", "op", "limit", "truth"),
    [
        ("=180", "<", 180, F),
        ("=180", "<=", 180, T),
        ("=180", ">=", 180, T),
        ("=180", ">", 180, F),
        ("<150", "<", 180, T),
        ("<180", "<", 180, T),
        ("<=180", "<", 180, U),
        ("<=180", "<=", 180, T),
        ("<200", "<", 180, U),
        ("<180", ">=", 180, F),
        (">2000", ">", 950, T),
        (">950", ">", 950, T),
        (">=950", ">", 950, U),
        (">=950", ">=", 950, T),
        (">900", ">", 950, U),
        (">950", "<=", 950, F),
        (">60", "<", 30, F),
    ],
)
def test_a_comparison_is_true_only_if_all_of_the_interval_satisfies_it(
    printed: str, op: str, limit: int, truth: Truth
) -> None:
    sign, number = printed.rstrip("0123456789"), printed.lstrip("<>=")
    assert Interval.of(Decimal(number), Comparator(sign)).compared(Op(op), Decimal(limit)) is truth


numbers = st.decimals(min_value=0, max_value=1000, places=1)


@given(value=numbers, limit=numbers, sign=st.sampled_from(Comparator), op=st.sampled_from(Op), true=numbers)
def test_no_value_that_the_sign_allows_contradicts_the_answer(
    value: Decimal, limit: Decimal, sign: Comparator, op: Op, true: Decimal
) -> None:
    allowed = {
        "<": true < value,
        "<=": true <= value,
        "=": true == value,
        ">=": true >= value,
        ">": true > value,
    }
    if not allowed[sign]:
        return
    holds = {"<": true < limit, "<=": true <= limit, ">=": true >= limit, ">": true > limit}[op]
    answer = Interval.of(value, sign).compared(op, limit)
    assert answer in (Truth.of(holds), Truth.UNKNOWN)


def test_the_difference_of_two_censored_values_is_open_on_the_unknown_side() -> None:
    high = Interval.of(Decimal(120), Comparator.GT)
    low = Interval.of(Decimal(100), Comparator.EQ)
    assert high.minus(low).compared(Op.GT, Decimal(20)) is T
    assert low.minus(high).compared(Op.GE, Decimal(0)) is F
    assert high.minus(high).compared(Op.GE, Decimal(0)) is U
