"""S24: where no audit record can be written nothing is done and nothing shown; on both databases."""

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select, text

from alerts.leases import writing
from alerts.tables import ALERT, ALERT_EVENT, AUDIT, DELIVERY
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.worker.made_up import deps_on, event, inbound, result
from worker.accepting import accept
from worker.pipeline import judge_due
from worker.tables import MESSAGE
from worker.web.app import create_app


def refuse_audit(engine: Engine) -> None:
    """The database takes no audit record any more, as with a full disk of its own or a right taken away."""
    if engine.dialect.name == "sqlite":
        statements = ["create trigger full before insert on audit begin select raise(abort, 'full'); end"]
    else:
        statements = ["alter table audit add constraint full_now check (false) not valid"]
    with writing(engine) as connection:
        for statement in statements:
            connection.execute(text(statement))


def take_audit_again(engine: Engine) -> None:
    with writing(engine) as connection:
        sqlite = engine.dialect.name == "sqlite"
        statement = "drop trigger full" if sqlite else "alter table audit drop constraint full_now"
        connection.execute(text(statement))


def counted(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        tables = (ALERT, ALERT_EVENT, DELIVERY, AUDIT)
        return [connection.execute(select(func.count()).select_from(t)).scalar_one() for t in tables]


@pytest.fixture
def door(engine: Engine) -> Iterator[TestClient]:
    deps = deps_on(engine, local_accounts="on")
    with TestClient(create_app(deps), follow_redirects=False, raise_server_exceptions=False) as client:
        yield client


def test_s24_no_alert_is_raised_without_its_record_and_the_message_waits(engine: Engine) -> None:
    deps = deps_on(engine)
    results = [result("F", "ferritin", "9"), result("B", "b12", "1450")]
    accept(engine, [inbound(event("1", results))])
    refuse_audit(engine)
    before = counted(engine)

    judge_due(deps)

    assert counted(engine) == before == [0, 0, 0, 0]
    take_audit_again(engine)
    _let_leases_end(engine)
    judge_due(deps)
    assert counted(engine)[0] > 0


def _let_leases_end(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(
            MESSAGE.update().values(due_at=select(func.min(MESSAGE.c.received_at)).scalar_subquery())
        )


@pytest.mark.parametrize("step", ["acknowledge", "read", "list", "login"])
def test_s24_without_its_record_a_clinician_neither_changes_nor_sees_anything(
    engine: Engine, door: TestClient, step: str
) -> None:
    seeded: Clinic = clinic.seed(engine)
    alert = seeded.alerts["high"]
    asks: dict[str, Callable[[], object]] = {
        "acknowledge": lambda: door.post(f"/api/alerts/{alert}/acknowledge", headers=bearer),
        "read": lambda: door.get(f"/api/alerts/{alert}", headers=bearer),
        "list": lambda: door.get("/api/alerts", headers=bearer),
        "login": lambda: door.post("/login", data={"username": "example", "password": clinic.PASSWORD}),
    }
    bearer = {"authorization": f"Bearer {clinic.CLINICIAN_TOKEN}"}
    with engine.connect() as connection:
        row = connection.execute(select(ALERT).where(ALERT.c.id == alert)).one()
    before = counted(engine)
    refuse_audit(engine)

    answer = asks[step]()

    assert answer.status_code == 500
    assert row.headline not in answer.text
    assert "set-cookie" not in answer.headers
    assert counted(engine) == before
    with engine.connect() as connection:
        assert connection.execute(select(ALERT).where(ALERT.c.id == alert)).one() == row
    take_audit_again(engine)
    assert asks[step]().status_code in (200, 303)
