"""Rows B01 to B10: MLLP frames out of bytes, however those are cut. Sockets are `tests/mllp`."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.mllp import HEAD_BYTES, Framer, Outcome, Seen, framed

LIMIT = 24

# Every sign that means something, often, and some that mean nothing.
PIECES = st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"\x1c\r", b"A", b"MSH|", b"\x00", b"\xff", b" "])
BYTES = st.lists(PIECES, max_size=40).map(b"".join)


def framer(**options: object) -> Framer:
    return Framer(LIMIT, **{"max_noise": 16, **options})


def seen_in(pieces: list[bytes], **options: object) -> list[Seen]:
    protocol = framer(**options)
    seen = [one for piece in pieces for one in protocol.receive(piece)]
    return seen + protocol.finish()


def outcomes(data: bytes, **options: object) -> list[tuple[Outcome, bytes]]:
    return [(one.outcome, one.content) for one in seen_in([data], **options)]


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[a:b] for a, b in pairwise(places)]


@given(BYTES, st.lists(st.integers(0, 1000), max_size=6), st.booleans())
def test_the_same_bytes_give_the_same_frames_however_they_are_cut(data, places, lenient):
    whole = seen_in([data], lenient=lenient)
    assert seen_in(cut(data, places), lenient=lenient) == whole
    assert seen_in([bytes([byte]) for byte in data], lenient=lenient) == whole


@given(st.lists(st.binary(max_size=LIMIT), max_size=6), st.binary(max_size=12))
def test_frames_with_rubbish_around_are_the_frames_without_it(contents, rubbish):
    clean = [content.translate(None, b"\x0b\x1c") for content in contents]
    dirt = b"x" + rubbish.translate(None, b"\x0b")
    wire = b"".join(dirt + framed(content) for content in clean) + dirt
    frames = [one.content for one in seen_in([wire]) if one.is_frame]
    assert frames == clean


@given(st.binary(max_size=200))
def test_b12_no_bytes_raise_and_every_byte_of_a_frame_is_kept_or_counted(data):
    for one in seen_in([data]):
        assert len(one.content) <= max(one.size, 4)
        assert one.is_frame is (one.outcome in {Outcome.FRAME, Outcome.EMPTY, Outcome.END_WITHOUT_CR})


def test_b01_bytes_before_the_start_block_are_counted_and_passed_over():
    assert outcomes(b"hello\x0bMSH|1\x1c\r") == [(Outcome.NOISE, b"hello"), (Outcome.FRAME, b"MSH|1")]


def test_b01_too_many_bytes_without_a_start_block_end_the_connection():
    protocol = framer()
    assert [one.outcome for one in protocol.receive(b"n" * 17)] == [Outcome.TOO_MUCH_NOISE]
    assert protocol.closed
    assert protocol.receive(framed(b"MSH|late")) == []


def test_b01_line_ends_between_frames_are_no_fault():
    assert outcomes(b"\r\n" + framed(b"MSH|1") + b"\r\n\r\n" + framed(b"MSH|2") + b"\n") == [
        (Outcome.FRAME, b"MSH|1"),
        (Outcome.FRAME, b"MSH|2"),
    ]


def test_b02_a_frame_without_its_end_is_discarded_when_the_sender_hangs_up():
    assert outcomes(b"\x0bMSH|half") == [(Outcome.TRUNCATED, b"MSH|half")]


def test_b03_an_end_block_without_cr_waits_and_is_taken_when_nothing_follows():
    protocol = framer()
    assert protocol.receive(b"\x0bMSH|1\x1c") == []
    assert protocol.awaits_cr
    assert protocol.expire() == [Seen(Outcome.END_WITHOUT_CR, b"MSH|1", 5)]
    assert not protocol.in_frame


def test_b03_the_cr_that_comes_late_is_no_noise():
    protocol = framer()
    protocol.receive(b"\x0bMSH|1\x1c")
    protocol.expire()
    assert protocol.receive(b"\r" + framed(b"MSH|2")) == [Seen(Outcome.FRAME, b"MSH|2", 5)]


@pytest.mark.parametrize(
    ("wire", "end"), [(b"\x0bMSH|1\x1c", b""), (b"\x0bMSH|1\x1c", framed(b"MSH|2"))], ids=["end", "next"]
)
def test_b03_strictly_such_a_frame_is_discarded(wire, end):
    first = seen_in([wire + end], lenient=False)[0]
    assert (first.outcome, first.size) == (Outcome.TRUNCATED, 6)
    assert seen_in([wire + end])[0] == Seen(Outcome.END_WITHOUT_CR, b"MSH|1", 5)


def test_b04_a_start_block_inside_a_message_ends_the_first_and_begins_the_second():
    assert outcomes(b"\x0bMSH|one" + framed(b"MSH|two")) == [
        (Outcome.TRUNCATED, b"MSH|one"),
        (Outcome.FRAME, b"MSH|two"),
    ]


@pytest.mark.parametrize("inside", [b"a\x1cb", b"a\x1c\nb", b"\x1c\x1c", b"\x1cMSH"])
def test_b05_only_an_end_block_with_its_cr_ends_a_frame(inside):
    assert outcomes(framed(inside)) == [(Outcome.FRAME, inside)]


def test_b06_two_messages_in_one_piece_are_two_frames():
    assert outcomes(framed(b"MSH|1") + framed(b"MSH|2")) == [
        (Outcome.FRAME, b"MSH|1"),
        (Outcome.FRAME, b"MSH|2"),
    ]


@pytest.mark.parametrize("content", [b"", b"\r", b" \r\n"])
def test_b08_a_frame_with_nothing_in_it_is_one_that_is_answered(content):
    (one,) = seen_in([framed(content)])
    assert one.outcome is Outcome.EMPTY
    assert one.is_frame


def test_b09_a_frame_over_the_limit_is_given_up_with_its_head():
    protocol = Framer(10_000)
    (one,) = protocol.receive(b"\x0bMSH|" + b"x" * 20_000)
    assert (one.outcome, len(one.content)) == (Outcome.TOO_LARGE, HEAD_BYTES)
    assert one.content.startswith(b"MSH|")
    assert protocol.closed


def test_b09_a_frame_at_the_limit_is_taken_and_one_byte_more_is_not():
    assert seen_in([framed(b"x" * LIMIT)])[0].outcome is Outcome.FRAME
    assert seen_in([framed(b"x" * (LIMIT + 1))])[0].outcome is Outcome.TOO_LARGE


@pytest.mark.parametrize("hello", [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n", b"SSH-2.0-x\r\n"])
def test_b10_another_protocol_is_told_from_noise_and_ends_the_connection(hello):
    (one,) = seen_in([hello])
    assert one.outcome is Outcome.WRONG_PROTOCOL


def test_a_long_frame_in_single_bytes_is_not_searched_again_and_again():
    protocol = Framer(300_000)
    protocol.receive(b"\x0b")
    for _ in range(200_000):
        protocol.receive(b"x")
    (one,) = protocol.receive(b"\x1c\r")
    assert one.size == 200_000
