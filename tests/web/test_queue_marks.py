"""What an operator's open list asks by itself: whether it has changed, and no more."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select

from alerts.tables import AUDIT
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.conftest import SignIn
from worker import clock
from worker.accepting import Inbound, accept
from worker.database import writing
from worker.tables import SESSION
from worker.web.queue_marks import QUEUES

BY_ITSELF = {"ferrule-by-itself": "yes", "accept": "application/json"}


def change(queue: str, store: Engine, seeded: Clinic) -> None:
    """Something comes into the queue."""
    if queue == "quarantine":
        accept(store, [Inbound("urn:lab:north", "bad", "event", b"{", ("not-json", "line 1", "send JSON"))])
        return
    with writing(store) as connection:
        if queue == "storms":
            clinic.add_storm(connection, seeded.now)
        elif queue == "unaddressed":
            clinic.strand(connection, seeded.alerts["others"])
        elif queue == "calls":
            clinic.put_on_call_list(connection, seeded.alerts["critical"], seeded.now)
        else:
            clinic.make_late(connection, seeded.alerts["high"], seeded.now)


@pytest.fixture
def operator(store: Engine, seeded: Clinic, sign_in: SignIn) -> TestClient:
    with writing(store) as connection:
        clinic.add_operator(connection, seeded.now)
    return sign_in("ops")


def mark(operator: TestClient, queue: str) -> str:
    return str(operator.get(f"/queues/{queue}/mark", headers=BY_ITSELF).json()["mark"])


@pytest.mark.parametrize("queue", sorted(QUEUES))
def test_the_mark_is_another_one_once_something_has_come(
    operator: TestClient, store: Engine, seeded: Clinic, queue: str
) -> None:
    before = mark(operator, queue)
    assert mark(operator, queue) == before
    assert f'data-mark="{before}"' in operator.get(f"/{queue}").text
    change(queue, store, seeded)
    after = mark(operator, queue)
    assert after != before
    assert f'data-mark="{after}"' in operator.get(f"/{queue}").text


def test_asking_for_the_mark_is_no_look_at_anybody_and_keeps_no_session_awake(
    operator: TestClient, store: Engine, seeded: Clinic
) -> None:
    change("calls", store, seeded)
    with writing(store) as connection:
        connection.execute(SESSION.update().values(seen_at=clock.now() - timedelta(minutes=5)))
        before = [connection.execute(q).scalar() for q in (SEEN, LOOKS)]
    assert operator.get("/queues/calls/mark", headers=BY_ITSELF).status_code == 200
    with store.connect() as connection:
        assert [connection.execute(q).scalar() for q in (SEEN, LOOKS)] == before


SEEN = select(func.max(SESSION.c.seen_at))
LOOKS = select(func.count()).select_from(AUDIT)


def test_there_is_no_other_queue(operator: TestClient) -> None:
    assert operator.get("/queues/patients/mark", headers=BY_ITSELF).status_code == 404
