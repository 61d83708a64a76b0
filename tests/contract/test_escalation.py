"""What happens when nobody answers, on both databases: each rung at its time, and one truth in every race."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Row, select

from alerts import answers, audit, calls, directory, timers
from alerts.answers import TooLate
from alerts.calls import Call
from alerts.channels.inbox import InboxChannel
from alerts.due import Reach, run_due
from alerts.escalation import Timer
from alerts.leases import writing
from alerts.outbox import deliver_due
from alerts.people import Actor, Address, pool
from alerts.policy import CriticalLadder, EscalationPolicy, Ladders
from alerts.routing import Covering
from alerts.states import Step
from alerts.tables import ADDRESSEE, ALERT, ALERT_EVENT, DELIVERY, TIMER
from rules.findings import Ended, Severity
from rules.truth import Truth
from tests.alerts.made_up import ADA, BEN, NPI, Ward, day, judged
from tests.services.schema import take_off_guards

ADA_ACTS = Actor(ADA.system, ADA.id)
CARE = Address(NPI, "1000000003")
ON_CALL = pool("on-call")
REACH = Reach(fallback=ON_CALL)
MINUTE = 1 / 24 / 60


class Clock:
    """The database's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = day(0)

    def __call__(self, _connection: Connection) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ward(engine: Engine) -> Ward:
    with writing(engine) as connection:
        directory.register(connection, ADA.address, email="ada@hospital.test")
        directory.register(connection, BEN.address, email="ben@hospital.test")
        directory.register_pool(connection, "on-call", [BEN.address, CARE])
    return Ward(engine, {"lab|F1": ADA}, fallback=ON_CALL)


def rows(engine: Engine, table: Any, *where: Any) -> list[Row[Any]]:
    with engine.connect() as connection:
        return list(connection.execute(select(table).where(*where).order_by(table.c.id)).all())


def pending(engine: Engine, alert_id: int) -> dict[str, datetime]:
    found = rows(engine, TIMER, TIMER.c.alert_id == alert_id, TIMER.c.state == "pending")
    return {row.kind: row.planned_at for row in found}


def raised(ward: Ward, severity: Severity = Severity.CRITICAL) -> int:
    return ward.judge(judged(severity=severity)).alert_ids[0]


def pass_time(engine: Engine, clock: Clock, until: datetime) -> list[str]:
    """Move the clock from timer to timer; which kinds were due, in order."""
    seen = []
    while due := rows(engine, TIMER, TIMER.c.state == "pending", TIMER.c.due_at <= until):
        clock.now = min(row.due_at for row in due)
        for kind, outcome in run_due(engine, REACH, now=clock):
            assert outcome not in ("failed", "fenced")
            seen.append(f"{kind}:{outcome}")
    clock.now = until
    return seen


def answer(engine: Engine, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with writing(engine) as connection:
        return step(connection, *args, **kwargs)


def test_f68_an_unanswered_critical_alert_climbs_the_whole_ladder_to_the_call_list(
    engine: Engine, ward: Ward, clock: Clock
) -> None:
    answer(engine, directory.cover, Covering(ADA.address, CARE, day(-1), day(1)))
    alert = raised(ward)
    planned = pending(engine, alert)
    assert {k: (at - day(0)) / timedelta(minutes=1) for k, at in planned.items()} == {
        "remind": 15,
        "cover": 30,
        "pool": 45,
        "call": 60,
    }
    assert pass_time(engine, clock, day(1)) == ["remind:told", "cover:cover", "pool:pool", "call:call-list"]
    events = rows(engine, ALERT_EVENT, ALERT_EVENT.c.step.in_(["remind", "escalate"]))
    assert [(e.reason, (e.at - day(0)) / timedelta(minutes=1)) for e in events] == [
        ("unanswered", 15),
        ("cover", 30),
        ("pool", 45),
        ("call-list", 60),
    ]
    addressed = [Address(r.system, r.ident) for r in rows(engine, ADDRESSEE)]
    assert addressed == [ADA.address, CARE, ON_CALL]
    with engine.connect() as connection:
        (listed,) = calls.waiting(connection)
    assert (listed.id, listed.call_list_since) == (alert, day(60 * MINUTE))


def test_b99_where_the_cover_has_a_gap_the_pool_is_asked_at_once(
    engine: Engine, ward: Ward, clock: Clock
) -> None:
    answer(engine, directory.cover, Covering(ADA.address, CARE, day(-2), day(-1)))
    raised(ward)
    assert pass_time(engine, clock, day(40 * MINUTE)) == ["remind:told", "cover:cover-gap"]
    assert [Address(r.system, r.ident) for r in rows(engine, ADDRESSEE)] == [ADA.address, ON_CALL]


def test_b99_where_covers_overlap_all_of_them_are_asked(engine: Engine, ward: Ward, clock: Clock) -> None:
    raised(ward)
    answer(engine, directory.cover, Covering(ADA.address, CARE, day(-1), day(1)))
    answer(engine, directory.cover, Covering(ADA.address, BEN.address, day(-1), day(1)))
    pass_time(engine, clock, day(40 * MINUTE))
    assert [Address(r.system, r.ident) for r in rows(engine, ADDRESSEE)] == [ADA.address, CARE, BEN.address]


def test_low_is_never_pushed_and_never_escalated(engine: Engine, ward: Ward) -> None:
    alert = raised(ward, Severity.LOW)
    assert pending(engine, alert) == {}
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1))
    assert pending(engine, alert) == {}


@pytest.mark.parametrize("severity", [Severity.CRITICAL, Severity.HIGH, Severity.MODERATE])
def test_every_alert_that_asks_ends_on_the_call_list_at_last(
    engine: Engine, ward: Ward, clock: Clock, severity: Severity
) -> None:
    alert = raised(ward, severity)
    assert pass_time(engine, clock, day(60))[-1] == "call:call-list"
    with engine.connect() as connection:
        assert [row.id for row in calls.waiting(connection)] == [alert]


def test_an_acknowledgement_cancels_what_is_queued_and_has_a_deadline_of_its_own(
    engine: Engine, ward: Ward, clock: Clock
) -> None:
    alert = raised(ward)
    pass_time(engine, clock, day(20 * MINUTE))
    deliver_due(engine, [InboxChannel()])
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=clock.now)
    assert pending(engine, alert) == {"lapse": clock.now + timedelta(hours=4)}
    ends = clock.now + timedelta(hours=4)
    assert pass_time(engine, clock, ends) == ["lapse:told"]
    (found,) = rows(engine, ALERT)
    assert (found.state, found.reason) == ("raised", "acknowledgement-lapsed")
    assert set(pending(engine, alert)) == {"remind", "cover", "pool", "call"}


def test_a_reminder_that_an_answer_has_overtaken_is_not_sent(
    engine: Engine, ward: Ward, clock: Clock
) -> None:
    alert = raised(ward)
    deliver_due(engine, [InboxChannel()])
    pass_time(engine, clock, day(20 * MINUTE))
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=clock.now)
    deliver_due(engine, [InboxChannel()])
    assert [r.state for r in rows(engine, DELIVERY)] == ["sent", "overtaken"]


def test_a_worse_value_breaks_an_acknowledgement_and_starts_the_steeper_ladder(
    engine: Engine, ward: Ward
) -> None:
    alert = raised(ward, Severity.MODERATE)
    answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(1))
    ward.judge(judged(severity=Severity.CRITICAL), at=2)
    assert pending(engine, alert)["call"] == day(2) + timedelta(minutes=60)
    assert "lapse" not in pending(engine, alert)


@pytest.mark.parametrize("how", ["withdrawn", "closed", "dismissed", "snoozed"])
def test_whatever_ends_the_asking_stops_every_timer(engine: Engine, ward: Ward, how: str) -> None:
    alert = raised(ward)
    if how == "withdrawn":
        ward.judge(judged(pattern=Truth.FALSE), at=1, why=Ended.CORRECTED)
    elif how == "closed":
        ward.judge(judged(pattern=Truth.FALSE), at=1, why=Ended.NEWER_FACT)
    elif how == "dismissed":
        answer(engine, answers.dismiss, alert, ADA_ACTS, reason="known-diagnosis", now=day(1))
    else:
        answer(engine, answers.snooze, alert, ADA_ACTS, until=day(3), reason="later", now=day(1))
    assert pending(engine, alert) == {}


def test_a_snooze_that_ends_starts_the_ladder_again(engine: Engine, ward: Ward) -> None:
    alert = raised(ward)
    answer(engine, answers.snooze, alert, ADA_ACTS, until=day(3), reason="later", now=day(1))
    answer(engine, answers.wake_due, day(3))
    assert pending(engine, alert)["remind"] == day(3) + timedelta(minutes=15)


def test_the_plan_is_fixed_at_birth_whatever_policy_comes_later(engine: Engine, ward: Ward) -> None:
    old = raised(ward)
    before = pending(engine, old)
    hasty = CriticalLadder(
        answer_within="5 min",
        remind="1 min",
        cover="2 min",
        pool="3 min",
        call="5 min",
        acknowledged_for="1 h",
    )
    policy = EscalationPolicy(severities=Ladders(critical=hasty))
    answer(engine, timers.put_in_force, policy, day(1))
    answer(engine, timers.put_in_force, policy, day(2))
    assert pending(engine, old) == before
    new = Ward(engine, {"lab|F1": ADA}, patient_id=2).judge(judged(severity=Severity.CRITICAL)).alert_ids[0]
    assert pending(engine, new)["call"] == day(0) + timedelta(minutes=5)
    answer(engine, answers.snooze, old, ADA_ACTS, until=day(3), reason="later", now=day(1))
    answer(engine, answers.wake_due, day(3))
    assert pending(engine, old)["call"] == day(3) + timedelta(minutes=60)
    assert len({row.policy_id for row in rows(engine, ALERT)}) == 2


def test_a_call_with_read_back_is_kept_as_it_was_made_and_the_list_asks_again_later(
    engine: Engine, ward: Ward, clock: Clock
) -> None:
    alert = raised(ward)
    pass_time(engine, clock, day(1))
    call = Call("Dr. Ada, ward 3", day(1), "hemoglobin 68 g/L", read_back=True)
    answer(engine, calls.record, alert, ADA_ACTS, call, now=day(1))
    with engine.connect() as connection:
        assert calls.waiting(connection) == []
        (made,) = calls.made(connection, alert)
    assert (made.reason, made.actor_ident, made.data["told"]) == ("read-back", ADA.id, "hemoglobin 68 g/L")
    assert (made.data["to"], made.data["read_back"]) == ("Dr. Ada, ward 3", True)
    assert pass_time(engine, clock, day(2)) == ["call:call-list"]
    with writing(engine) as connection:
        audit.seal(connection)
        assert audit.verify(connection) == []
        changed = {**made.data, "told": "hemoglobin 86 g/L"}
        take_off_guards(connection)
        connection.execute(ALERT_EVENT.update().where(ALERT_EVENT.c.id == made.id).values(data=changed))
        assert [b.kind for b in audit.verify(connection)] == ["event-changed"]


def test_a_call_that_was_not_read_back_leaves_the_alert_on_the_list(
    engine: Engine, ward: Ward, clock: Clock
) -> None:
    alert = raised(ward)
    pass_time(engine, clock, day(1))
    answer(engine, calls.record, alert, ADA_ACTS, Call("voicemail", day(1), "please call", False), now=day(1))
    with engine.connect() as connection:
        assert [row.id for row in calls.waiting(connection)] == [alert]


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (Call(" ", day(1), "68 g/L", True), "to"),
        (Call("Ada", day(1), "", True), "told"),
        (Call("Ada", day(2), "68 g/L", True), "at"),
        (Call("Ada", day(1).replace(tzinfo=None), "68 g/L", True), "at"),
    ],
)
def test_a_call_without_whom_what_and_when_is_refused(
    engine: Engine, ward: Ward, call: Call, field: str
) -> None:
    alert = raised(ward)
    with pytest.raises(answers.Invalid) as refused:
        answer(engine, calls.record, alert, ADA_ACTS, call, now=day(1))
    assert refused.value.field == field


def test_b96_an_escalated_alert_takes_an_answer_and_a_superseded_or_withdrawn_one_says_what_it_is(
    engine: Engine, ward: Ward, clock: Clock
) -> None:
    alert = raised(ward)
    pass_time(engine, clock, day(1))
    answer(engine, answers.acknowledge, alert, Actor(BEN.system, BEN.id), now=day(1))
    with engine.connect() as connection:
        assert calls.waiting(connection) == []
    ward.judge(judged(severity=Severity.CRITICAL, covered_by="stronger"), at=2)
    with pytest.raises(TooLate) as late:
        answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(3))
    assert late.value.state == "closed"


def test_b95_of_two_acknowledgements_the_second_hears_who_and_when(engine: Engine, ward: Ward) -> None:
    alert = raised(ward)
    answer(engine, answers.acknowledge, alert, Actor(BEN.system, BEN.id), now=day(1))
    with pytest.raises(TooLate) as late:
        answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(2))
    assert (late.value.by.id, late.value.at) == (BEN.id, day(1))


def test_f11_two_pollers_at_once_take_no_step_twice(engine: Engine, ward: Ward, clock: Clock) -> None:
    alerts = [
        Ward(engine, {"lab|F1": ADA}, patient_id=i, fallback=ON_CALL)
        .judge(judged(severity=Severity.CRITICAL))
        .alert_ids[0]
        for i in range(10, 30)
    ]
    clock.now = day(1)
    barrier = threading.Barrier(3)

    def poll() -> None:
        barrier.wait()
        while run_due(engine, REACH, now=clock, limit=3):
            pass

    threads = [threading.Thread(target=poll) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for alert in alerts:
        events = rows(engine, ALERT_EVENT, ALERT_EVENT.c.alert_id == alert)
        assert sorted(e.reason for e in events[1:]) == ["call-list", "cover-gap", "pool", "unanswered"]


def test_f10_a_timer_of_a_poller_that_died_is_done_by_another_when_its_lease_ends(
    engine: Engine, ward: Ward, clock: Clock
) -> None:
    alert = raised(ward)
    clock.now = day(16 * MINUTE)
    with writing(engine) as connection:  # claimed by one that is killed before it does it
        assert len(timers_claimed(connection, clock)) == 1
    assert run_due(engine, REACH, now=clock) == {}
    clock.now += timedelta(seconds=31)
    assert run_due(engine, REACH, now=clock) == {("remind", "told"): 1}
    assert len(rows(engine, ALERT_EVENT, ALERT_EVENT.c.alert_id == alert)) == 2


def timers_claimed(connection: Connection, clock: Clock) -> list[Any]:
    from alerts.due import LEASE
    from alerts.leases import claim

    return claim(connection, TIMER, limit=5, lease=LEASE, now=clock.now)


def race(engine: Engine, rounds: int) -> None:
    """F69: an acknowledgement and an escalation at the same moment; whoever is first, the other sees it."""
    ladder = CriticalLadder(
        answer_within="5 min",
        remind="1 min",
        cover="2 min",
        pool="3 min",
        call="5 min",
        acknowledged_for="1 h",
    )
    answer(engine, timers.put_in_force, EscalationPolicy(severities=Ladders(critical=ladder)), day(0))
    for number in range(rounds):
        ward = Ward(engine, {"lab|F1": ADA}, patient_id=5_000 + number, fallback=ON_CALL)
        alert = ward.judge(judged(severity=Severity.CRITICAL)).alert_ids[0]
        _one_race(engine, alert)
        _is_one_truth(engine, alert)


def _one_race(engine: Engine, alert: int) -> None:
    barrier = threading.Barrier(2)

    def acknowledge() -> None:
        barrier.wait()
        answer(engine, answers.acknowledge, alert, ADA_ACTS, now=day(2 * MINUTE))

    def escalate() -> None:
        barrier.wait()
        for _ in range(4):
            run_due(engine, REACH, now=lambda _: day(5 * MINUTE))

    threads = [threading.Thread(target=one) for one in (acknowledge, escalate)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _is_one_truth(engine: Engine, alert: int) -> None:
    (found,) = rows(engine, ALERT, ALERT.c.id == alert)
    assert (found.state, found.call_list_since) == ("acknowledged", None)
    events = rows(engine, ALERT_EVENT, ALERT_EVENT.c.alert_id == alert)
    at = next(e.seq for e in events if e.step == Step.ACKNOWLEDGE)
    after = [e for e in events if e.seq > at]
    assert not [e for e in after if e.step in (Step.REMIND, Step.ESCALATE)]
    ladder = rows(engine, TIMER, TIMER.c.alert_id == alert, TIMER.c.kind != Timer.LAPSE)
    assert len([t for t in ladder if t.state == "done" and t.reason not in ("overtaken", None)]) == len(
        [e for e in events if e.seq < at and e.step in (Step.REMIND, Step.ESCALATE)]
    )
    assert not [t for t in ladder if t.state == "pending"]


def test_f69_an_acknowledgement_and_an_escalation_at_once_leave_one_truth(engine: Engine, ward: Ward) -> None:
    race(engine, 30)


@pytest.mark.faults
def test_f69_five_hundred_times(engine: Engine, ward: Ward) -> None:
    race(engine, 500)


def test_a_timer_that_cannot_be_handled_does_not_hold_up_the_others(
    engine: Engine, ward: Ward, clock: Clock
) -> None:
    broken, sound = raised(ward), Ward(engine, {"lab|F1": ADA}, patient_id=2).judge(judged()).alert_ids[0]
    with writing(engine) as connection:
        connection.execute(TIMER.update().where(TIMER.c.alert_id == broken).values(kind="unheard-of"))
    clock.now = day(10)
    why: list[Exception] = []
    done = run_due(engine, REACH, now=clock, failed=why.append)
    assert done["unheard-of", "failed"] == 4
    assert [type(error) for error in why] == [ValueError] * 4
    assert len(rows(engine, ALERT_EVENT, ALERT_EVENT.c.alert_id == sound)) == 5
    assert {t.state for t in rows(engine, TIMER, TIMER.c.alert_id == broken)} == {"pending"}
