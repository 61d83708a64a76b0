"""`ferrule bench intake`: HL7 reports over MLLP, stored and acknowledged, beside single durable commits.

The listener is a process of its own; senders wait for each answer, as laboratories do. The yardstick writes
one row of the same bytes in a commit of its own, again and again, on the same server.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, func, select

from worker import broker, clock, programs
from worker.bench.figures import Comparison, Figure, in_turns
from worker.bench.scratch import database
from worker.database import make_engine, reading, writing
from worker.failures import NO, UNREACHABLE, Failure
from worker.intake.mllp import END, framed
from worker.mllp.address import Address
from worker.settings import Settings
from worker.supervise import Supervisor
from worker.tables import MESSAGE

OBSERVATIONS = 25
START_SECONDS = 60.0
ROW = Table("bench_row", MetaData(), Column("id", Integer, primary_key=True), Column("raw", LargeBinary))


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much one run is: messages, over how many connections at once; and rows of the yardstick."""

    messages: int
    connections: int
    rows: int


@dataclass
class Sending:
    """The senders. `waits` are the seconds from sending to the answer, of all runs."""

    address: Address
    url: str
    sizes: Sizes
    waits: list[float] = field(default_factory=list)
    sent: int = 0

    def per_second(self) -> float:
        """One run. Raises Failure unless every message was accepted and is stored."""
        begin = clock.monotonic_seconds()
        asyncio.run(self._run())
        rate = self.sizes.messages / (clock.monotonic_seconds() - begin)
        self.sent += self.sizes.messages
        with reading(make_engine(self.url)) as connection:
            stored = connection.execute(select(func.count()).select_from(MESSAGE)).scalar_one()
        if stored != self.sent:
            raise Failure(f"of {self.sent} messages {stored} are stored", NO)
        return rate

    async def _run(self) -> None:
        share = [range(n, self.sizes.messages, self.sizes.connections) for n in range(self.sizes.connections)]
        await asyncio.gather(*(self._sender(numbers) for numbers in share))

    async def _sender(self, numbers: range) -> None:
        reader, writer = await asyncio.open_connection(self.address.host, self.address.port)
        for number in numbers:
            begin = clock.monotonic_seconds()
            writer.write(framed(report(self.sent + number)))
            if b"|AA|" not in await reader.readuntil(END):
                raise Failure("a message of the bench was not accepted", NO)
            self.waits.append(clock.monotonic_seconds() - begin)
        writer.close()


def report(number: int) -> bytes:
    """An ORU^R01 with 25 OBX about a patient who does not exist."""
    header = f"MSH|^~\\&|LIS|BENCH|FERRULE|BENCH|20260301081200+0000||ORU^R01^ORU_R01|B{number}|P|2.5.1"
    patient = f"PID|1||{number}^^^BENCH^MR||Bench^Nobody||19800203|F"
    order = f"OBR|1|PL{number}|AC{number}|57698-3^Panel^LN|||20260301073000+0000|||||||||1^Wren^Ada"
    results = [
        f"OBX|{n}|NM|2276-4^Ferritin^LN|{n}|{n}.5|ng/mL|13-150|N|||F|||20260301073000+0000"
        for n in range(1, OBSERVATIONS + 1)
    ]
    return "".join(f"{segment}\r" for segment in (header, patient, order, *results)).encode()


def measure(settings: Settings, runs: int, sizes: Sizes) -> Comparison:
    """Both sides in turns, on a scratch database. Raises Failure."""
    with (
        TemporaryDirectory(prefix="ferrule-bench-") as place,
        database(settings, Path(place)) as url,
        _listening(settings, Path(place), url) as address,
    ):
        sending = Sending(address, url, sizes)
        ROW.create(make_engine(url))
        sending.per_second()
        sending.waits.clear()
        figures, yards = in_turns(sending.per_second, lambda: _rows_per_second(url, sizes.rows), runs=runs)
        about = _about(url, sizes, sending.waits)
    return Comparison("intake", Figure("messages/s", figures), Figure("commits/s", yards), about)


def _rows_per_second(url: str, rows: int) -> float:
    engine = make_engine(url)
    raw = secrets.token_bytes(len(report(0)))
    begin = clock.monotonic_seconds()
    for _ in range(rows):
        with writing(engine) as connection:
            connection.execute(ROW.insert().values(raw=raw))
    rate = rows / (clock.monotonic_seconds() - begin)
    engine.dispose()
    return rate


def _about(url: str, sizes: Sizes, waits: list[float]) -> dict[str, str]:
    cuts = statistics.quantiles(waits, n=100)
    return {
        "figure": f"{sizes.messages} ORU of {OBSERVATIONS} OBX over {sizes.connections} connections",
        "yardstick": f"{sizes.rows} rows of as many bytes, a commit each, one after the other",
        "answer": f"p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms",
        "database": make_engine(url).dialect.name,
    }


@contextmanager
def _listening(settings: Settings, place: Path, url: str) -> Iterator[Address]:
    """The listener as `ferrule listen` runs it, on a port of its own."""
    address = Address("127.0.0.1", broker.free_port())
    here = settings.model_copy(update={"data_dir": place})
    given = {
        **programs.environment(here, "bench"),
        "FERRULE_DATABASE_URL": url,
        "FERRULE_DATABASE_URL_FILE": None,
        "FERRULE_MLLP_LISTEN": f"{address.host}:{address.port}",
        "FERRULE_MLLP_LISTEN_FILE": None,
        "FERRULE_LOG_LEVEL": "error",
    }
    supervisor = Supervisor()
    try:
        supervisor.start(programs.listen_program(given))
        end = clock.monotonic_seconds() + START_SECONDS
        while not address.answers(0.2):
            if clock.monotonic_seconds() > end or not supervisor.runs("listen"):
                raise Failure("the bench's listener does not start", UNREACHABLE)
        yield address
    finally:
        supervisor.stop()
