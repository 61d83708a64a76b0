"""The tables of three-valued logic, every cell."""

from __future__ import annotations

from itertools import product

import pytest

from rules.truth import Truth, all_of, any_of, at_least, none_of

T, F, U = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN
ALL = {(T, T): T, (T, F): F, (T, U): U, (F, T): F, (F, F): F, (F, U): F, (U, T): U, (U, F): F, (U, U): U}
ANY = {(T, T): T, (T, F): T, (T, U): T, (F, T): T, (F, F): F, (F, U): U, (U, T): T, (U, F): U, (U, U): U}
NONE = {(T, T): F, (T, F): F, (T, U): F, (F, T): F, (F, F): T, (F, U): T, (U, T): F, (U, F): T, (U, U): T}
TWO = {(T, T): T, (T, F): F, (T, U): U, (F, T): F, (F, F): F, (F, U): F, (U, T): U, (U, F): F, (U, U): U}


@pytest.mark.parametrize("pair", list(product((T, F, U), repeat=2)))
def test_every_cell_of_every_table(pair: tuple[Truth, Truth]) -> None:
    assert all_of(pair) is ALL[pair]
    assert any_of(pair) is ANY[pair]
    assert none_of(pair) is NONE[pair]
    assert at_least(2, pair) is TWO[pair]
    assert at_least(1, pair) is ANY[pair]


def test_of_nothing_all_is_true_and_any_is_false() -> None:
    assert (all_of([]), any_of([]), none_of([])) == (T, F, T)


def test_no_answer_is_unknown() -> None:
    assert [Truth.of(answer) for answer in (True, False, None)] == [T, F, U]
