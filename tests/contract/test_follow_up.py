"""What an alert waits for, on both databases: agreed on, arrived, or missed and then told, at last to the
pool.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, Row, select

from alerts import answers, audit, directory
from alerts.answers import Invalid
from alerts.due import Reach, run_due
from alerts.follow_up import Arrival
from alerts.leases import writing
from alerts.people import Actor, pool
from alerts.tables import ADDRESSEE, ALERT, ALERT_EVENT, DELIVERY, FOLLOW_UP, TIMER
from rules.findings import Ended, Severity
from rules.truth import Truth
from tests.alerts.made_up import ADA, BEN, Ward, day, expected, ferritin, judged

ADA_ACTS = Actor(ADA.system, ADA.id)
ON_CALL = pool("on-call")
EXPECTS = (expected("b12", within_days=42), expected("crp", within_days=14))


@pytest.fixture
def ward(engine: Engine) -> Ward:
    with writing(engine) as connection:
        directory.register(connection, ADA.address, email="ada@hospital.test")
        directory.register_pool(connection, "on-call", [BEN.address])
    return Ward(engine, {"lab|F1": ADA}, fallback=ON_CALL)


@pytest.fixture
def alert(ward: Ward) -> int:
    return ward.judge(judged(follow_up=EXPECTS)).alert_ids[0]


def rows(engine: Engine, table: Any, *where: Any) -> list[Row[Any]]:
    with engine.connect() as connection:
        return list(connection.execute(select(table).where(*where).order_by(table.c.id)).all())


def answer(engine: Engine, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with writing(engine) as connection:
        return step(connection, *args, **kwargs)


def do_due(engine: Engine, at: datetime) -> set[tuple[str, str]]:
    return set(run_due(engine, Reach(fallback=ON_CALL), now=lambda _: at))


def arrive(ward: Ward, *names: str, at: float) -> None:
    ward.judge(judged(follow_up=EXPECTS), at=at, arrivals=[Arrival(n, f"lab|{n}", day(at)) for n in names])


def test_what_the_rule_expects_is_a_row_with_a_clock(engine: Engine, alert: int) -> None:
    timers = rows(engine, TIMER, TIMER.c.kind == "follow-up")
    due = [row.due for row in rows(engine, FOLLOW_UP)]
    assert due == [date(2026, 4, 12), date(2026, 3, 15)]
    assert [t.planned_at.isoformat() for t in timers] == [
        "2026-04-13T09:00:00+00:00",
        "2026-03-16T09:00:00+00:00",
    ]


def test_all_that_was_agreed_on_has_come_and_the_alert_closes(engine: Engine, ward: Ward, alert: int) -> None:
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1), follow_ups=["b12", "crp"])
    assert rows(engine, ALERT)[0].state == "following-up"
    arrive(ward, "crp", at=2)
    assert rows(engine, ALERT)[0].state == "following-up"
    arrive(ward, "b12", at=3)
    (closed,) = rows(engine, ALERT)
    assert (closed.state, closed.reason) == ("closed", "answered")
    assert {row.state for row in rows(engine, FOLLOW_UP)} == {"satisfied"}
    assert not rows(engine, TIMER, TIMER.c.state == "pending")


def test_a_result_that_joins_the_alert_is_the_one_that_was_waited_for(
    engine: Engine, ward: Ward, alert: int
) -> None:
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1), follow_ups=["b12"])
    again = judged(follow_up=EXPECTS, evidence=[ferritin(), ferritin(on=19, key="lab|F2")])
    ward.judge(again, at=20, arrivals=[Arrival("b12", "lab|B2", day(19))])
    assert rows(engine, ALERT_EVENT)[-2].step == "join"
    (closed,) = rows(engine, ALERT)
    assert (closed.state, closed.reason) == ("closed", "answered")


def test_what_ends_the_pattern_closes_the_alert_by_the_evidence(
    engine: Engine, ward: Ward, alert: int
) -> None:
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1), follow_ups=["b12"])
    arrivals = [Arrival("b12", "lab|B2", day(3))]
    ward.judge(judged(pattern=Truth.FALSE), at=3, why=Ended.NEWER_FACT, arrivals=arrivals)
    (closed,) = rows(engine, ALERT)
    assert (closed.state, closed.reason) == ("closed", "resolved-by-evidence")


def test_what_nobody_took_on_stays_open_when_the_evidence_comes(
    engine: Engine, ward: Ward, alert: int
) -> None:
    arrive(ward, "b12", "crp", at=3)
    assert rows(engine, ALERT)[0].state == "raised"
    assert {row.state for row in rows(engine, FOLLOW_UP)} == {"satisfied"}


def test_an_acknowledgement_states_which_follow_ups_are_agreed_and_the_others_are_not_waited_for(
    engine: Engine, alert: int
) -> None:
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1), follow_ups=["b12"])
    assert [(r.expect, r.state, r.reason) for r in rows(engine, FOLLOW_UP)] == [
        ("b12", "expected", None),
        ("crp", "cancelled", "not-agreed"),
    ]
    (taken,) = rows(engine, ALERT_EVENT, ALERT_EVENT.c.step == "acknowledge")
    assert taken.data["agreed"] == ["b12"]


def test_a_follow_up_that_the_alert_does_not_expect_cannot_be_agreed_on(engine: Engine, alert: int) -> None:
    with pytest.raises(Invalid) as refused:
        answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1), follow_ups=["tsh"])
    assert refused.value.field == "follow_ups"
    assert rows(engine, ALERT)[0].version == 1


def test_none_agreed_leaves_an_acknowledgement_with_a_deadline(engine: Engine, alert: int) -> None:
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1), follow_ups=[])
    assert rows(engine, ALERT)[0].state == "acknowledged"
    assert [t.kind for t in rows(engine, TIMER, TIMER.c.state == "pending")] == ["lapse"]


def test_the_clock_that_runs_out_tells_the_owner_and_then_the_pool_and_asks_again(
    engine: Engine, ward: Ward, alert: int
) -> None:
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1), follow_ups=["crp"])
    before = len(rows(engine, DELIVERY))
    assert do_due(engine, datetime.fromisoformat("2026-03-16T09:00:00+00:00")) == {("follow-up", "told")}
    (told,) = rows(engine, DELIVERY)[before:]
    assert (told.recipient_ident, rows(engine, ALERT)[0].state) == (ADA.id, "following-up")
    assert do_due(engine, datetime.fromisoformat("2026-03-19T09:00:00+00:00")) == {("follow-up-pool", "told")}
    (asks,) = rows(engine, ALERT)
    assert (asks.state, asks.reason) == ("raised", "follow-up-overdue")
    assert [r.why for r in rows(engine, ADDRESSEE)] == ["orderer", "escalated"]
    assert {t.kind for t in rows(engine, TIMER, TIMER.c.state == "pending")} == {
        "remind",
        "cover",
        "pool",
        "call",
    }


def test_evidence_that_comes_late_still_satisfies(engine: Engine, ward: Ward, alert: int) -> None:
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1), follow_ups=["crp"])
    do_due(engine, day(16))
    arrive(ward, "crp", at=17)
    assert rows(engine, ALERT)[0].state == "closed"
    assert do_due(engine, day(60)) == set()


def test_low_is_told_to_its_owner_alone(engine: Engine, ward: Ward) -> None:
    low = Ward(engine, {"lab|F1": ADA}, patient_id=2, push=("email",))
    low.judge(judged(severity=Severity.LOW, follow_up=[expected("crp", within_days=14)]))
    assert do_due(engine, day(40)) == {("follow-up", "told"), ("follow-up-pool", "low")}
    assert {d.channel for d in rows(engine, DELIVERY)} == {"inbox"}
    assert [r.ident for r in rows(engine, ADDRESSEE)] == [ADA.id]


def test_what_was_dismissed_is_expected_again_once_the_alert_is_open_again(
    engine: Engine, alert: int
) -> None:
    answer(engine, answers.dismiss, alert, ADA_ACTS, reason="known-diagnosis", now=day(1))
    assert not rows(engine, TIMER, TIMER.c.state == "pending")
    answer(engine, answers.reopen, alert, ADA_ACTS, reason="not so", now=day(2))
    assert {r.state for r in rows(engine, FOLLOW_UP)} == {"expected"}
    assert len(rows(engine, TIMER, TIMER.c.state == "pending", TIMER.c.kind == "follow-up")) == 2


def test_a_withdrawal_says_who_had_read_the_alert_with_before_and_after(
    engine: Engine, ward: Ward, alert: int
) -> None:
    read = audit.Entry("read", ADA_ACTS, "alert", str(alert), day(0.5), patient_id=ward.patient_id)
    answer(engine, audit.record, [read, read])
    ward.judge(judged(pattern=Truth.FALSE), at=1, why=Ended.CORRECTED)
    (withdrawn,) = rows(engine, ALERT_EVENT, ALERT_EVENT.c.step == "withdraw")
    assert withdrawn.data["read_by"] == [{"system": ADA.system, "id": ADA.id, "at": "2026-03-01T21:00:00Z"}]
    assert withdrawn.data["before"][0]["value"] == "9"
    assert "after" in withdrawn.data


def test_opening_the_page_is_recorded_and_is_no_answer(engine: Engine, ward: Ward, alert: int) -> None:
    read = audit.Entry("read", ADA_ACTS, "alert", str(alert), day(0.5), patient_id=ward.patient_id)
    answer(engine, audit.record, [read])
    assert len(rows(engine, TIMER, TIMER.c.state == "pending", TIMER.c.kind == "remind")) == 1
    assert do_due(engine, day(1.5)) == {("remind", "told")}
