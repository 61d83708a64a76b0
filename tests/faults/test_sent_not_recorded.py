"""F65: a sender is killed between the receiver's answer and its own commit. The repeat carries the same key,
so that the receiver takes each once.

Each death is that of a forked child of its own, by SIGKILL, with a real receiver on the other side.
"""

import multiprocessing
import os
import signal
from collections import Counter
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, select

from alerts import directory
from alerts.channels.channel import Channel, Message
from alerts.leases import writing
from alerts.outbox import deliver_due
from alerts.tables import DELIVERY
from tests.alerts.channel_rigs import RIGS
from tests.alerts.made_up import ADA, Ward, judged
from tests.contract.test_outbox import make_due
from worker.database import make_engine

FORK = multiprocessing.get_context("fork")


@dataclass
class Dying:
    """Dies as soon as the other side has taken what was sent."""

    channel: Channel
    instant: bool = False

    @property
    def name(self) -> str:
        return self.channel.name

    def send(self, message: Message) -> None:
        self.channel.send(message)
        os.kill(os.getpid(), signal.SIGKILL)


def die_sending(url: str, channel: Channel) -> None:
    child = FORK.Process(target=lambda: deliver_due(make_engine(url), [Dying(channel)], limit=1))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL


def sent_and_killed(engine: Engine, name: str, times: int) -> None:
    with writing(engine) as connection:
        directory.register(connection, ADA.address, email="ada@hospital.test")
    for patient in range(1, times + 1):
        Ward(engine, {"lab|F1": ADA}, push=(name,), patient_id=patient).judge(judged())
    url = engine.url.render_as_string(hide_password=False)
    with RIGS[name]() as rig:
        rig.takes()
        for _ in range(times):
            die_sending(url, rig.channel())
        make_due(engine)
        deliver_due(engine, [rig.channel()], limit=2 * times)
        heard = Counter(rig.keys())
    with engine.connect() as connection:
        mine = select(DELIVERY.c.state).where(DELIVERY.c.channel == name)
        assert connection.execute(mine).scalars().all() == ["sent"] * times
    # A FHIR server keeps the first of each itself; the others hear each twice, under one key.
    assert heard == Counter(dict.fromkeys(heard, 1 if name == "fhir" else 2))
    assert len(heard) == times


@pytest.mark.parametrize("name", ["email", "fhir", "hl7", "webhook"])
def test_f65_sent_and_not_recorded_is_repeated_under_the_same_key(engine: Engine, name: str) -> None:
    sent_and_killed(engine, name, 3)


@pytest.mark.faults
@pytest.mark.parametrize("name", ["email", "fhir", "hl7", "webhook"])
def test_f65_fifty_times(engine: Engine, name: str) -> None:
    sent_and_killed(engine, name, 50)
