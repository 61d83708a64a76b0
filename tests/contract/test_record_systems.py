"""What is written into record systems, on both databases: each alert once, its answers and its end as well,
and nobody counts as told by it.
"""

from typing import Any

import pytest
from sqlalchemy import Engine, Row, select

from alerts import answers, directory
from alerts.channels.channel import Passing, Refused
from alerts.leases import writing
from alerts.people import UNADDRESSED, Actor, record_system
from alerts.preferences import Preferences
from alerts.states import Step
from alerts.tables import ADDRESSEE, ALERT, DELIVERY
from alerts.timers import TIMER
from rules.findings import Ended, Severity
from rules.truth import Truth
from tests.alerts.made_up import ADA, BEN, Ward, day, ferritin, judged
from tests.contract.test_outbox import INBOX, Sink, deliver_due, make_due

FALSE = judged(pattern=Truth.FALSE)
ACTOR = Actor(ADA.system, ADA.id)


@pytest.fixture
def record() -> Sink:
    return Sink("fhir")


@pytest.fixture
def ward(engine: Engine) -> Ward:
    with writing(engine) as connection:
        directory.register(connection, ADA.address, email="ada@hospital.test")
        directory.register(connection, BEN.address, email="ben@hospital.test")
    return Ward(engine, {"lab|F1": ADA, "lab|F2": BEN}, push=("email", "fhir"))


def lanes(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        rows = connection.execute(select(DELIVERY).order_by(DELIVERY.c.id)).all()
    return [(row.channel, row.recipient_ident) for row in rows]


def alert(engine: Engine) -> Row[Any]:
    with engine.connect() as connection:
        return connection.execute(select(ALERT)).one()


def test_an_alert_is_written_once_whoever_is_told_of_it(engine: Engine, ward: Ward, record: Sink) -> None:
    ward.judge(judged(evidence=[ferritin(), ferritin("8", key="lab|F2")]))
    ward.judge(judged(severity=Severity.CRITICAL, evidence=[ferritin("7", on=1, key="lab|F2")]), at=1)
    deliver_due(engine, [record])
    assert record.steps == [Step.RAISE, Step.WORSEN]
    assert {m.to for m in record.taken} == {record_system("fhir")}


def test_what_somebody_prefers_keeps_nothing_out_of_the_record(engine: Engine, ward: Ward) -> None:
    with writing(engine) as connection:
        assert directory.prefer(connection, ADA.address, Preferences(channels=()))
    ward.judge(judged())
    assert lanes(engine) == [("inbox", ADA.id), ("fhir", "fhir")]


def test_what_is_low_is_not_written(engine: Engine, ward: Ward) -> None:
    ward.judge(judged(severity=Severity.LOW))
    assert lanes(engine) == [("inbox", ADA.id)]


def test_a_record_system_is_nobody_who_could_be_called(engine: Engine) -> None:
    with writing(engine) as connection:
        directory.register(connection, ADA.address)
    Ward(engine, {"lab|F1": ADA}, push=("fhir",)).judge(judged())
    with engine.connect() as connection:
        addressed = connection.execute(select(ADDRESSEE)).all()
    assert [(row.system, row.ident) for row in addressed] == [(ADA.system, ADA.id)]
    assert UNADDRESSED.id not in {ident for _, ident in lanes(engine)}


def test_what_is_written_is_not_told(engine: Engine, ward: Ward, record: Sink) -> None:
    ward.judge(judged())
    deliver_due(engine, [record])
    assert alert(engine).state == "raised"
    deliver_due(engine, [INBOX])
    assert alert(engine).state == "told"


def test_an_answer_follows_into_the_record_and_to_nobody_else(
    engine: Engine, ward: Ward, record: Sink
) -> None:
    (alert_id,) = ward.judge(judged()).alert_ids
    mail = Sink()
    deliver_due(engine, [INBOX, mail, record])
    with writing(engine) as connection:
        answers.acknowledge(connection, alert_id, ACTOR, now=day(1))
        answers.dismiss(connection, alert_id, ACTOR, reason="known-diagnosis", now=day(1))
        answers.reopen(connection, alert_id, ACTOR, reason="not so", now=day(1))
        answers.resolve(connection, alert_id, ACTOR, reason="done", now=day(1))
    deliver_due(engine, [INBOX, mail, record])
    # Each shows the alert as it stands when it is written: the last one is the truth.
    assert record.steps == [Step.RAISE, Step.ACKNOWLEDGE, Step.DISMISS, Step.REOPEN, Step.RESOLVE]
    assert mail.steps == [Step.RAISE]


def test_what_a_newer_result_ends_is_ended_in_the_record(engine: Engine, ward: Ward, record: Sink) -> None:
    ward.judge(judged())
    deliver_due(engine, [record])
    ward.judge(FALSE, at=1, why=Ended.NEWER_FACT)
    deliver_due(engine, [record])
    assert record.steps == [Step.RAISE, Step.CLOSE]


def test_what_is_withdrawn_is_withdrawn_in_the_record(engine: Engine, ward: Ward, record: Sink) -> None:
    ward.judge(judged())
    deliver_due(engine, [record])
    ward.judge(FALSE, at=1, why=Ended.CORRECTED)
    deliver_due(engine, [record])
    assert record.steps == [Step.RAISE, Step.WITHDRAW]


def test_what_ended_before_it_was_written_is_not_written(engine: Engine, ward: Ward, record: Sink) -> None:
    (alert_id,) = ward.judge(judged()).alert_ids
    with writing(engine) as connection:
        answers.resolve(connection, alert_id, ACTOR, reason="done", now=day(1))
    deliver_due(engine, [record])
    assert record.taken == []


def test_what_may_have_been_written_is_ended_too(engine: Engine, ward: Ward, record: Sink) -> None:
    (alert_id,) = ward.judge(judged()).alert_ids
    record.problems = [Passing("connection")]
    deliver_due(engine, [record])
    with writing(engine) as connection:
        answers.resolve(connection, alert_id, ACTOR, reason="done", now=day(1))
    make_due(engine)
    deliver_due(engine, [record])
    assert record.steps == [Step.RESOLVE]


def test_a_record_that_refuses_an_alert_hurries_nobody(engine: Engine, ward: Ward, record: Sink) -> None:
    ward.judge(judged())

    def due() -> list[Any]:
        with engine.connect() as connection:
            return list(connection.execute(select(TIMER.c.kind, TIMER.c.due_at).order_by(TIMER.c.id)))

    before = due()
    record.problems = [Refused("status-412")]
    deliver_due(engine, [record])
    assert due() == before
