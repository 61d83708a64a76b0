"""The broker hangs or is gone: intake does not notice, and the poller does the work within seconds."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from alerts.tables import ALERT
from tests.services.kinds import need
from tests.services.process import answers, free_port, running
from tests.worker.made_up import RULE, deps_on, event, inbound, result
from worker import poller
from worker.accepting import accept
from worker.database import reading
from worker.doorbell import Doorbell
from worker.pipeline import judge

PATTERN = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]
FAILS_WITHIN_SECONDS = 8.0


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[str]:
    """The address of a broker that accepts connections and then says nothing any more."""
    port = free_port()
    command = [need("valkey"), "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    with running(command, tmp_path / "valkey.log", ready=lambda: answers(port)) as process:
        os.kill(process.pid, signal.SIGSTOP)
        yield f"redis://127.0.0.1:{port}/0"
        os.kill(process.pid, signal.SIGCONT)


@pytest.fixture
def gone() -> str:
    """The address of a broker that is not there."""
    return f"redis://127.0.0.1:{free_port()}/0"


@pytest.mark.parametrize("broker", ["hung", "gone"])
def test_ringing_a_dead_broker_fails_soon_and_then_costs_nothing(
    request: pytest.FixtureRequest, broker: str
) -> None:
    doorbell = Doorbell(request.getfixturevalue(broker))
    started = time.monotonic()
    assert not doorbell.ring([1])
    assert time.monotonic() - started < FAILS_WITHIN_SECONDS
    started = time.monotonic()
    assert not doorbell.ring([2])
    assert time.monotonic() - started < 0.1


@pytest.mark.parametrize("broker", ["hung", "gone"])
def test_without_its_broker_an_alert_still_comes_within_seconds(
    engine: Engine, request: pytest.FixtureRequest, broker: str
) -> None:
    doorbell = Doorbell(request.getfixturevalue(broker))
    deps = replace(deps_on(engine), publish=doorbell.ring)
    doorbell.ring([0])
    started = time.monotonic()
    receipts = accept(engine, [inbound(event("M1", PATTERN))])
    deps.publish([receipt.message for receipt in receipts])
    assert time.monotonic() - started < 1.0
    told = []
    while not told and time.monotonic() - started < 15:
        poller.turn(deps)
        with reading(engine) as connection:
            told = connection.execute(select(ALERT.c.told_at).where(ALERT.c.rule == RULE)).scalars().all()
    assert told
    assert told[0] is not None


def test_two_pollers_at_once_do_everything_once(engine: Engine) -> None:
    deps = deps_on(engine)
    accept(engine, [inbound(event(f"M{n}", PATTERN, patient=f"P{n}")) for n in range(20)])
    time.sleep(1.1)
    for _ in range(2):
        poller.turn(deps)
    with reading(engine) as connection:
        raised = connection.execute(select(ALERT.c.patient_id).where(ALERT.c.rule == RULE)).scalars().all()
    assert len(raised) == len(set(raised)) == 20


def test_a_doorbell_rung_for_what_a_poller_has_done_changes_nothing(engine: Engine) -> None:
    deps = deps_on(engine)
    [receipt] = accept(engine, [inbound(event("M1", PATTERN))])
    time.sleep(1.1)
    poller.turn(deps)
    assert judge(deps, [receipt.message]).claimed == 0
