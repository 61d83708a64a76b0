"""Random lives of a patient's alerts on both databases: whatever happens, the promises of the loop hold."""

import itertools
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, Row, Table, func, select

from alerts import answers, audit, calls, directory
from alerts.calls import Call
from alerts.channels.channel import Message, Passing, Refused
from alerts.channels.inbox import InboxChannel
from alerts.due import Reach, run_due
from alerts.escalation import ASKS, STOPS
from alerts.leases import database_now, writing
from alerts.outbox import deliver_due
from alerts.people import NOBODY_YET, Actor, Address, pool
from alerts.states import OPEN, TRANSITIONS, UNENDED, NotAllowed, State, Step
from alerts.tables import ADDRESSEE, ALERT, ALERT_EVENT, AUDIT, DELIVERY, TIMER
from rules.findings import Ended, Severity
from rules.truth import Truth
from tests.alerts.made_up import ADA, BEN, Ward, day, expected, ferritin, judged

ON_CALL = pool("on-call")
EXPECTS = (expected("b12", within_days=42),)
patients = itertools.count(1_000)
RESULTS = st.sampled_from(["lab|F1", "lab|F2", "lab|F3"])
NOT_TRUE = st.sampled_from([Truth.FALSE, Truth.UNKNOWN])
VALUES = st.sampled_from(["7", "8", "9"])
PROBLEMS = st.sampled_from([None, None, Passing("connection", is_down=True), Refused("recipient-refused")])


class Mail:
    """An e-mail channel that keeps what arrived, and fails when it is told to."""

    name = "email"
    instant = False

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.problem: Exception | None = None

    def send(self, message: Message) -> None:
        if isinstance(self.problem, Refused):
            raise self.problem
        self.taken.append(message)
        if self.problem is not None:
            raise self.problem  # it arrived, and the answer was lost


class Lives(RuleBasedStateMachine):
    """One patient, one rule, two clinicians."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine, self.mail, self.day = engine, Mail(), 0.0
        self.ward = Ward(engine, {"lab|F1": ADA, "lab|F2": BEN}, push=("email",), patient_id=next(patients))

    def rows(self, table: Table, *where: Any) -> list[Row[Any]]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(table).where(*where).order_by(table.c.id)).all())

    @property
    def alerts(self) -> list[Row[Any]]:
        return self.rows(ALERT, ALERT.c.patient_id == self.ward.patient_id)

    def tomorrow(self) -> float:
        self.day += 1
        return self.day

    @initialize(severity=st.sampled_from(list(Severity)))
    def it_begins(self, severity: Severity) -> None:
        self.ward.judge(judged(severity=severity, follow_up=EXPECTS), at=self.tomorrow())

    @rule(severity=st.sampled_from(list(Severity)), key=RESULTS, value=VALUES)
    def the_pattern_is_true(self, severity: Severity, key: str, value: str) -> None:
        self.ward.judge(judged(severity=severity, evidence=[ferritin(value, key=key)]), at=self.tomorrow())

    @rule(why=st.sampled_from([Ended.NEWER_FACT, Ended.TIME, Ended.RULES_CHANGED]), pattern=NOT_TRUE)
    def the_pattern_stops(self, why: Ended, pattern: Truth) -> None:
        self.ward.judge(judged(pattern=pattern), at=self.tomorrow(), why=why)

    @rule(pattern=NOT_TRUE)
    def a_result_is_corrected(self, pattern: Truth) -> None:
        self.ward.judge(judged(pattern=pattern), at=self.tomorrow(), why=Ended.CORRECTED)

    @rule(held=st.booleans())
    def the_pattern_is_held_or_covered(self, held: bool) -> None:
        found = judged(held="crp" if held else None, covered_by=None if held else "stronger")
        self.ward.judge(found, at=self.tomorrow())

    @rule(
        step=st.sampled_from(["acknowledge", "dismiss", "snooze", "resolve", "reassign", "reopen"]),
        by=st.sampled_from([ADA, BEN]),
    )
    def somebody_answers(self, step: str, by: Any) -> None:
        if not (alerts := self.alerts):
            return
        arguments: dict[str, dict[str, Any]] = {
            "dismiss": {"reason": "known-diagnosis"},
            "snooze": {"until": day(self.day + 2), "reason": "later"},
            "resolve": {"reason": "done"},
            "reassign": {"to": BEN.address, "reason": "on leave"},
            "reopen": {"reason": "not done"},
        }
        before, now = alerts[-1], day(self.tomorrow())
        try:
            with writing(self.engine) as connection:
                act = getattr(answers, step)
                act(connection, before.id, Actor(by.system, by.id), now=now, **arguments.get(step, {}))
        except NotAllowed:
            assert (State(before.state), Step(step)) not in TRANSITIONS
            assert self.alerts[-1] == before

    @rule()
    def snoozes_end(self) -> None:
        with writing(self.engine) as connection:
            answers.wake_due(connection, day(self.tomorrow()), push=("email",))

    @rule(days=st.sampled_from([0.02, 1.0, 4.0, 30.0]))
    def time_passes(self, days: float) -> None:
        """Reminders, escalations, lapses and missed follow-ups, by two pollers one after the other."""
        self.day += days
        for _ in range(2):
            run_due(self.engine, Reach(("email",), ON_CALL), now=lambda _: day(self.day))

    @rule(read_back=st.booleans())
    def somebody_calls(self, read_back: bool) -> None:
        if not (alerts := self.alerts) or alerts[-1].state in (State.WITHDRAWN, State.HELD):
            return
        with writing(self.engine) as connection:
            call = Call("ward", day(self.day), "ferritin 9 ug/L", read_back)
            calls.record(connection, alerts[-1].id, Actor(BEN.system, BEN.id), call, now=day(self.day))

    @rule(problem=PROBLEMS, limit=st.integers(1, 3))
    def the_outbox_is_emptied_a_little(self, problem: Exception | None, limit: int) -> None:
        with writing(self.engine) as connection:
            pending = DELIVERY.c.state == "pending"
            connection.execute(DELIVERY.update().where(pending).values(due_at=database_now(connection)))
        self.mail.problem = problem
        deliver_due(self.engine, [InboxChannel(), self.mail], limit=limit)

    @invariant()
    def none_ends_silently(self) -> None:
        """An open alert that is not low has somebody who hears of it next, or is on the call list."""
        clocks = self.rows(TIMER, TIMER.c.state == "pending")
        for alert in self.alerts:
            if alert.state not in OPEN or alert.severity == Severity.LOW:
                continue
            watched = [t for t in clocks if t.alert_id == alert.id]
            assert watched or alert.call_list_since or alert.snoozed_until, (alert.state, alert.reason)

    @invariant()
    def what_has_ended_has_no_clock(self) -> None:
        ended = {a.id for a in self.alerts if a.state not in OPEN}
        assert not [t for t in self.rows(TIMER, TIMER.c.state == "pending") if t.alert_id in ended]

    @invariant()
    def at_most_one_episode_is_open(self) -> None:
        assert sum(a.state in UNENDED for a in self.alerts) <= 1
        assert [a.episode for a in self.alerts] == list(range(1, len(self.alerts) + 1))

    def every_alert_has_an_owner_among_its_addressees(self) -> None:
        for alert in self.alerts:
            addressed = self.rows(ADDRESSEE, ADDRESSEE.c.alert_id == alert.id)
            owner = Address(alert.recipient_system, alert.recipient_ident)
            owned = owner in {Address(a.system, a.ident) for a in addressed}
            assert owned or (owner == NOBODY_YET and not addressed)

    def the_events_lead_to_the_state_by_the_table(self) -> None:
        for alert in self.alerts:
            events = self.rows(ALERT_EVENT, ALERT_EVENT.c.alert_id == alert.id)
            assert [e.seq for e in events] == list(range(1, alert.version + 1))
            state = None
            for event in events:
                assert event.from_state == state
                state = TRANSITIONS[state and State(state), Step(event.step)]
                assert event.to_state == state
            assert (alert.state, alert.reason) == (state, events[-1].reason)
            assert (alert.closed_at is None) == (alert.state in UNENDED)

    def severity_rises_with_each_worsening(self) -> None:
        for alert in self.alerts:
            for event in self.rows(ALERT_EVENT, ALERT_EVENT.c.alert_id == alert.id):
                if event.step == Step.WORSEN:
                    before, now = event.data["severity_before"], event.data["judged_severity"]
                    assert Severity(now).rank < Severity(before).rank

    def nobody_is_called_up_about_what_was_answered(self) -> None:
        """Each escalation stands between an asking and its answer, and each rung once."""
        for alert in self.alerts:
            rungs: list[str] = []
            asking = False
            for event in self.rows(ALERT_EVENT, ALERT_EVENT.c.alert_id == alert.id):
                if event.step in ASKS:
                    rungs, asking = [], True
                elif event.step in STOPS:
                    asking = False
                elif event.step in (Step.REMIND, Step.ESCALATE):
                    assert asking
                    assert event.reason == "call-list" or event.reason not in rungs
                    rungs.append(event.reason)

    def no_step_is_told_twice_by_one_channel_to_one_person(self) -> None:
        told = self.rows(DELIVERY, DELIVERY.c.patient_id == self.ward.patient_id)
        assert len({d.delivery_key for d in told}) == len(told)
        arrived: dict[str, set[tuple[Any, ...]]] = {}
        for message in self.mail.taken:
            arrived.setdefault(message.key, set()).add(message.lines)
        assert arrived.keys() <= {d.delivery_key for d in told if d.channel == "email"}

    def teardown(self) -> None:
        """In the end everything is sent, what they were last told is true, and the trail is whole."""
        for _ in range(100):
            self.the_outbox_is_emptied_a_little(None, 100)
            if not self.rows(DELIVERY, DELIVERY.c.state == "pending"):
                break
        self.every_alert_has_an_owner_among_its_addressees()
        self.the_events_lead_to_the_state_by_the_table()
        self.severity_rises_with_each_worsening()
        self.nobody_is_called_up_about_what_was_answered()
        self.no_step_is_told_twice_by_one_channel_to_one_person()
        self.nothing_is_left_untold()
        self.the_last_word_is_the_truth()
        self.the_next_life_finds_no_timer_of_this_one()
        with writing(self.engine) as connection:
            audit.seal(connection)
            assert audit.verify(connection) == []

    def the_next_life_finds_no_timer_of_this_one(self) -> None:
        """All lives share a database, and a poller does whatever is due in it."""
        with writing(self.engine) as connection:
            connection.execute(TIMER.update().where(TIMER.c.state == "pending").values(state="cancelled"))

    def nothing_is_left_untold(self) -> None:
        assert not [a for a in self.alerts if a.state == State.RAISED]

    def the_last_word_is_the_truth(self) -> None:
        last: dict[tuple[Any, int], Step] = {}
        for message in self.mail.taken:
            last |= {(message.to, line.alert_id): line.step for line in message.lines}
        states = {a.id: a.state for a in self.alerts}
        for (_, alert_id), step in last.items():
            assert (step is Step.WITHDRAW) == (states[alert_id] == State.WITHDRAWN)


def test_the_promises_of_the_loop_hold_in_random_lives(engine: Engine) -> None:
    with writing(engine) as connection:
        directory.register(connection, ADA.address, email="ada@hospital.test")
        directory.register(connection, BEN.address, email="ben@hospital.test")
        directory.register_pool(connection, "on-call", [BEN.address])
    run_state_machine_as_test(
        lambda: Lives(engine),
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    with engine.connect() as connection:
        steps = set(connection.execute(select(ALERT_EVENT.c.step).distinct()).scalars())
        assert connection.execute(select(func.count()).select_from(AUDIT)).scalar_one()
    assert {Step.RAISE, Step.TELL, Step.WITHDRAW} <= steps
