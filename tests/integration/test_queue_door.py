"""The queue as a door: an event stays on it until it is stored, however long the database is away."""

from pathlib import Path

from sqlalchemy import select

from tests.integration.machine import machine, producer, submit
from tests.services.process import wait_until
from tests.services.valkey import Valkey
from tests.worker.made_up import event, result
from worker.database import make_engine, reading
from worker.schema import upgrade
from worker.tables import MESSAGE


def test_an_event_that_cannot_be_stored_yet_stays_on_the_queue(tmp_path: Path, valkey: Valkey) -> None:
    valkey.client().flushall()
    engine = make_engine(f"sqlite:///{tmp_path}/ferrule.sqlite3")

    def stored() -> list[str]:
        with reading(engine) as connection:
            return list(connection.execute(select(MESSAGE.c.message_id)).scalars())

    with machine(tmp_path, str(engine.url), valkey.url) as made:
        made.worker()
        submit(producer(valkey.url), event("M1", [result("R1", "ferritin", "9")], patient="MARKER-ID"))
        wait_until(lambda: "not stored" in made.logs, "the database was not asked", 90.0)
        upgrade(engine)
        wait_until(stored, "the event is lost")
        assert stored() == ["M1"]
        assert "MARKER-ID" not in made.logs
