"""Real Celery workers on a real broker: what is submitted is judged, whatever comes beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from celery import Celery
from sqlalchemy import Engine, func, select

from alerts.tables import ALERT
from tests.integration.machine import Machine, machine, producer, submit
from tests.services.process import wait_until
from tests.services.valkey import Valkey
from tests.worker.made_up import RULE, event, result
from worker.database import make_engine, reading
from worker.schema import upgrade
from worker.tables import MESSAGE, PATIENT, QUARANTINE_ITEM

PATTERN = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]
SLOW_START_SECONDS = 90.0


@dataclass(frozen=True)
class House:
    """One worker on an embedded database, for all tests of this file; each test has a patient of its own."""

    machine: Machine
    engine: Engine
    producer: Celery

    def submit(self, event: object) -> None:
        submit(self.producer, event)

    def raised(self, patient: str) -> int:
        with reading(self.engine) as connection:
            counted: int = connection.execute(
                select(func.count())
                .select_from(ALERT.join(PATIENT, PATIENT.c.id == ALERT.c.patient_id))
                .where(ALERT.c.rule == RULE, PATIENT.c.ident == patient)
            ).scalar_one()
            return counted

    def wait_for_alert(self, patient: str) -> None:
        wait_until(lambda: self.raised(patient) == 1, "no alert", SLOW_START_SECONDS)

    def judge_after(self, patient: str) -> None:
        """Whatever was sent before, the next event is judged."""
        self.submit(event(f"after-{patient}", PATTERN, patient=patient))
        self.wait_for_alert(patient)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, valkey: Valkey) -> Iterator[House]:
    valkey.client().flushall()
    directory = tmp_path_factory.mktemp("workers")
    engine = make_engine(f"sqlite:///{directory}/ferrule.sqlite3")
    upgrade(engine)
    with machine(directory, str(engine.url), valkey.url) as made:
        made.worker()
        yield House(made, engine, producer(valkey.url))


def quarantined(house: House) -> list[tuple[str, str]]:
    with reading(house.engine) as connection:
        found = select(QUARANTINE_ITEM.c.reason, QUARANTINE_ITEM.c.remedy).order_by(QUARANTINE_ITEM.c.id)
        return [tuple(row) for row in connection.execute(found)]


def test_an_event_on_the_queue_becomes_an_alert(house: House) -> None:
    house.submit(event("M1", PATTERN, patient="plain"))
    house.wait_for_alert("plain")


def test_an_event_repeated_on_the_queue_is_one_message(house: House) -> None:
    one = event("M2", PATTERN, patient="repeated")
    for _ in range(5):
        house.submit(one)
    house.judge_after("after-repeated")
    with reading(house.engine) as connection:
        stored = select(func.count()).select_from(MESSAGE).where(MESSAGE.c.message_id == "M2")
        assert connection.execute(stored).scalar_one() == 1
    assert house.raised("repeated") == 1


def test_what_is_no_event_is_kept_with_a_remedy_and_stops_nothing(house: House) -> None:
    nonsense = ("text", None, {"id": "M0"}, [1, 2], {**event("M9"), "data": {"patient": {}}})
    for value in nonsense:
        house.submit(value)
    house.judge_after("after-nonsense")
    wait_until(lambda: len(quarantined(house)) == len(nonsense), "not set aside")
    assert all(remedy for _, remedy in quarantined(house))


@pytest.mark.parametrize("name", ["celery.map", "celery.backend_cleanup", "os.system", "ferrule.other"])
def test_any_other_task_name_is_refused_and_never_logged_with_its_body(house: House, name: str) -> None:
    house.producer.send_task(name, args=["MARKER-BODY"], queue="ferrule.intake", ignore_result=True)
    house.judge_after(f"after-{name}")
    assert "unregistered task" in house.machine.logs
    assert "MARKER-BODY" not in house.machine.logs


def test_a_pickled_body_is_refused_and_the_next_message_is_judged(house: House) -> None:
    before = len(quarantined(house))
    house.producer.send_task("ferrule.submit", args=["x"], queue="ferrule.intake", serializer="pickle")
    house.judge_after("after-pickle")
    assert len(quarantined(house)) == before


@pytest.mark.parametrize(
    "ids", [[99_999], [-1], ["x", None, True], "text", {"a": 1}, [[1]], list(range(5000))]
)
def test_a_forged_doorbell_causes_a_look_up_at_most(house: House, ids: object) -> None:
    house.producer.send_task("ferrule.judge", args=[ids], queue="ferrule.judge", ignore_result=True)
    house.judge_after(f"after-{str(ids)[:20]}")


def test_nothing_of_the_patient_stays_in_the_broker_or_the_logs(house: House, valkey: Valkey) -> None:
    marked = event("M3", PATTERN, patient="MARKER-ID", encounter={"location": "MARKER-PLACE"})
    marked["data"]["patient"]["name"] = "MARKER-NAME"
    broker = valkey.client()
    house.submit(marked)
    house.wait_for_alert("MARKER-ID")
    wait_until(lambda: not list(broker.scan_iter("unacked*")), "not drained")
    assert "MARKER" not in "".join(_everything_in(broker))
    assert "MARKER" not in house.machine.logs


def test_an_event_that_cannot_be_stored_now_is_stored_later(house: House) -> None:
    table = "source_seen"
    with house.engine.connect() as connection:
        connection.exec_driver_sql(f"alter table {table} rename to away")
        connection.commit()
    house.submit(event("M4", PATTERN, patient="later"))
    wait_until(lambda: "put back on the queue" in house.machine.logs, "it was stored all the same", 30)
    with house.engine.connect() as connection:
        connection.exec_driver_sql(f"alter table away rename to {table}")
        connection.commit()
    house.wait_for_alert("later")


def test_the_scan_of_the_broker_finds_a_planted_marker(house: House, valkey: Valkey) -> None:
    broker = valkey.client()
    broker.lpush("planted", "MARKER-PLANTED")
    found = "".join(_everything_in(broker))
    broker.delete("planted")
    assert "MARKER-PLANTED" in found


def _everything_in(broker: Any) -> Iterator[str]:
    for key in broker.scan_iter("*"):
        kind = broker.type(key)
        yield key
        if kind == "list":
            yield from broker.lrange(key, 0, -1)
        elif kind == "hash":
            yield from broker.hgetall(key).values()
        elif kind in ("set", "zset"):
            yield from (broker.smembers(key) if kind == "set" else broker.zrange(key, 0, -1))
        elif kind == "string":
            yield broker.get(key)
