"""Accepting: stored once, byte for byte, whatever is sent again."""

import json

import pytest
from sqlalchemy import Engine, func, select

from tests.worker.made_up import event, inbound, result
from worker.accepting import Inbound, Outcome, accept
from worker.database import reading
from worker.tables import MESSAGE, QUARANTINE_ITEM


def stored(engine: Engine) -> list[tuple[str, str, str | None]]:
    with reading(engine) as connection:
        columns = (MESSAGE.c.message_id, MESSAGE.c.state, MESSAGE.c.reason)
        return [tuple(row) for row in connection.execute(select(*columns).order_by(MESSAGE.c.id))]


def test_the_bytes_are_kept_as_they_came(engine: Engine) -> None:
    raw = b"\x0b\x00\xff no text at all \r\n"
    accept(engine, [Inbound("lab", "1", "hl7", raw)])
    with reading(engine) as connection:
        assert connection.execute(select(MESSAGE.c.raw)).scalar_one() == raw


def test_the_same_bytes_again_give_the_first_receipt(engine: Engine) -> None:
    message = inbound(event("M1", [result("R1", "ferritin", "9")]))
    [first] = accept(engine, [message])
    [again] = accept(engine, [message])
    assert (first.outcome, again.outcome) == (Outcome.STORED, Outcome.DUPLICATE)
    assert (again.message, again.first_received_at) == (first.message, first.first_received_at)
    assert len(stored(engine)) == 1


def test_the_same_bytes_twice_in_one_batch_are_stored_once(engine: Engine) -> None:
    message = Inbound("lab", "1", "event", b"{}")
    first, second = accept(engine, [message, message])
    assert (first.outcome, second.outcome) == (Outcome.STORED, Outcome.DUPLICATE)
    assert first.message == second.message


@pytest.mark.parametrize("together", [True, False])
def test_an_event_id_used_for_other_bytes_is_set_aside(engine: Engine, together: bool) -> None:
    one, other = Inbound("lab", "1", "event", b"one"), Inbound("lab", "1", "event", b"other")
    receipts = accept(engine, [one, other]) if together else accept(engine, [one]) + accept(engine, [other])
    assert [r.outcome for r in receipts] == [Outcome.STORED, Outcome.QUARANTINED]
    assert receipts[1].reason == "id-reused"
    assert stored(engine) == [("1", "pending", None), ("1", "quarantined", "id-reused")]
    assert accept(engine, [other])[0].outcome is Outcome.DUPLICATE


def test_an_hl7_control_id_used_for_other_bytes_is_taken_as_new_and_flagged(engine: Engine) -> None:
    accept(engine, [Inbound("lab", "1", "hl7", b"one")])
    [second] = accept(engine, [Inbound("lab", "1", "hl7", b"other")])
    assert second.outcome is Outcome.STORED
    with reading(engine) as connection:
        flags = connection.execute(select(MESSAGE.c.flag).order_by(MESSAGE.c.id)).scalars().all()
    assert flags == [None, "id-reused"]


def test_what_a_door_could_not_read_is_kept_with_its_reason(engine: Engine) -> None:
    unreadable = ("not-json", "line 1", "send JSON")
    [receipt] = accept(engine, [Inbound("lab", "1", "event", b"{", unreadable)])
    assert (receipt.outcome, receipt.reason, receipt.judge) == (Outcome.QUARANTINED, "not-json", False)
    with reading(engine) as connection:
        item = connection.execute(select(QUARANTINE_ITEM)).one()
    assert (item.reason, item.place, item.remedy) == unreadable


def test_names_no_database_takes_are_stored_all_the_same(engine: Engine) -> None:
    [receipt] = accept(engine, [Inbound("lab\x00\ud800", "1\r\n" * 400, "event", b"{}")])
    assert receipt.outcome is Outcome.STORED


def test_rows_are_numbered_in_the_order_of_arrival(engine: Engine) -> None:
    receipts = accept(engine, [Inbound("lab", name, "event", name.encode()) for name in "zamk"])
    numbers = [receipt.message for receipt in receipts]
    assert numbers == sorted(numbers)


def test_a_thousand_messages_are_accepted_in_one_call(engine: Engine) -> None:
    accept(engine, [Inbound("lab", str(n), "event", str(n).encode()) for n in range(1000)])
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(MESSAGE)).scalar_one() == 1000


def test_names_too_long_for_an_index_are_cut_by_bytes_and_stay_two(engine: Engine) -> None:
    long = "".join(chr(0x10000 + 7 * at) for at in range(500))
    one, other = Inbound(long, long, "event", b"one"), Inbound(long, long + "x", "event", b"other")
    assert [r.outcome for r in accept(engine, [one, other])] == [Outcome.STORED, Outcome.STORED]
    assert accept(engine, [one])[0].outcome is Outcome.DUPLICATE


def test_the_same_event_in_other_bytes_is_a_duplicate_and_its_bytes_are_kept(engine: Engine) -> None:
    made = event("M1", [result("R1", "ferritin", "9")])
    one = Inbound("lab", "1", "event", json.dumps(made).encode())
    other = Inbound("lab", "1", "event", json.dumps(made, indent=1, sort_keys=True).encode())
    [first] = accept(engine, [one])
    [again] = accept(engine, [other])
    [once_more] = accept(engine, [other])
    assert (again.outcome, again.message) == (Outcome.DUPLICATE, first.message)
    assert once_more.outcome is Outcome.DUPLICATE
    assert stored(engine) == [("1", "pending", None), ("1", "judged", "same-event")]
    with reading(engine) as connection:
        kept = connection.execute(select(MESSAGE.c.raw).order_by(MESSAGE.c.id)).scalars().all()
    assert kept == [one.raw, other.raw]
