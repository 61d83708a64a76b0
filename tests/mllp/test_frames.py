"""Rows B01 to B10 on real sockets: what is in a frame is answered, what is not is left alone."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from tests.mllp.door import LIMITS, Door, door, numbered, said
from tests.worker.intake.examples import obx, report
from worker import metrics
from worker.database import make_engine
from worker.intake.mllp import framed


@pytest.fixture
def here(sqlite_url: str) -> Iterator[Door]:
    with door(make_engine(sqlite_url)) as made:
        yield made


@pytest.fixture
def counted() -> Callable[[str], float]:
    """How often an outcome was counted since the test began."""
    before = {name: value(name) for name in ("noise", "truncated", "empty", "too-large", "wrong-protocol",
              "too-much-noise", "timeout", "end-without-cr", "frame")}  # fmt: skip
    return lambda name: value(name) - before[name]


def value(outcome: str) -> float:
    return metrics.MLLP_FRAMES.labels(outcome)._value.get()


def test_b01_bytes_before_the_start_block_are_passed_over_and_counted(here, counted):
    answer = here.connect().send_raw(b"hello\r\n" + framed(numbered("A"))).answer()
    assert said(answer) == ("AA", "A")
    assert counted("noise") == 1


def test_b01_too_many_bytes_without_a_start_block_close_the_connection(here, counted):
    sender = here.connect().send_raw(b"n" * 70_000)
    assert sender.is_closed()
    assert counted("too-much-noise") == 1


def test_b02_a_message_without_its_end_is_neither_stored_nor_answered(here, counted):
    sender = here.connect().send_raw(b"\x0b" + numbered("A"))
    sender.socket.shutdown(1)
    assert sender.is_closed()
    assert here.rows() == []
    assert counted("truncated") == 1


def test_b03_an_end_block_without_its_cr_is_answered_after_a_second(here, counted):
    sender = here.connect().send_raw(b"\x0b" + numbered("A") + b"\x1c")
    assert sender.is_silent(0.5)
    assert said(sender.answer()) == ("AA", "A")
    assert counted("end-without-cr") == 1
    assert said(sender.asked(numbered("B"))[0]) == ("AA", "B")


def test_b03_strictly_it_is_discarded(sqlite_url, counted):
    with door(make_engine(sqlite_url), limits=replace(LIMITS, lenient=False)) as here:
        sender = here.connect().send_raw(b"\x0b" + numbered("A") + b"\x1c")
        assert sender.is_silent(1.5)
        assert said(sender.asked(numbered("B"))[0]) == ("AA", "B")
        assert len(here.rows()) == 1
    assert counted("truncated") == 1


def test_b04_a_message_that_another_one_interrupts_is_dropped_and_the_other_is_taken(here, counted):
    sender = here.connect().send_raw(b"\x0b" + numbered("A")[:60] + framed(numbered("B")))
    assert said(sender.answer()) == ("AA", "B")
    assert counted("truncated") == 1


def test_b05_an_end_block_inside_the_data_is_content(here):
    raw = report(obx("a\x1cb", f2="ST"))
    assert said(here.connect().asked(raw)[0])[0] == "AA"
    assert here.rows()[0].raw == raw


def test_b06_two_messages_in_one_segment_and_one_in_single_bytes_are_all_answered(here):
    sender = here.connect()
    assert [said(answer)[1] for answer in sender.asked(numbered("A"), numbered("B"))] == ["A", "B"]
    for byte in framed(numbered("C")):
        sender.send_raw(bytes([byte]))
    assert said(sender.answer()) == ("AA", "C")
    assert [row.message_id for row in here.rows()] == ["A", "B", "C"]


def test_b07_pipelined_messages_are_answered_in_order_each_with_its_own_id(here):
    ids = [f"M{number}" for number in range(300)]
    dice = random.Random(7)
    contents = [numbered(id, f12=dice.choice(["2.5.1", "2.5.1", "9.9"])) for id in ids]
    answers = here.connect().asked(*contents)
    assert [said(answer)[1] for answer in answers] == ids
    assert [row.message_id for row in here.rows()] == ids


def test_b08_an_empty_frame_is_rejected_with_an_empty_id(here, counted):
    sender = here.connect()
    assert said(sender.asked(b"")[0]) == ("AR", "")
    assert counted("empty") == 1
    assert said(sender.asked(numbered("A"))[0]) == ("AA", "A")


@pytest.mark.parametrize("megabytes", [5, 20])
def test_b09_a_message_over_the_limit_is_rejected_by_its_header_and_the_connection_closed(
    here, counted, megabytes
):
    sender = here.connect().send(numbered("BIG") + b"NTE|1||" + b"x" * megabytes * 1_000_000)
    assert said(sender.answer()) == ("AR", "BIG")
    assert sender.is_closed()
    assert counted("too-large") == 1
    assert here.rows() == []


def test_b09_a_message_of_nearly_the_limit_is_taken(here):
    raw = numbered("LONG") + b"ZZZ|" + b"x" * 4_000_000
    assert said(here.connect().asked(raw)[0]) == ("AA", "LONG")


@pytest.mark.parametrize(
    "hello", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"]
)
def test_b10_tls_or_http_on_the_plain_port_closes_the_connection(here, counted, hello):
    assert here.connect().send_raw(hello).is_closed()
    assert counted("wrong-protocol") == 1


def test_b12_random_bytes_leave_the_listener_working(here):
    dice = random.Random(12)
    for _ in range(30):
        sender = here.connect()
        marks = b"\x0b\x1c\r|MSH^~\\&\n\x00\xff" + dice.randbytes(20)
        try:
            sender.send_raw(bytes(dice.choices(marks, k=dice.randrange(3000))))
        except ConnectionError:
            continue
        sender.socket.close()
    assert said(here.connect().asked(numbered("A"))[0]) == ("AA", "A")


def test_a_message_of_many_pieces_and_another_sender_do_not_mix(engine: Engine):
    with door(engine) as here:
        one, two = here.connect(), here.connect()
        wire = framed(numbered("ONE"))
        one.send_raw(wire[:100])
        assert said(two.asked(numbered("TWO"))[0]) == ("AA", "TWO")
        one.send_raw(wire[100:])
        assert said(one.answer()) == ("AA", "ONE")
