"""A listener of the tests' own, on a real port in a thread of its own, and a sender on a real socket."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, Row, select

from tests.worker.intake.examples import HEADER, report
from worker.database import reading
from worker.intake.mllp import END, START, framed
from worker.metrics import OTHER, name_sources
from worker.mllp.address import Address
from worker.mllp.commits import Commits
from worker.mllp.connection import Limits
from worker.mllp.listener import Listener
from worker.mllp.peers import Peers
from worker.mllp.policy import Policy
from worker.sources import no_sources
from worker.tables import MESSAGE, QUARANTINE_ITEM

LIMITS = Limits(frame_bytes=4 * 1024 * 1024, frame_seconds=30, idle_seconds=60)


@dataclass
class Sender:
    """One connection to the listener."""

    socket: socket.socket
    _rest: bytes = b""

    def send(self, *contents: bytes) -> "Sender":
        """Each as a frame, all in one piece."""
        return self.send_raw(b"".join(map(framed, contents)))

    def send_raw(self, data: bytes) -> "Sender":
        self.socket.sendall(data)
        return self

    def answer(self, seconds: float = 20) -> str:
        """The next frame that comes back, without its frame. Raises TimeoutError, ConnectionError."""
        self.socket.settimeout(seconds)
        while END not in self._rest:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("closed")
            self._rest += data
        frame, _, self._rest = self._rest.partition(END)
        assert frame.startswith(START)
        return frame[1:].decode("latin-1")

    def asked(self, *contents: bytes) -> list[str]:
        """Send all at once; as many answers."""
        self.send(*contents)
        return [self.answer() for _ in contents]

    def is_closed(self, seconds: float = 10) -> bool:
        """Whether the listener hangs up without another word."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def is_silent(self, seconds: float = 0.5) -> bool:
        """Whether nothing comes, and the connection stays."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(1)
        except TimeoutError:
            return True
        return False


@dataclass
class Door:
    """A running listener."""

    engine: Engine
    listener: Listener
    loop: asyncio.AbstractEventLoop
    rung: list[int] = field(default_factory=list)
    senders: list[Sender] = field(default_factory=list)
    stopped: bool = False

    def connect(self, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Sender:
        plain = socket.create_connection(("127.0.0.1", self.listener.port), 10, (address, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.senders.append(Sender(tls.wrap_socket(plain, server_hostname="localhost") if tls else plain))
        return self.senders[-1]

    def rows(self, *columns: Any) -> Sequence[Row[Any]]:
        with reading(self.engine) as connection:
            return connection.execute(select(*(columns or (MESSAGE,))).order_by(MESSAGE.c.id)).all()

    def states(self) -> list[tuple[str, str | None]]:
        return [(row.state, row.reason) for row in self.rows()]

    def quarantine(self) -> list[tuple[str, str]]:
        with reading(self.engine) as connection:
            found = connection.execute(select(QUARANTINE_ITEM).order_by(QUARANTINE_ITEM.c.id)).all()
        return [(row.reason, row.place) for row in found]

    def stop(self) -> None:
        """Gracefully; once is enough."""
        if self.stopped:
            return
        self.stopped = True
        asyncio.run_coroutine_threadsafe(self.listener.stop(), self.loop).result(60)


@contextmanager
def door(
    engine: Engine,
    *,
    policy: Policy | None = None,
    limits: Limits = LIMITS,
    peers: Peers | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Door]:
    """A listener on any free port; stopped at the end. It counts every sender as `other`."""
    name_sources(lambda source: OTHER)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    policy = policy or Policy(no_sources)
    rung: list[int] = []

    async def start() -> Listener:
        commits = Commits(engine, lambda ids: not rung.extend(ids), policy)
        listener = Listener(commits, policy, limits, peers or Peers(200, 200))
        await listener.start(Address("127.0.0.1", 0), tls)
        return listener

    made = Door(engine, asyncio.run_coroutine_threadsafe(start(), loop).result(20), loop, rung)
    try:
        yield made
    finally:
        for sender in made.senders:
            sender.socket.close()
        made.stop()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)


def numbered(control_id: str, **fields: str) -> bytes:
    """A report under a control id of its own; other header fields by number: numbered("A", f15="AL")."""
    return report(header=header(f10=control_id, **fields))


def header(**changed: str) -> str:
    parts = HEADER.split("|")
    for name, text in changed.items():
        number = int(name[1:]) - 1
        parts += [""] * (number + 1 - len(parts))
        parts[number] = text
    return "|".join(parts)


def said(answer: str) -> tuple[str, str]:
    """MSA-1 and MSA-2."""
    msa = next(line for line in answer.split("\r") if line.startswith("MSA|")).split("|")
    return msa[1], msa[2]


def err(answer: str) -> tuple[str, str]:
    """The code and the place of ERR."""
    parts = next(line for line in answer.split("\r") if line.startswith("ERR|")).split("|")
    return parts[3].split("^")[0], parts[2]


def eventually(true: Callable[[], object], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False
