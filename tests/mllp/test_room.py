"""All connections together: what they keep is bounded, and everybody comes to an end in turn."""

import asyncio
import threading
from dataclasses import replace

from sqlalchemy import Engine

from tests.mllp.door import LIMITS, Sender, door, eventually, numbered, said
from tests.services.loops import run_alone
from tests.worker.intake.examples import obx
from worker import metrics
from worker.database import make_engine
from worker.intake.mllp import framed
from worker.mllp.room import Room

MEGABYTE = 1024 * 1024


def large(name: str, size: int = MEGABYTE) -> bytes:
    """A report with a remark of that size."""
    return numbered(name) + f"{obx('9', f3='X^x^L')}\rNTE|1||{'x' * size}\r".encode()


def test_nobody_waits_while_there_is_room_and_the_oldest_never() -> None:
    async def story() -> None:
        room = Room(100)
        room.keeps("first", 60)
        assert room.is_free("second")
        room.keeps("second", 60)
        assert (room.is_free("first"), room.is_free("second"), room.is_free("third")) == (True, False, False)
        waiting = asyncio.create_task(room.wait("third"))
        await asyncio.sleep(0)
        room.keeps("first", 90)
        await asyncio.sleep(0)
        assert not waiting.done()
        room.keeps("first", 0)
        await asyncio.wait_for(waiting, 5)
        assert room.total == 60
        room.keeps("second", 0)
        room.keeps("never", 0)
        assert room.total == 0

    run_alone(story())


def test_half_sent_messages_of_many_are_not_kept_beyond_the_limit_and_all_are_answered(
    sqlite_url: str,
) -> None:
    """Twenty senders, each with all but the end of 2 MB to send at once; the listener may keep 8 MB."""
    limits = replace(LIMITS, total_bytes=8 * MEGABYTE, frame_seconds=120)
    go, answers = threading.Event(), list[tuple[str, str]]()

    def send(name: str, sender: Sender) -> None:
        wire = framed(large(name, 2 * MEGABYTE))
        sender.socket.settimeout(120)
        sender.socket.sendall(wire[:-1000])
        go.wait(120)
        sender.socket.sendall(wire[-1000:])
        answers.append(said(sender.answer(120)))

    with door(make_engine(sqlite_url), limits=limits) as here:
        names = [f"L{n}" for n in range(20)]
        threads = [threading.Thread(target=send, args=(name, here.connect())) for name in names]
        for thread in threads:
            thread.start()
        assert eventually(lambda: kept() >= 8 * MEGABYTE, 60)
        assert not eventually(lambda: kept() > 12 * MEGABYTE, 1), "a message and a piece of each more"
        go.set()
        for thread in threads:
            thread.join(120)
        assert sorted(answers) == sorted(("AA", name) for name in names)
        assert eventually(lambda: kept() == 0)
        assert sorted(row.message_id for row in here.rows()) == sorted(names)


def kept() -> float:
    return float(metrics.MLLP_KEPT._value.get())


def test_a_sender_that_stops_in_a_message_holds_others_up_no_longer_than_a_frame_may_take(
    engine: Engine,
) -> None:
    limits = replace(LIMITS, total_bytes=MEGABYTE, frame_seconds=2)
    with door(engine, limits=limits) as here:
        stuck = [here.connect().send_raw(framed(large(f"S{n}", 600_000))[:-10]) for n in range(2)]
        assert said(here.connect().asked(numbered("NEXT"))[0]) == ("AA", "NEXT")
        assert all(one.is_closed(30) for one in stuck)
        assert [row.message_id for row in here.rows()] == ["NEXT"]
