"""The stream `ferrule:events` on a real Valkey: stored, then acknowledged; nothing lost by whoever dies."""

import hashlib
import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine, select, text

from tests.integration.machine import machine
from tests.services.kinds import need, on_path
from tests.services.npm import packages
from tests.services.process import answers, free_port, running, wait_until
from tests.services.valkey import Valkey
from tests.worker.made_up import event, result
from worker import event_stream
from worker.composition import unheard
from worker.database import reading
from worker.event_stream import GROUP, STREAM, StreamDoor, client_of, has_streams, run
from worker.tables import MESSAGE, QUARANTINE_ITEM

SENDER = Path(__file__).parent / "node_sender"


def made(name: str) -> bytes:
    return json.dumps(event(name, [result(f"R-{name}", "ferritin", "9")])).encode()


def stored(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(select(MESSAGE.c.message_id).order_by(MESSAGE.c.id)).scalars())


@pytest.fixture
def client(broker_url: str) -> Iterator[redis.Redis]:
    client = client_of(broker_url)
    assert client is not None
    yield client
    client.close()


def door_of(client: redis.Redis, engine: Engine) -> StreamDoor:
    return StreamDoor(client, engine, unheard)


def take_all(door: StreamDoor, client: redis.Redis) -> None:
    for _ in range(50):
        if not door.turn() and not client.xlen(STREAM):
            return


def test_an_entry_is_stored_byte_for_byte_then_gone_from_the_broker(
    engine: Engine, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "BLOCK_MS", 10)
    sent = {f"M{n}": made(f"M{n}") for n in range(3)}
    for raw in sent.values():
        client.xadd(STREAM, {"event": raw})
    rung: list[int] = []
    door = StreamDoor(client, engine, lambda ids: not rung.extend(ids))
    take_all(door, client)
    with reading(engine) as connection:
        rows = connection.execute(select(MESSAGE.c.message_id, MESSAGE.c.raw, MESSAGE.c.id)).all()
    assert {row.message_id: row.raw for row in rows} == sent
    assert sorted(rung) == sorted(row.id for row in rows)
    assert client.xlen(STREAM) == 0
    assert client.xpending(STREAM, GROUP)["pending"] == 0


def test_what_is_no_event_is_kept_in_quarantine_and_acknowledged(
    engine: Engine, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "BLOCK_MS", 10)
    broken = [b"no json", b"\xff\xfe", b"", b"17", b'{"source": "urn:a", "id": "7"}']
    for raw in broken:
        client.xadd(STREAM, {"event": raw})
    client.xadd(STREAM, {"other": b"\x00field"})
    client.xadd(STREAM, {"event": made("good")})
    take_all(door_of(client, engine), client)
    with reading(engine) as connection:
        rows = connection.execute(select(MESSAGE)).all()
        reasons = connection.execute(select(QUARANTINE_ITEM.c.reason)).scalars().all()
    aside = {row.sha256: row.raw for row in rows if row.state == "quarantined"}
    assert {hashlib.sha256(raw).hexdigest() for raw in broken} <= aside.keys()
    assert sorted(reasons) == sorted(["not-json", "charset", "not-json", *["not-an-event"] * 3])
    assert [row.message_id for row in rows if row.state == "pending"] == ["good"]
    assert client.xlen(STREAM) == 0


def test_an_entry_that_a_dead_reader_left_is_claimed(
    engine: Engine, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "BLOCK_MS", 10)
    monkeypatch.setattr(event_stream, "ABANDONED_MS", 0)
    client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    client.xadd(STREAM, {"event": made("M1")})
    assert client.xreadgroup(GROUP, "somebody-who-died", {STREAM: ">"})
    take_all(door_of(client, engine), client)
    assert stored(engine) == ["M1"]
    assert client.xlen(STREAM) == 0


def test_f19_an_emptied_broker_gets_its_group_again(
    engine: Engine, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "BLOCK_MS", 10)
    monkeypatch.setattr(event_stream, "CLAIM_EVERY_SECONDS", 0.0)
    door = door_of(client, engine)
    door.turn()
    client.flushall()
    client.xadd(STREAM, {"event": made("M1")})
    take_all(door, client)
    assert stored(engine) == ["M1"]


def test_an_entry_stays_in_the_broker_until_the_database_has_it(
    sqlite_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.services.schema import open_engine

    monkeypatch.setattr(event_stream, "BLOCK_MS", 10)
    engine = open_engine(sqlite_url)
    client.xadd(STREAM, {"event": made("M1")})
    with engine.begin() as connection:
        connection.execute(text("alter table message rename to away"))
    stop = threading.Event()
    reader = threading.Thread(target=run, args=(door_of(client, engine), stop))
    reader.start()
    try:
        wait_until(lambda: client.xinfo_groups(STREAM)[0]["pending"] == 1, "the entry is not read", 10)
        with engine.begin() as connection:
            connection.execute(text("alter table away rename to message"))
        client.xadd(STREAM, {"event": made("M2")})
        wait_until(lambda: "M2" in stored(engine), "the stream is not read on", 20)
    finally:
        stop.set()
        reader.join()
    monkeypatch.setattr(event_stream, "ABANDONED_MS", 0)
    take_all(door_of(client, engine), client)
    assert sorted(stored(engine)) == ["M1", "M2"]
    assert client.xlen(STREAM) == 0
    engine.dispose()


def test_f17_f20_a_broker_that_dies_or_hangs_is_read_again(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "BLOCK_MS", 100)
    monkeypatch.setattr(event_stream, "SOCKET_SECONDS", 0.5)
    monkeypatch.setattr(event_stream, "LONGEST_PAUSE_SECONDS", 0.5)
    program, port = need("valkey"), free_port()
    command: list[str | Path] = [program, "--port", str(port), "--dir", tmp_path, "--appendonly", "yes"]
    command += ["--appendfsync", "always", "--save", ""]
    client = client_of(f"redis://127.0.0.1:{port}/0")
    sender = redis.Redis(port=port)
    assert client is not None
    stop = threading.Event()
    reader = threading.Thread(target=run, args=(door_of(client, engine), stop))
    with ExitStack() as servers:

        def start() -> subprocess.Popen[bytes]:
            return servers.enter_context(
                running(command, tmp_path / "log", ready=lambda: answers(port), stop_with=signal.SIGKILL)
            )

        server = start()
        reader.start()
        try:
            sender.xadd(STREAM, {"event": made("before")})
            wait_until(lambda: stored(engine) == ["before"], "not read", 20)
            server.kill()
            server.wait()
            server = start()
            sender.xadd(STREAM, {"event": made("after a kill")})
            wait_until(lambda: "after a kill" in stored(engine), "not read after a kill", 20)
            server.send_signal(signal.SIGSTOP)
            stop.wait(2)
            server.send_signal(signal.SIGCONT)
            sender.xadd(STREAM, {"event": made("after a hang")})
            wait_until(lambda: "after a hang" in stored(engine), "not read after a hang", 20)
        finally:
            server.send_signal(signal.SIGCONT)
            stop.set()
            reader.join()
            sender.close()
    assert stored(engine) == ["before", "after a kill", "after a hang"]


@pytest.mark.timeout(300)
def test_readers_that_are_killed_lose_and_repeat_nothing(
    tmp_path: Path, database_url: str, engine: Engine, valkey: Valkey, broker_url: str
) -> None:
    client = valkey.client()
    many = 3000
    with machine(tmp_path, database_url, broker_url) as made_up, client.pipeline(transaction=False) as pipe:
        for n in range(many):
            pipe.xadd(STREAM, {"event": made(f"M{n}")})
        pipe.execute()
        first = made_up.start("stream-1", "stream")
        wait_until(lambda: stored(engine), "nothing is stored", 90)
        first.kill()
        made_up.start("stream-2", "stream")
        made_up.start("stream-3", "stream")
        wait_until(lambda: client.xlen(STREAM) == 0, "the stream is not drained", 90)
        logs = made_up.logs
    assert sorted(stored(engine)) == sorted(f"M{n}" for n in range(many))
    assert "urn:mrn" not in logs


def test_a_sender_in_another_language_is_understood(
    engine: Engine, client: redis.Redis, broker_url: str, pytestconfig: pytest.Config
) -> None:
    folder = packages(pytestconfig, SENDER, "a sender in node")
    sent = [event(f"Å{n}", [result(f"R{n}", "ferritin", "9.10")]) for n in range(3)]
    command = [str(on_path("node")), str(SENDER / "send.mjs"), str(folder), broker_url]
    lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in sent)
    subprocess.run(command, input=lines.encode(), check=True, timeout=60)
    take_all(door_of(client, engine), client)
    assert stored(engine) == [one["id"] for one in sent]
    with reading(engine) as connection:
        raws = connection.execute(select(MESSAGE.c.raw).order_by(MESSAGE.c.id)).scalars().all()
    assert [json.loads(raw) for raw in raws] == sent


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h/0", True),
        ("rediss://h", True),
        ("valkey://h/1", True),
        ("redis+socket:///run/s?virtual_host=2", True),
        ("amqp://h//", False),
        (None, False),
    ],
)
def test_only_redis_and_valkey_have_streams(url: str | None, expected: bool) -> None:
    assert has_streams(url) is expected


def test_a_broker_on_a_socket_is_read_too(engine: Engine, valkey: Valkey, broker_url: str) -> None:
    by_socket = client_of(valkey.socket_url)
    assert by_socket is not None
    by_socket.xadd(STREAM, {"event": made("M1")})
    take_all(door_of(by_socket, engine), by_socket)
    assert stored(engine) == ["M1"]
