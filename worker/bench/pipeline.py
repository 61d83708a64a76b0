"""`ferrule bench pipeline`: stored messages judged, alerts and outbox committed, beside tasks doing nothing.

Both sides: one broker of our own, two solo worker processes, JSON, late acknowledgement, the same prefetch,
and a queue filled before the clock starts. Every message is of another patient and raises alerts.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import redis
from celery import Celery
from sqlalchemy import Engine, func, select

from alerts.tables import ALERT, DELIVERY
from worker import broker, programs
from worker.accepting import accept
from worker.bench.crew import Crew, crew
from worker.bench.figures import Comparison, Figure, in_turns
from worker.bench.histories import case_of, visit
from worker.bench.noop_worker import TASK
from worker.bench.scratch import database
from worker.celery_app import JUDGE, configured
from worker.clock import now
from worker.database import make_engine, reading
from worker.doorbell import BATCH, Doorbell
from worker.failures import NO, UNREACHABLE, Failure
from worker.settings import Settings
from worker.submitted import inbound_of
from worker.supervise import Program, Supervisor
from worker.tables import MESSAGE

PROCESSES = 2
WARM_UP = 60
UNACKED = "unacked"
"""Where kombu keeps what a worker has taken and not yet acknowledged."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much one run is: messages judged, and tasks that do nothing."""

    messages: int
    tasks: int


@dataclass
class Judging:
    """The real thing: a new message for a new patient each time."""

    engine: Engine
    doorbell: Doorbell
    crew: Crew
    made: int = 0

    def per_second(self, messages: int) -> float:
        """Store, ring, then let the crew judge all of it."""
        self._fill(messages)
        rate = messages / self.crew.seconds_until(lambda: not self._pending())
        self._check()
        return rate

    def _fill(self, messages: int) -> None:
        numbers = range(self.made, self.made + messages)
        self.made += messages
        moment = now()
        events = [visit(case_of(number, moment), 1, alerting=True).event for number in numbers]
        receipts = accept(self.engine, [inbound_of(event) for event in events])
        if not self.doorbell.ring([receipt.message for receipt in receipts]):
            raise Failure("the bench's broker does not answer", UNREACHABLE)

    def _pending(self) -> bool:
        waiting = select(MESSAGE.c.id).where(MESSAGE.c.state == "pending").limit(1)
        with reading(self.engine) as connection:
            return connection.execute(waiting).first() is not None

    def _check(self) -> None:
        """A figure counts only if the work was done: every patient has an alert and somebody to be told."""
        with reading(self.engine) as connection:
            alerted, told = (
                connection.execute(select(func.count(func.distinct(table.c.patient_id)))).scalar_one()
                for table in (ALERT, DELIVERY)
            )
        if (alerted, told) != (self.made, self.made):
            raise Failure(f"of {self.made} messages {alerted} raised an alert and {told} fill the outbox", NO)


@dataclass
class Nothing:
    """The yardstick: tasks that do nothing, one number each."""

    app: Celery
    client: redis.Redis
    crew: Crew

    def per_second(self, tasks: int) -> float:
        """Publish, then let the crew take all of it."""
        with self.app.producer_or_acquire() as producer:
            for number in range(tasks):
                self.app.send_task(TASK, args=[number], queue=JUDGE, producer=producer, ignore_result=True)
        return tasks / self.crew.seconds_until(lambda: not self._left())

    def _left(self) -> int:
        left: int = self.client.llen(JUDGE) + self.client.hlen(UNACKED)
        return left


def measure(settings: Settings, runs: int, sizes: Sizes) -> Comparison:
    """Both sides in turns, on a scratch database. Raises Failure."""
    with (
        TemporaryDirectory(prefix="ferrule-bench-") as place,
        database(settings, Path(place)) as url,
        _sides(settings, Path(place), url) as (judging, nothing),
    ):
        judging.per_second(WARM_UP)
        nothing.per_second(WARM_UP)
        figures, yards = in_turns(
            lambda: judging.per_second(sizes.messages), lambda: nothing.per_second(sizes.tasks), runs=runs
        )
        about = _about(judging.engine, sizes)
    return Comparison("pipeline", Figure("messages/s", figures), Figure("tasks/s", yards), about)


def _about(engine: Engine, sizes: Sizes) -> dict[str, str]:
    return {
        "figure": f"{sizes.messages} messages of 10 results, {BATCH} ids a task, each raises alerts",
        "yardstick": f"{sizes.tasks} tasks that do nothing",
        "both": f"{PROCESSES} solo worker processes, JSON, late acknowledgement, queue filled before",
        "database": engine.dialect.name,
    }


@contextmanager
def _sides(settings: Settings, place: Path, url: str) -> Iterator[tuple[Judging, Nothing]]:
    """Broker and both crews, held; everything is stopped at the end."""
    supervisor = Supervisor()
    held: list[Crew] = []
    try:
        broker_url = _broker(supervisor, place)
        judges = crew(supervisor, _judges(settings, place, url, broker_url), place / "log")
        idlers = crew(supervisor, _idlers(_beside(broker_url)), place / "log")
        held += [judges, idlers]
        judging = Judging(make_engine(url), Doorbell(broker_url), judges)
        app = configured(_beside(broker_url))
        yield judging, Nothing(app, redis.Redis.from_url(_beside(broker_url)), idlers)
    finally:
        for one in held:
            one.go()
        supervisor.stop()


def _broker(supervisor: Supervisor, place: Path) -> str:
    binary, port, password = broker.find_server(), broker.free_port(), secrets.token_urlsafe(24)
    supervisor.start(programs.broker_program(binary, place / "broker", port, password))
    url = broker.url(port, password)
    if not broker.wait_until_it_answers(url):
        raise Failure("the bench's broker does not start", UNREACHABLE)
    return url


def _beside(broker_url: str) -> str:
    """The same server, another of its databases: the two sides must not take each other's tasks."""
    return f"{broker_url.removesuffix('/0')}/1"


def _judges(settings: Settings, place: Path, url: str, broker_url: str) -> list[Program]:
    here = settings.model_copy(update={"data_dir": place, "pool": "solo", "concurrency": PROCESSES})
    given = {
        **programs.environment(here, "bench", broker_url=broker_url),
        "FERRULE_DATABASE_URL": url,
        "FERRULE_DATABASE_URL_FILE": None,
        "FERRULE_POOL": "solo",
        "FERRULE_STORM_FLOOR": "0",  # every message of the bench raises alerts
        "FERRULE_LOG_LEVEL": "error",
    }
    return [one for one in programs.worker_programs(here, given) if one.name.startswith("worker-")]


def _idlers(broker_url: str) -> list[Program]:
    names = [f"nothing-{number}" for number in range(1, PROCESSES + 1)]
    command = (sys.executable, "-m", "worker.bench.noop_worker")
    return [Program(name, (*command, name), {"FERRULE_BROKER_URL": broker_url}) for name in names]
