"""What people answer, on both databases: the first answer wins, the second hears who and when."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, Row, select

from alerts import answers, directory
from alerts.answers import Invalid, NoSuchAlert, TooLate
from alerts.leases import writing
from alerts.people import Actor, Address, pool
from alerts.states import NotAllowed, State, Step
from alerts.steps import Conflict
from alerts.tables import ADDRESSEE, ALERT, ALERT_EVENT, AUDIT, DELIVERY, FOLLOW_UP
from rules.findings import Ended, Severity
from rules.truth import Truth
from tests.alerts.made_up import ADA, BEN, IRON, NPI, Quiet, Ward, day, expected, ferritin, judged

ADA_ACTS = Actor(ADA.system, ADA.id, "192.0.2.1")
BEN_ACTS = Actor(BEN.system, BEN.id)
ROUNDS = 40


@pytest.fixture
def ward(engine: Engine) -> Ward:
    with writing(engine) as connection:
        directory.register(connection, ADA.address, email="ada@hospital.test")
        directory.register(connection, BEN.address, email="ben@hospital.test")
        directory.register_pool(connection, "hematology", [BEN.address])
    return Ward(engine, {"lab|F1": ADA}, push=("email",))


@pytest.fixture
def alert(ward: Ward) -> int:
    return ward.judge(judged(follow_up=[expected("b12", within_days=42)])).alert_ids[0]


def row(engine: Engine, alert_id: int) -> Row[Any]:
    with engine.connect() as connection:
        return connection.execute(select(ALERT).where(ALERT.c.id == alert_id)).one()


def newest(engine: Engine) -> Row[Any]:
    with engine.connect() as connection:
        return connection.execute(select(ALERT_EVENT).order_by(ALERT_EVENT.c.id.desc()).limit(1)).one()


def answer(engine: Engine, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with writing(engine) as connection:
        return step(connection, *args, **kwargs)


def test_an_acknowledgement_is_written_with_who_when_and_what_they_said(engine: Engine, alert: int) -> None:
    answer(
        engine, answers.acknowledge, alert, ADA_ACTS, now=day(1), comment="Will call <b>her</b>\r\ntoday\x00"
    )
    found, event = row(engine, alert), newest(engine)
    assert (found.state, found.acknowledged_at, found.version) == ("acknowledged", day(1), 2)
    assert (event.from_state, event.to_state, event.actor_ident, event.at) == (
        "raised",
        "acknowledged",
        ADA.id,
        day(1),
    )
    assert event.data["comment"] == "Will call <b>her</b>\ntoday"
    with engine.connect() as connection:
        record = connection.execute(select(AUDIT).order_by(AUDIT.c.id.desc()).limit(1)).one()
    assert (record.action, record.origin, record.object_id) == ("alert.acknowledge", "192.0.2.1", str(alert))


def test_the_second_to_acknowledge_hears_who_was_first_and_when(engine: Engine, alert: int) -> None:
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1))
    with pytest.raises(TooLate) as late:
        answer(engine, answers.acknowledge, alert, BEN_ACTS, now=day(2))
    assert (late.value.state, late.value.step) == (State.ACKNOWLEDGED, Step.ACKNOWLEDGE)
    assert (late.value.by.id, late.value.at) == (ADA.id, day(1))
    assert row(engine, alert).version == 2


def test_of_two_who_acknowledge_at_once_one_wins_every_time(engine: Engine) -> None:
    alerts = [Ward(engine, {"lab|F1": ADA}, patient_id=i).judge(judged()).alert_ids[0] for i in range(ROUNDS)]
    barrier, lost = threading.Barrier(2), []

    def race(by: Actor) -> None:
        for alert_id in alerts:
            barrier.wait()
            try:
                answer(engine, answers.acknowledge, alert_id, by, now=day(1))
            except NotAllowed:
                lost.append(alert_id)

    threads = [threading.Thread(target=race, args=(by,)) for by in (ADA_ACTS, BEN_ACTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(lost) == alerts
    assert {row(engine, alert_id).version for alert_id in alerts} == {2}


@pytest.mark.parametrize("reason", list(answers.DismissReason))
def test_a_dismissal_has_a_coded_reason_and_expects_nothing_more(
    engine: Engine, alert: int, reason: str
) -> None:
    answer(engine, answers.dismiss, alert, ADA_ACTS, reason=str(reason), now=day(1))
    found = row(engine, alert)
    assert (found.state, found.reason, found.closed_at) == ("dismissed", reason, day(1))
    with engine.connect() as connection:
        assert connection.execute(select(FOLLOW_UP.c.state)).scalars().all() == ["cancelled"]


@pytest.mark.parametrize(
    ("step", "arguments", "field"),
    [
        (answers.dismiss, {"reason": "because"}, "reason"),
        (answers.snooze, {"until": day(0.5), "reason": "later"}, "until"),
        (answers.snooze, {"until": day(2).replace(tzinfo=None), "reason": "later"}, "until"),
        (answers.snooze, {"until": day(2), "reason": " "}, "reason"),
        (answers.resolve, {"reason": ""}, "reason"),
        (answers.reassign, {"to": Address(NPI, "unknown"), "reason": "on leave"}, "to"),
        (answers.acknowledge, {"comment": "x" * 4_001}, "comment"),
    ],
)
def test_an_answer_that_cannot_be_taken_names_its_field_and_changes_nothing(
    engine: Engine, alert: int, step: Callable[..., Any], arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        answer(engine, step, alert, ADA_ACTS, now=day(1), **arguments)
    assert refused.value.field == field
    assert row(engine, alert).version == 1


def test_an_answer_to_what_has_changed_since_it_was_seen_is_refused(engine: Engine, alert: int) -> None:
    with pytest.raises(Conflict) as conflict:
        answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1), if_match=7)
    assert conflict.value.etag == 1
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1), if_match=1)


def test_an_answer_to_no_alert_is_refused(engine: Engine, ward: Ward) -> None:
    with pytest.raises(NoSuchAlert):
        answer(engine, answers.acknowledge, 4711, ADA_ACTS, now=day(1))


def test_a_withdrawn_alert_takes_no_answer(engine: Engine, ward: Ward, alert: int) -> None:
    ward.judge(judged(pattern=Truth.FALSE), at=1, why=Ended.CORRECTED)
    for step, arguments in [
        (answers.acknowledge, {}),
        (answers.dismiss, {"reason": "not-relevant"}),
        (answers.snooze, {"until": day(9), "reason": "later"}),
        (answers.resolve, {"reason": "done"}),
        (answers.reassign, {"to": BEN.address, "reason": "on leave"}),
        (answers.reopen, {"reason": "not done"}),
    ]:
        with pytest.raises(TooLate) as late:
            answer(engine, step, alert, ADA_ACTS, now=day(2), **arguments)
        assert late.value.state is State.WITHDRAWN


def test_a_snoozed_alert_is_told_again_when_its_time_has_come(engine: Engine, alert: int) -> None:
    answer(engine, answers.snooze, alert, ADA_ACTS, until=day(3), reason="after the visit", now=day(1))
    assert answer(engine, answers.wake_due, day(2.99)) == ()
    (taken,) = answer(engine, answers.wake_due, day(3), push=("email",))
    assert taken.step is Step.WAKE
    found = row(engine, alert)
    assert (found.state, found.snoozed_until) == ("raised", None)
    with engine.connect() as connection:
        told = connection.execute(select(DELIVERY.c.channel).order_by(DELIVERY.c.id)).scalars().all()
    assert told == ["inbox", "email", "inbox", "email"]
    assert answer(engine, answers.wake_due, day(4)) == ()


def test_a_worse_value_breaks_a_snooze_and_an_acknowledgement(engine: Engine, ward: Ward, alert: int) -> None:
    answer(engine, answers.snooze, alert, ADA_ACTS, until=day(30), reason="after the visit", now=day(1))
    ward.judge(judged(severity=Severity.CRITICAL), at=2)
    assert (row(engine, alert).state, row(engine, alert).severity) == ("raised", "critical")


@pytest.mark.parametrize("to", [BEN.address, pool("hematology")])
def test_a_reassigned_alert_has_its_new_owner_who_is_told(engine: Engine, alert: int, to: Address) -> None:
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1))
    answer(engine, answers.reassign, alert, ADA_ACTS, to=to, reason="on leave", now=day(2))
    found = row(engine, alert)
    assert (found.state, found.recipient_system, found.recipient_ident) == ("raised", to.system, to.id)
    with engine.connect() as connection:
        addressed = connection.execute(select(ADDRESSEE.c.ident).order_by(ADDRESSEE.c.id)).scalars().all()
        told = connection.execute(
            select(DELIVERY.c.recipient_ident).order_by(DELIVERY.c.id.desc()).limit(1)
        ).scalar()
    assert addressed == [ADA.id, to.id]
    assert told == to.id


def test_an_answered_alert_can_be_opened_again(engine: Engine, alert: int) -> None:
    answer(engine, answers.resolve, alert, ADA_ACTS, reason="started iron", now=day(1))
    answer(engine, answers.reopen, alert, ADA_ACTS, reason="she did not take it", now=day(2))
    found = row(engine, alert)
    assert (found.state, found.closed_at) == ("told", None)


def test_an_alert_with_a_newer_episode_stays_closed(engine: Engine, ward: Ward, alert: int) -> None:
    answer(engine, answers.resolve, alert, ADA_ACTS, reason="started iron", now=day(1))
    ward.judge(judged(), at=91.1)
    with pytest.raises(TooLate):
        answer(engine, answers.reopen, alert, ADA_ACTS, reason="not done", now=day(92))


def test_within_the_quiet_period_nothing_is_raised_and_the_reason_is_said(ward: Ward, alert: int) -> None:
    answer(ward.engine, answers.dismiss, alert, ADA_ACTS, reason="known-diagnosis", now=day(1))
    assert ward.judge(judged(), at=90.9).decisions == {("leave", "quiet-period"): 1}
    assert ward.judge(judged(), at=91).decisions == {("raise", "re-armed"): 1}


def test_within_it_a_later_specimen_is_told_where_the_rule_says_so(ward: Ward, alert: int) -> None:
    answer(ward.engine, answers.dismiss, alert, ADA_ACTS, reason="known-diagnosis", now=day(1))
    ward.rules = {IRON: Quiet(90, rearm_on_later=True)}
    assert ward.judge(judged(), at=2).decisions == {("leave", "quiet-period"): 1}
    later = judged(evidence=[ferritin(on=1.5, key="lab|F2")])
    assert ward.judge(later, at=2).decisions == {("raise", "re-armed"): 1}
