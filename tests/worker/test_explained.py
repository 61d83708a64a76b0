"""What a clinician answers goes on the record: the supplement that explains a pattern, and back."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row, select

from alerts import answers
from alerts.people import Actor
from alerts.tables import ALERT, FOLLOW_UP, TIMER
from tests.worker.made_up import RULE, deps_on, event, inbound, result
from worker.accepting import accept
from worker.composition import Deps
from worker.database import db_now, reading, writing
from worker.explaining import SOURCE, explain_due
from worker.pipeline import judge, judge_due
from worker.tables import MESSAGE, RECORD

ADA = Actor("http://hl7.org/fhir/sid/us-npi", "1234567893")
EXPLAINED = "b12-high-iron-deficient-supplement"


def send(deps: Deps, one: dict[str, Any]) -> None:
    judge(deps, [receipt.message for receipt in accept(deps.engine, [inbound(one)])])


def alerts(engine: Engine, rule: str) -> list[Row[Any]]:
    with reading(engine) as connection:
        query = select(ALERT).where(ALERT.c.rule == rule).order_by(ALERT.c.id)
        return list(connection.execute(query).all())


def judged_by_the_poller(deps: Deps) -> None:
    """As if the second had passed that a poller leaves new messages to the workers."""
    while explain_due(deps):
        pass
    with writing(deps.engine) as connection:
        connection.execute(MESSAGE.update().values(due_at=MESSAGE.c.received_at))
    while judge_due(deps).claimed:
        pass


def raised(deps: Deps) -> int:
    send(deps, event("1", [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]))
    (alert,) = alerts(deps.engine, RULE)
    return alert.id


def explained(deps: Deps, alert: int) -> None:
    with writing(deps.engine) as connection:
        now = db_now(connection)
        answers.dismiss(connection, alert, ADA, reason="explained-by-supplement", now=now)
    judged_by_the_poller(deps)


def test_explained_by_a_supplement_puts_it_on_the_record_with_an_end_and_the_patient_on_that_path(
    engine: Engine,
) -> None:
    deps = deps_on(engine)
    explained(deps, raised(deps))
    with reading(engine) as connection:
        (record,) = connection.execute(select(RECORD)).all()
        source = connection.execute(
            select(MESSAGE.c.source).where(MESSAGE.c.id == record.message_id)
        ).scalar()
    assert (record.code, record.kind, source) == ("11248", "medication", SOURCE)
    assert timedelta(days=89) < record.end - datetime.now(UTC) < timedelta(days=91)
    (path,) = alerts(engine, EXPLAINED)
    assert "as answered to an alert" in str(path.evidence)
    assert [a.state for a in alerts(engine, RULE)] == ["dismissed"]


def test_a_repeat_of_the_timer_records_it_once(engine: Engine) -> None:
    deps = deps_on(engine)
    explained(deps, raised(deps))
    with writing(engine) as connection:
        connection.execute(TIMER.update().where(TIMER.c.kind == "explain").values(state="pending"))
    judged_by_the_poller(deps)
    with reading(engine) as connection:
        assert len(connection.execute(select(MESSAGE).where(MESSAGE.c.source == SOURCE)).all()) == 1


def test_opening_the_alert_again_takes_the_supplement_back(engine: Engine) -> None:
    deps = deps_on(engine)
    alert = raised(deps)
    explained(deps, alert)
    with writing(engine) as connection:
        now = db_now(connection)
        answers.reopen(connection, alert, ADA, reason="she takes none", now=now)
    judged_by_the_poller(deps)
    assert [a.state for a in alerts(engine, EXPLAINED)] == ["withdrawn"]
    assert [a.state for a in alerts(engine, RULE)] == ["told"]


def test_a_referral_on_the_record_satisfies_what_was_expected_and_closes_what_was_taken_on(
    engine: Engine,
) -> None:
    deps = deps_on(engine)
    alert = raised(deps)
    with writing(engine) as connection:
        now = db_now(connection)
        connection.execute(FOLLOW_UP.update().values(expect="gi_referral"))
        answers.acknowledge(connection, alert, ADA, now=now, follow_ups=["gi_referral"])
    referral = {"system": "http://snomed.info/sct", "code": "308476000", "status": "active"}
    referral |= {"name": "Referral to gastroenterologist", "start": datetime.now(UTC).date().isoformat()}
    send(deps, event("2", orders=[referral]))
    with reading(engine) as connection:
        assert set(connection.execute(select(FOLLOW_UP.c.state)).scalars()) == {"satisfied"}
    (found,) = alerts(engine, RULE)
    assert found.state == "closed"
