"""What every way to tell someone must do, asked of each against a real peer (`channel_rigs.py`)."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from alerts import directory
from alerts.channels.channel import Line, Message, Passing, Refused
from alerts.destinations import BEFORE_IT_IS_SAID, unsaid
from alerts.leases import database_now, writing
from alerts.people import Address
from alerts.states import Step
from rules.findings import Severity
from tests.alerts.channel_rigs import CLINICAL, PLANTED, RIGS, Rig, endless
from tests.alerts.made_up import ADA, NPI, Ward, day, ferritin, judged
from tests.contract.test_outbox import Sink, counted, deliver_due, make_due
from worker.database import make_engine

MESSAGE = Message(
    "0a1b2c3d" * 8,
    Address(NPI, "1"),
    "ada@hospital.test",
    day(0),
    (Line(7, Step.RAISE, Severity.HIGH, "High B12 with iron deficiency"),),
)


@pytest.fixture(params=sorted(RIGS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(name: str) -> Iterator[Rig]:
    with RIGS[name]() as made:
        made.takes()
        yield made


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Engine]:
    """One database is enough here: what the outbox does on both is `test_outbox.py`."""
    engine = make_engine(sqlite_url)
    with writing(engine) as connection:
        directory.register(connection, ADA.address, email="ada@hospital.test")
    yield engine
    engine.dispose()


def alert(store: Engine, *push: str, patient: int = 1) -> None:
    evidence = [ferritin(PLANTED)]
    Ward(store, {"lab|F1": ADA}, push=push, patient_id=patient).judge(judged(evidence=evidence))


def test_a_repeat_carries_the_same_key(rig: Rig) -> None:
    for _ in range(2):
        rig.channel().send(MESSAGE)
    assert len(set(rig.keys())) == 1


def test_what_is_refused_for_good_is_told_from_what_is_passing(rig: Rig) -> None:
    rig.refuses()
    with pytest.raises(Refused):
        rig.channel().send(MESSAGE)
    rig.is_down()
    with pytest.raises(Passing) as passing:
        rig.channel().send(MESSAGE)
    assert passing.value.is_down
    rig.takes()
    rig.channel().send(MESSAGE)


def test_f64_s54_a_peer_that_never_ends_gives_the_worker_back(rig: Rig) -> None:
    with endless() as peer:
        started = time.monotonic()
        with pytest.raises(Passing) as passing:
            rig.channel(2.0, peer.port).send(MESSAGE)
        # Two seconds and what it takes to stop; without an end of its own it would drip for ever.
        assert time.monotonic() - started < 30
    assert passing.value.is_down


def test_s28_only_a_record_system_is_told_of_the_patient(name: str, rig: Rig, store: Engine) -> None:
    alert(store, name)
    assert counted(deliver_due(store, [rig.channel()])) == {(name, "sent", ""): 1}
    assert rig.heard()
    assert (PLANTED in rig.heard()) is (name in CLINICAL)


def test_operations_hears_once_that_it_fails_and_once_that_it_takes_again(
    name: str, rig: Rig, store: Engine
) -> None:
    said: list[tuple[str, bool]] = []

    def turn() -> None:
        make_due(store)
        deliver_due(store, [rig.channel()])
        with writing(store) as connection:
            later = database_now(connection) + BEFORE_IT_IS_SAID + timedelta(seconds=1)
            said.extend((change.channel, change.failing) for change in unsaid(connection, later))

    alert(store, name)
    rig.is_down()
    turn()
    turn()
    assert said == [(name, True)]
    rig.takes()
    turn()
    turn()
    assert said == [(name, True), (name, False)]


def test_f64_a_dead_channel_delays_no_other(name: str, rig: Rig, store: Engine) -> None:
    other = Sink("webhook" if name != "webhook" else "email")
    alert(store, name, other.name)
    with endless() as peer:
        dead = threading.Thread(target=deliver_due, args=(store, [rig.channel(60, peer.port)]))
        dead.start()
        assert peer.called.wait(60)
        deliver_due(store, [other])
        assert dead.is_alive()
        assert len(other.taken) == 1
        peer.stop.set()
    dead.join(60)
    assert not dead.is_alive()
