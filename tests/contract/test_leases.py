"""Claiming on both databases: each due row once, nobody waits, and a claimer that slept writes nothing."""

import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from alerts.leases import Claimed, claim, database_now, settle, writing
from alerts.tables import DELIVERY

LONG, SHORT = timedelta(minutes=5), timedelta(milliseconds=50)


def fill(engine: Engine, number: int, *, in_seconds: float = -1, state: str = "pending") -> None:
    with writing(engine) as connection:
        now = database_now(connection)
        connection.execute(
            DELIVERY.insert(),
            [
                {
                    "delivery_key": f"{in_seconds}-{i}",
                    "patient_id": i,
                    "lane": f"{in_seconds}-{i}",
                    "channel": "inbox",
                    "recipient_system": "urn:test",
                    "recipient_ident": "1",
                    "severity": "high",
                    "state": state,
                    "created_at": now,
                    "due_at": now + timedelta(seconds=in_seconds, milliseconds=i),
                }
                for i in range(number)
            ],
        )


def take(engine: Engine, limit: int = 10, lease: timedelta = LONG) -> list[Claimed]:
    with writing(engine) as connection:
        return claim(connection, DELIVERY, limit=limit, lease=lease)


def test_what_is_due_is_claimed_oldest_first_and_its_run_is_counted(engine: Engine) -> None:
    fill(engine, 3)
    first = take(engine, limit=2)
    assert [(c.lease, c.attempts) for c in first] == [(1, 1), (1, 1)]
    assert [c.id for c in first] == sorted(c.id for c in first)
    assert len(take(engine)) == 1
    assert take(engine) == []


def test_what_is_not_due_or_not_pending_is_left(engine: Engine) -> None:
    fill(engine, 2, in_seconds=60)
    fill(engine, 2, state="sent")
    assert take(engine) == []


def test_a_lease_that_ended_is_claimed_again_under_a_new_number(engine: Engine) -> None:
    fill(engine, 1)
    (old,) = take(engine, lease=SHORT)
    time.sleep(0.1)
    (new,) = take(engine)
    assert (new.id, new.lease, new.attempts) == (old.id, 2, 2)


def test_a_claimer_that_slept_past_its_lease_writes_nothing(engine: Engine) -> None:
    fill(engine, 1)
    (old,) = take(engine, lease=SHORT)
    time.sleep(0.1)
    (new,) = take(engine)
    with writing(engine) as connection:
        assert not settle(connection, DELIVERY, old, {"state": "sent"})
        assert settle(connection, DELIVERY, new, {"state": "failed"})
        assert not settle(connection, DELIVERY, new, {"state": "sent"})
        assert connection.execute(select(DELIVERY.c.state)).scalar_one() == "failed"


def test_many_claimers_at_once_share_the_rows_without_overlap(engine: Engine) -> None:
    fill(engine, 60)
    barrier, taken, lock = threading.Barrier(4), [], threading.Lock()

    def work() -> None:
        barrier.wait()
        while some := take(engine, limit=3):
            with lock:
                taken.extend(c.id for c in some)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 60
    assert len(set(taken)) == 60


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_locked_row_is_passed_over_and_not_waited_for(engine: Engine) -> None:
    fill(engine, 2)
    with writing(engine) as holder:
        (held,) = claim(holder, DELIVERY, limit=1, lease=LONG)
        began = time.monotonic()
        (other,) = take(engine, limit=5)
        assert other.id != held.id
        assert time.monotonic() - began < 2
