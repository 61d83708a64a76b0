"""One event, however its JSON is written: compared by exact content."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.json_text import canonical, dumps, loads
from worker.intake.same_event import is_same_event

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.decimals(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a": 1, "b": [2]}', b'{"b":[2],"a":1}'),
        (b'{"v": 9.10}', b'{"v": 9.1}'),
        (b'{"v": 1450}', b'{"v": 1.45e3}'),
        (b'{"v": 0}', b'{"v": -0.00}'),
        ('{"n": "Å"}'.encode(), b'{"n": "\\u00c5"}'),
        (b'{"datacontenttype": "application/json", "v": 1}', b'{"v": 1}'),
        (b"\xef\xbb\xbf{}", b"{ }"),
    ],
)
def test_the_same_content_in_other_bytes_is_the_same_event(one: bytes, other: bytes) -> None:
    assert is_same_event(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"v": 9.1}', b'{"v": "9.1"}'),
        (b'{"v": 9.1}', b'{"v": 9.1000000000000000000000000000000000001}'),
        (b'{"v": 1e400}', b'{"v": 1e401}'),
        (b'{"v": 10}', b'{"v": 100}'),
        (b'{"v": [1, 2]}', b'{"v": [2, 1]}'),
        (b'{"v": null}', b"{}"),
        (b'{"v": 1}', b"not json"),
        (b"not json", b"not json "),
    ],
)
def test_other_content_is_another_event(one: bytes, other: bytes) -> None:
    assert not is_same_event(one, other)


@given(VALUES)
def test_what_is_written_back_reads_as_it_was(value: object) -> None:
    once = loads(dumps(value).encode())
    again = loads(dumps(once).encode())
    assert canonical(again) == canonical(once)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False))
def test_numbers_are_one_if_and_only_if_they_are_equal(one: object, other: object) -> None:
    texts = [json.dumps({"v": 0}).replace("0", str(number)).encode() for number in (one, other)]
    assert is_same_event(*texts) is (one == other)
