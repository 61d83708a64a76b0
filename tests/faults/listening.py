"""The HL7 listener in a process that may die: forked from this one, so that it is there again at once."""

import asyncio
import contextlib
import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from tests.mllp.door import LIMITS, Sender, said
from tests.services.process import answers, free_port, wait_until
from worker import faultpoints
from worker.database import make_engine
from worker.mllp.address import Address
from worker.mllp.commits import Commits
from worker.mllp.connection import Limits
from worker.mllp.listener import Listener
from worker.mllp.peers import Peers
from worker.mllp.policy import Policy
from worker.sources import no_sources

FORK = multiprocessing.get_context("fork")


@dataclass
class Mortal:
    """A listener on one port that is started again whenever it has died."""

    url: str
    points: str
    limits: Limits = LIMITS
    peers: tuple[int, int, str] = (400, 400, "")
    port: int = field(default_factory=free_port)
    deaths: int = 0
    process: multiprocessing.process.BaseProcess | None = None

    def alive(self) -> "Mortal":
        """Start it if it does not run, and wait until it answers."""
        if self.process is None or not self.process.is_alive():
            self.deaths += self.process is not None
            self.process = FORK.Process(target=self._listen)
            self.process.start()
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: answers(self.port), "the listener does not listen", 10)
        return self

    def connect(self, address: str = "127.0.0.1") -> Sender:
        return Sender(socket.create_connection(("127.0.0.1", self.port), 10, (address, 0)))

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join(20)

    def _listen(self) -> None:
        faultpoints.arm(self.points)

        async def run() -> None:
            policy = Policy(no_sources)
            commits = Commits(make_engine(self.url), lambda ids: True, policy)
            most, of_peer, known = self.peers
            networks = (ip_network(known),) if known else ()
            listener = Listener(commits, policy, self.limits, Peers(most, of_peer, networks))
            await listener.start(Address("127.0.0.1", self.port), None)
            await asyncio.Event().wait()

        asyncio.run(run())


@contextmanager
def mortal(url: str, points: str = "", **given: Any) -> Iterator[Mortal]:
    made = Mortal(url, points, **given)
    try:
        yield made.alive()
    finally:
        made.stop()


def deliver(listener: Mortal, content: bytes, seconds: float = 60) -> tuple[str, int]:
    """Send as a careful sender does: again, until there is an answer. It, and how often was sent."""
    end = time.monotonic() + seconds
    sent = 0
    while time.monotonic() < end:
        listener.alive()
        with contextlib.suppress(OSError):
            sender = listener.connect()
            with sender.socket:
                sender.send(content)
                sent += 1
                return sender.answer(10), sent
    raise TimeoutError("no answer")


def control_ids(answers_given: list[str]) -> list[str]:
    return [said(answer)[1] for answer in answers_given]
