"""SIGKILL of any process and FLUSHALL of the broker, at random moments: nothing lost, nothing doubled.

Judged from three independent records: what the senders were told, what the mail relay got, and the database.
A short selection runs with every `make test`, the whole with `make faults`; KILLS_SEED repeats a run.
"""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from functools import partial
from pathlib import Path

import psutil
import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import Engine, func, select

from alerts import directory
from alerts.audit import seal, verify
from alerts.people import Address
from alerts.tables import ALERT, ALERT_EVENT, DELIVERY
from tests.faults.load import judged_alone, messages, open_alerts
from tests.integration.machine import Machine, machine
from tests.services.process import free_port, wait_until
from tests.services.valkey import Valkey
from worker.accepting import Inbound, accept
from worker.database import make_engine, reading, writing
from worker.doorbell import Doorbell
from worker.schema import upgrade
from worker.tables import EVALUATION, MESSAGE, RESULT

SEED = int(os.environ.get("KILLS_SEED", "20261122"))
RESULTS_PER_PATIENT = 40
RECOVERY_SECONDS = 120.0
BACKLOG = 200
CLINICIAN = Address("http://hl7.org/fhir/sid/us-npi", "1234567893")


@dataclass
class Relay:
    """A mail relay that keeps what it takes: Message-ID and all bytes of each physical mail."""

    taken: list[tuple[str, bytes]] = field(default_factory=list)

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802
        mail = bytes(envelope.content)  # type: ignore[attr-defined]
        self.taken.append((message_from_bytes(mail)["Message-ID"], mail))
        return "250 taken"


@pytest.fixture
def relay() -> Iterator[tuple[Relay, str]]:
    relay, port = Relay(), free_port()
    controller = Controller(relay, hostname="127.0.0.1", port=port)
    controller.start()
    yield relay, f"smtp://127.0.0.1:{port}?starttls=never"
    controller.stop()


@dataclass
class Sender:
    """Sends at a steady rate while no more than `BACKLOG` wait, so that the last kill meets a busy system."""

    engine: Engine
    doorbell: Doorbell
    load: list[Inbound]
    accepted: list[Inbound] = field(default_factory=list)

    def run(self, seconds_between: float, stop: threading.Event) -> None:
        for number, message in enumerate(self.load):
            while number % 20 == 0 and not stop.is_set() and unfinished(self.engine) > BACKLOG:
                time.sleep(0.2)
            if stop.is_set():
                return
            receipts = accept(self.engine, [message])
            self.accepted.append(message)
            self.doorbell.ring([receipt.message for receipt in receipts if receipt.judge])
            time.sleep(seconds_between)


def kill_somebody(made: Machine, dice: random.Random) -> str:
    """SIGKILL the supervisor, or one of the processes it keeps."""
    supervisor = made.processes["supervisor"]
    try:
        family = psutil.Process(supervisor.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    if not family or dice.random() < 0.15:
        supervisor.kill()
        supervisor.wait(10)
        wait_until(lambda: not any(child.is_running() for child in family), "orphans are left", 10)
        start_supervisor(made)
        return "supervisor"
    victim = dice.choice(family)
    try:
        name = next((word for word in victim.cmdline() if word.startswith("worker.processes")), "child")
        victim.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return "gone"
    return name


def start_supervisor(made: Machine) -> None:
    made.start_module("supervisor", "worker.cli", "worker")


def make_trouble(
    made: Machine, engine: Engine, valkey: Valkey, kills: int, flushes: int, dice: random.Random
) -> Counter[str]:
    """That many kills and flushes, in random order, at random moments."""
    done: Counter[str] = Counter()
    events = ["kill"] * kills + ["flush"] * flushes
    dice.shuffle(events)
    for one in events:
        _wait_for_progress(engine)
        time.sleep(dice.uniform(0.0, 1.0))
        if one == "flush":
            valkey.client().flushall()
            done["flush"] += 1
        else:
            done[kill_somebody(made, dice)] += 1
    return done


@pytest.mark.parametrize(
    ("kills", "flushes", "pool"),
    [
        pytest.param(6, 2, "solo", id="short"),
        pytest.param(150, 40, "solo", marks=pytest.mark.faults, id="solo"),
        pytest.param(60, 15, "prefork", marks=pytest.mark.faults, id="prefork"),
    ],
)
@pytest.mark.timeout(3600)
def test_nothing_accepted_is_lost_and_nothing_doubled(
    tmp_path: Path,
    engine: Engine,
    database_url: str,
    valkey: Valkey,
    relay: tuple[Relay, str],
    kills: int,
    flushes: int,
    pool: str,
) -> None:
    mailbox, smtp_url = relay
    dice = random.Random(SEED)
    with writing(engine) as connection:
        directory.register(connection, CLINICIAN, name="Clinician", email="clinician@example.org")
    events = kills + flushes
    # More than can be sent: the sender stops with the last event, and no event waits for a message.
    load = messages(150 * events, patients=max(25, 50 * events // RESULTS_PER_PATIENT), seed=SEED)
    valkey.client().flushall()
    sender = Sender(engine, Doorbell(valkey.url), load)
    settings = {"smtp_url": smtp_url, "lease_seconds": "3", "pool": pool, "allow_faults": "yes"}
    with machine(tmp_path, database_url, valkey.url, **settings) as made:
        start_supervisor(made)
        stop = threading.Event()
        sending = threading.Thread(target=sender.run, args=(0.03, stop))
        sending.start()
        try:
            done = make_trouble(made, engine, valkey, kills, flushes, dice)
        finally:
            stop.set()
            sending.join()
        wait_until_finished(engine, str(done))
    print(f"seed {SEED}: {len(sender.accepted)} accepted, {dict(done)}, {len(mailbox.taken)} mails")
    check_record(engine, sender.accepted)
    check_mail(engine, mailbox)
    check_alerts(engine, tmp_path, sender.accepted)


def _wait_for_progress(engine: Engine) -> None:
    """Kill nobody before the last one killed has been replaced by one that works."""
    before = _judged(engine)
    wait_until(lambda: _judged(engine) > before + 3, "nobody judges any more", RECOVERY_SECONDS)


def _judged(engine: Engine) -> int:
    with reading(engine) as connection:
        counted: int = connection.execute(
            select(func.count()).where(MESSAGE.c.state == "judged")
        ).scalar_one()
        return counted


def wait_until_finished(engine: Engine, after: str) -> None:
    """As long as it goes forward: a busy machine is slow, a stuck system stands still."""
    left = unfinished(engine)
    while left:
        wait_until(
            partial(_fewer_than, engine, left), f"{left} stand still, after {after},", RECOVERY_SECONDS
        )
        left = unfinished(engine)


def _fewer_than(engine: Engine, before: int) -> bool:
    return unfinished(engine) < before


def unfinished(engine: Engine) -> int:
    """Messages not judged and deliveries not made."""
    with reading(engine) as connection:
        left = (
            connection.execute(
                select(func.count()).select_from(table).where(table.c.state == "pending")
            ).scalar_one()
            for table in (MESSAGE, DELIVERY)
        )
        return sum(left)


def check_record(engine: Engine, accepted: list[Inbound]) -> None:
    """I1, I2, I5, I7: each accepted message is there once and judged; every step is in the chain."""
    expected = {(message.message_id, message.sha256) for message in accepted}
    with reading(engine) as connection:
        rows = connection.execute(select(MESSAGE.c.message_id, MESSAGE.c.sha256, MESSAGE.c.state)).all()
        doubled = select(ALERT_EVENT.c.alert_id, ALERT_EVENT.c.seq).group_by(
            ALERT_EVENT.c.alert_id, ALERT_EVENT.c.seq
        )
        versions = select(RESULT.c.source, RESULT.c.result_id, RESULT.c.version)
        steps = connection.execute(doubled.having(func.count() > 1)).all()
        kept = connection.execute(versions).all()
        orphans = select(func.count()).where(ALERT.c.evaluation_id.not_in(select(EVALUATION.c.id)))
        assert connection.execute(orphans).scalar_one() == 0
    assert len(rows) == len(expected)
    assert {(row.message_id, row.sha256) for row in rows} == expected
    assert Counter(row.state for row in rows) == Counter({"judged": len(expected)})
    assert steps == []
    assert len(kept) == len(set(kept))
    with writing(engine) as connection:
        seal(connection)
        assert verify(connection) == []


def check_mail(engine: Engine, mailbox: Relay) -> None:
    """Every e-mail recorded as sent reached the relay; a repeat is the same to the byte."""
    mails: dict[str, set[bytes]] = {}
    for message_id, mail in mailbox.taken:
        mails.setdefault(message_id, set()).add(mail)
    assert all(len(repeats) == 1 for repeats in mails.values())
    with reading(engine) as connection:
        sent = select(func.count()).where(DELIVERY.c.channel == "email", DELIVERY.c.state == "sent")
        assert connection.execute(sent).scalar_one() <= len(mails)
        failed = select(func.count()).where(DELIVERY.c.state == "failed")
        assert connection.execute(failed).scalar_one() == 0


def check_alerts(engine: Engine, directory: Path, accepted: list[Inbound]) -> None:
    """I4: the open alerts are those of one undisturbed process that judged the same messages in order."""
    alone = make_engine(f"sqlite:///{directory}/alone.sqlite3")
    upgrade(alone)
    expected = judged_alone(alone, accepted)
    assert expected
    assert open_alerts(engine) == expected
