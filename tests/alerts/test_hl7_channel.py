"""The way back into the record system: every value one field of a message that others can read, every answer
by its class.
"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import hl7
import pytest
from hl7.mllp import start_hl7_server
from hl7.util import unescape
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from alerts.channels.channel import Line, Message, Passing, Refused
from alerts.channels.guarded_http import MLLP, GuardedHttp, target_of
from alerts.channels.hl7 import Hl7Channel, judge_answer
from alerts.channels.hl7_report import control_id, report
from alerts.channels.record_entry import Entry
from alerts.people import Address, record_system
from alerts.states import State, Step
from rules.findings import Severity
from tests.alerts.made_up import day
from tests.alerts.test_fhir_channel import ENTRY, PAGES
from tests.mllp.door import door
from worker.intake.hl7_split import split_message
from worker.tables import MESSAGE

KEY = "0a1b2c3d" * 8
AWKWARD = "|^~\\&\r\n\x0b\x1c\x00\t\x7f.X0D\\F\\\\E\\äß–"


def message(step: Step = Step.RAISE, key: str = KEY) -> Message:
    return Message(key, record_system("hl7"), None, day(0), (Line(7, step, Severity.HIGH, ENTRY.headline),))


def written(entry: Entry, step: Step = Step.RAISE) -> hl7.Message:
    text = report(
        [(step, entry)], control_id=control_id(KEY), sent=day(0), sender="ferrule.test", page_url=PAGES
    )
    return hl7.parse(text)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@pytest.mark.parametrize("seed", [AWKWARD], ids=["awkward"])
def test_s42_whatever_a_value_holds_stays_in_its_one_field(seed: str, text: str) -> None:
    for value in (text, seed, text + seed):
        entry = replace(
            ENTRY,
            headline=value,
            text=value,
            actions=(value,),
            patient=Address("urn:mrn:north", value),
        )
        read = written(entry)
        plain = written(ENTRY)
        assert [str(s[0]) for s in read] == [str(s[0]) for s in plain]
        assert [len(s) for s in read] == [len(s) for s in plain]
        assert unescape(read, str(read["OBX"][0][5])) == f"{value}\n{value}"
        assert unescape(read, str(read["OBX"][3][5])) == value
        assert unescape(read, str(read["PID"][0][3][0][0])) == value
        assert unescape(read, str(read["OBR"][0][4][0][1])) == value


@pytest.mark.parametrize(
    ("changed", "step", "letters"),
    [
        ({}, Step.RAISE, ("F", "F")),
        ({"corrected": True}, Step.AMEND, ("C", "C")),
        ({"state": State.WITHDRAWN}, Step.WITHDRAW, ("C", "W")),
        ({"state": State.CLOSED}, Step.CLOSE, ("F", "F")),
    ],
    ids=["new", "corrected", "withdrawn", "closed"],
)
def test_a_correction_and_a_withdrawal_are_those_of_table_0085(
    changed: dict[str, object], step: Step, letters: tuple[str, str]
) -> None:
    read = written(replace(ENTRY, **changed), step)  # type: ignore[arg-type]
    assert (str(read["OBR"][0][25]), str(read["OBX"][0][11])) == letters
    assert str(read["OBR"][0][3]) == "7^ferrule.test"


def test_a_patient_is_named_under_their_authority() -> None:
    by_oid = replace(ENTRY, patient=Address("urn:oid:1.2.3", "123"))
    assert str(written(ENTRY)["PID"][0][3]) == "123^^^&urn:mrn:north&URI"
    assert str(written(by_oid)["PID"][0][3]) == "123^^^&1.2.3&ISO"


@dataclass
class Engineer:
    """A receiver on loopback that answers as it is told, `{id}` being the control id it got."""

    port: int = 0
    answer: bytes = b""
    heard: list[bytes] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                data = b""
                while b"\x1c\r" not in data:
                    data += connection.recv(65536) or b"\x1c\r"
                self.heard.append(data)
                control = data.split(b"|")[9] if data.count(b"|") > 9 else b""
                connection.sendall(self.answer.replace(b"{id}", control))


@contextmanager
def receiver() -> Iterator[Engineer]:
    running = Engineer()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running.port = listener.getsockname()[1]
        thread = threading.Thread(target=running.serve, args=(listener,), daemon=True)
        thread.start()
        yield running
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def channel(port: int, entry: Entry = ENTRY, seconds: float = 5) -> Hl7Channel:
    target = target_of(f"mllp://127.0.0.1:{port}", ["127.0.0.1"], MLLP)
    return Hl7Channel(
        target,
        lambda ids: {i: replace(entry, alert_id=i) for i in ids},
        PAGES,
        "ferrule.test",
        http=GuardedHttp(seconds=seconds),
    )


def framed(*segments: str) -> bytes:
    return b"\x0b" + "".join(f"{s}\r" for s in segments).encode() + b"\x1c\r"


HEAD = "MSH|^~\\&|EHR|||||| ACK|1|P|2.5.1"


@pytest.mark.parametrize(
    ("segments", "problem", "reason"),
    [
        (["MSA|AA|{id}"], None, ""),
        (["MSA|CA|{id}"], None, ""),
        (["MSA|AE|{id}"], Refused, "answer-AE"),
        (["MSA|CE|{id}"], Refused, "answer-CE"),
        (["MSA|AE|{id}", "ERR|||207^Application internal error|E"], Passing, "answer-AE"),
        (["MSA|AR|{id}"], Passing, "answer-AR"),
        (["MSA|CR|{id}"], Passing, "answer-CR"),
        (["MSA|AA|another"], Passing, "answer-not-ours"),
        (["MSA|XX|{id}"], Passing, "answer-not-ours"),
        (["MSA"], Passing, "answer-not-ours"),
        ([], Passing, "answer-not-ours"),
    ],
    ids=str,
)
def test_each_answer_by_its_class(segments: list[str], problem: type[Exception] | None, reason: str) -> None:
    with receiver() as engineer:
        engineer.answer = framed(HEAD, *segments)
        if problem is None:
            channel(engineer.port).send(message())
            return
        with pytest.raises(problem, match=reason):
            channel(engineer.port).send(message())


def test_a_receiver_that_hangs_up_or_says_nothing_is_passing() -> None:
    with receiver() as engineer:
        with pytest.raises(Passing, match="connection"):
            channel(engineer.port).send(message())
        engineer.answer = b"\x0b" + b"x" * 200_000
        with pytest.raises(Passing, match="connection"):
            channel(engineer.port).send(message())
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Passing, match="timeout"):
        channel(silent.getsockname()[1], seconds=0.5).send(message())
    with pytest.raises(Passing, match="connection"):
        channel(engineer.port).send(message())


@given(st.text())
def test_no_answer_breaks_the_channel(text: str) -> None:
    with pytest.raises((Passing, Refused)):
        judge_answer(text, "control")


def test_each_repeat_is_the_same_to_the_byte() -> None:
    with receiver() as engineer:
        engineer.answer = framed(HEAD, "MSA|AA|{id}")
        for _ in range(2):
            channel(engineer.port).send(message())
    first, second = engineer.heard
    assert first == second
    assert first.split(b"|")[9] == KEY[:20].encode()


def test_a_listener_that_others_wrote_takes_it() -> None:
    """python-hl7's server."""
    heard: list[hl7.Message] = []
    running, stop, loop = threading.Event(), asyncio.Event(), asyncio.new_event_loop()
    port: list[int] = []

    async def talk(reader: hl7.mllp.HL7StreamReader, writer: hl7.mllp.HL7StreamWriter) -> None:
        heard.append(await reader.readmessage())
        writer.writemessage(heard[-1].create_ack())
        await writer.drain()
        writer.close()

    async def serve() -> None:
        async with await start_hl7_server(talk, host="127.0.0.1", port=0, encoding="utf-8") as server:
            port.append(server.sockets[0].getsockname()[1])
            running.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert running.wait(10)
    channel(port[0], replace(ENTRY, text=AWKWARD)).send(message())
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()
    (read,) = heard
    assert unescape(read, str(read["OBX"][0][5])) == f"{ENTRY.headline}\n{AWKWARD}"


def test_our_own_listener_takes_it_once(engine: Engine) -> None:
    with door(engine) as ours:
        sending = channel(ours.listener.port)
        for _ in range(2):
            sending.send(message())
        ((raw,),) = ours.rows(MESSAGE.c.raw)
    assert [one.name for one in split_message(raw).segments][:4] == ["MSH", "PID", "OBR", "OBX"]
