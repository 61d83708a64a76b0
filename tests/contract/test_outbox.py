"""The outbox on both databases: told in order, once by its key, again after a failure, and never stale."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Row, select

from alerts import answers, directory
from alerts.channels.channel import Message, Passing, Refused
from alerts.channels.email import EmailChannel, smtp_server
from alerts.channels.guarded_http import target_of
from alerts.channels.inbox import InboxChannel
from alerts.channels.webhook import WebhookChannel
from alerts.destinations import BEFORE_IT_IS_SAID, unsaid
from alerts.leases import claim, database_now, writing
from alerts.outbox import FIRST_WAIT, GIVE_UP_AFTER, LONGEST_WAIT, Delivered, deliver_due, wait_after
from alerts.people import Actor
from alerts.states import Step
from alerts.tables import ALERT, ALERT_EVENT, DELIVERY, DESTINATION
from rules.findings import Ended, Severity
from rules.truth import Truth
from tests.alerts.http_script import receiver
from tests.alerts.made_up import ADA, BEN, HEMOGLOBIN, Ward, day, ferritin, judged
from tests.alerts.smtp_script import Relay, relay

FALSE = judged(pattern=Truth.FALSE)
INBOX = InboxChannel()
ACTOR = Actor(ADA.system, ADA.id)


@dataclass
class Sink:
    """A channel that keeps what it is given, and fails as it is told."""

    name: str = "email"
    instant: bool = False
    taken: list[Message] = field(default_factory=list)
    problems: list[Exception] = field(default_factory=list)

    def send(self, message: Message) -> None:
        if self.problems:
            raise self.problems.pop(0)
        self.taken.append(message)

    @property
    def steps(self) -> list[Step]:
        return [line.step for message in self.taken for line in message.lines]


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def ward(engine: Engine) -> Ward:
    with writing(engine) as connection:
        directory.register(connection, ADA.address, email="ada@hospital.test")
        directory.register(connection, BEN.address, email="ben@hospital.test")
    return Ward(engine, {"lab|F1": ADA, "lab|F2": BEN}, push=("email",))


def deliveries(engine: Engine) -> list[Row[Any]]:
    with engine.connect() as connection:
        return list(connection.execute(select(DELIVERY).order_by(DELIVERY.c.id)).all())


def state(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(select(ALERT.c.state)).scalar_one())


def make_due(engine: Engine) -> None:
    """The waits and leases of what is pending are over."""
    with writing(engine) as connection:
        connection.execute(
            DELIVERY.update().where(DELIVERY.c.state == "pending").values(due_at=database_now(connection))
        )


def counted(delivered: Delivered) -> dict[tuple[str, str, str], int]:
    return dict(delivered.counts)


def test_the_inbox_tells_at_once_and_says_how_long_it_took(engine: Engine, ward: Ward) -> None:
    ward.judge(judged())
    delivered = deliver_due(engine, [INBOX])
    assert counted(delivered) == {("inbox", "sent", ""): 1}
    assert len(delivered.received_to_told_seconds) == 1
    with engine.connect() as connection:
        alert = connection.execute(select(ALERT)).one()
        event = connection.execute(select(ALERT_EVENT).order_by(ALERT_EVENT.c.id.desc()).limit(1)).one()
    assert (alert.state, alert.reason) == ("told", "inbox")
    assert alert.told_at == deliveries(engine)[0].sent_at
    assert (event.step, event.data["channel"], event.data["to"]["id"]) == ("tell", "inbox", ADA.id)


def test_what_was_sent_is_not_sent_again(engine: Engine, ward: Ward, sink: Sink) -> None:
    ward.judge(judged())
    deliver_due(engine, [INBOX, sink])
    assert deliver_due(engine, [INBOX, sink]).attempts == 0
    assert len(sink.taken) == 1


def test_a_passing_failure_is_tried_again_under_the_same_key(engine: Engine, ward: Ward, sink: Sink) -> None:
    ward.judge(judged())
    sink.problems = [Passing("connection", is_down=True)]
    assert counted(deliver_due(engine, [sink])) == {("email", "retried", "connection"): 1}
    waiting = deliveries(engine)[1]
    assert (waiting.state, waiting.reason, waiting.attempts) == ("pending", "connection", 1)
    assert deliver_due(engine, [sink]).attempts == 0
    make_due(engine)
    deliver_due(engine, [sink])
    assert [m.key for m in sink.taken] == [waiting.delivery_key]


def test_f64_a_wait_that_is_asked_for_is_kept_up_to_an_hour(engine: Engine, ward: Ward, sink: Sink) -> None:
    ward.judge(judged())
    for asked, kept in [
        (timedelta(minutes=20), timedelta(minutes=20)),
        (timedelta(days=1), timedelta(hours=1)),
    ]:
        sink.problems = [Passing("status-429", is_down=True, retry_after=asked)]
        make_due(engine)
        with writing(engine) as connection:
            connection.execute(DESTINATION.delete())
        deliver_due(engine, [sink])
        with engine.connect() as connection:
            wait = deliveries(engine)[1].due_at - database_now(connection)
        assert kept - timedelta(minutes=1) < wait <= kept


def test_f64_a_destination_that_asked_for_a_wait_is_left_alone_and_no_other_one_is(
    engine: Engine, ward: Ward, sink: Sink
) -> None:
    ward.judge(judged())
    sink.problems = [Passing("status-429", is_down=True, retry_after=timedelta(minutes=20))]
    deliver_due(engine, [sink])
    make_due(engine)
    assert deliver_due(engine, [sink]).attempts == 0
    assert counted(deliver_due(engine, [sink, INBOX])) == {("inbox", "sent", ""): 1}
    with writing(engine) as connection:
        connection.execute(DESTINATION.update().values(paused_until=database_now(connection)))
    assert counted(deliver_due(engine, [sink])) == {("email", "sent", ""): 1}


def test_a_destination_that_fails_is_said_once_and_once_that_it_takes_again(
    engine: Engine, ward: Ward, sink: Sink
) -> None:
    ward.judge(judged())
    sink.problems = [Passing("connection", is_down=True)] * 3
    said: list[tuple[str, bool]] = []

    def say(later: timedelta) -> None:
        with writing(engine) as connection:
            changes = unsaid(connection, database_now(connection) + later)
        said.extend((change.channel, change.failing) for change in changes)

    for later in (timedelta(0), BEFORE_IT_IS_SAID, BEFORE_IT_IS_SAID):
        make_due(engine)
        deliver_due(engine, [sink])
        say(later)
    assert said == [("email", True)]
    make_due(engine)
    deliver_due(engine, [sink])
    say(timedelta(0))
    say(timedelta(hours=1))
    assert said == [("email", True), ("email", False)]


def test_a_hiccup_is_not_said(engine: Engine, ward: Ward, sink: Sink) -> None:
    ward.judge(judged())
    sink.problems = [Passing("connection", is_down=True)]
    for _ in range(2):
        make_due(engine)
        deliver_due(engine, [sink])
    with writing(engine) as connection:
        assert unsaid(connection, database_now(connection) + timedelta(hours=1)) == []


def test_a_refused_delivery_is_failed_with_its_reason_and_not_tried_again(
    engine: Engine, ward: Ward, sink: Sink
) -> None:
    ward.judge(judged())
    sink.problems = [Refused("recipient-refused")]
    assert counted(deliver_due(engine, [sink])) == {("email", "failed", "recipient-refused"): 1}
    make_due(engine)
    assert deliver_due(engine, [sink]).attempts == 0


def test_what_failed_for_a_day_is_given_up_and_counted(engine: Engine, ward: Ward, sink: Sink) -> None:
    ward.judge(judged())
    with writing(engine) as connection:
        long_ago = database_now(connection) - GIVE_UP_AFTER
        connection.execute(DELIVERY.update().values(created_at=long_ago))
    sink.problems = [Passing("connection")]
    assert counted(deliver_due(engine, [sink])) == {("email", "failed", "gave-up"): 1}


def test_a_channel_that_is_down_ends_its_own_round_only(engine: Engine, ward: Ward, sink: Sink) -> None:
    ward.judge(judged())
    Ward(engine, ward.orderers, push=("email",), patient_id=2).judge(judged())
    sink.problems = [Passing("connection", is_down=True)] * 9
    delivered = deliver_due(engine, [sink, INBOX])
    assert counted(delivered) == {("email", "retried", "connection"): 1, ("inbox", "sent", ""): 2}


def test_one_who_cannot_be_reached_does_not_hold_up_another(engine: Engine, ward: Ward, sink: Sink) -> None:
    ward.judge(judged())
    Ward(engine, ward.orderers, push=("email",), patient_id=2).judge(judged())
    sink.problems = [Passing("recipient-refused")]
    assert counted(deliver_due(engine, [sink])) == {
        ("email", "retried", "recipient-refused"): 1,
        ("email", "sent", ""): 1,
    }


def test_a_channel_that_fails_as_nobody_foresaw_holds_up_one_message_only(
    engine: Engine, ward: Ward, sink: Sink
) -> None:
    ward.judge(judged())
    Ward(engine, ward.orderers, push=("email",), patient_id=2).judge(judged())
    sink.problems = [UnicodeError("a fault of ours")]
    assert counted(deliver_due(engine, [sink])) == {
        ("email", "retried", "fault"): 1,
        ("email", "sent", ""): 1,
    }


def test_a_mail_that_was_sent_and_not_recorded_is_repeated_under_the_same_key(
    engine: Engine, ward: Ward, sink: Sink
) -> None:
    ward.judge(judged())

    class Died(BaseException):
        """Stands for the process that is gone right after sending."""

    @dataclass
    class Dying(Sink):
        def send(self, message: Message) -> None:
            sink.send(message)
            raise Died

    with pytest.raises(Died):
        deliver_due(engine, [Dying()])
    make_due(engine)
    deliver_due(engine, [sink])
    assert len(sink.taken) == 2
    assert len({m.key for m in sink.taken}) == 1
    assert [d.state for d in deliveries(engine) if d.channel == "email"] == ["sent"]


def test_a_sender_that_lost_its_lease_records_nothing(engine: Engine, ward: Ward) -> None:
    ward.judge(judged())

    @dataclass
    class Slow(Sink):
        def send(self, message: Message) -> None:
            make_due(engine)
            with writing(engine) as connection:
                of_mail = DELIVERY.c.channel == "email"
                assert claim(connection, DELIVERY, limit=1, lease=timedelta(minutes=5), where=of_mail)

    assert counted(deliver_due(engine, [Slow()])) == {("email", "fenced", "lease-lost"): 1}
    assert deliveries(engine)[1].state == "pending"


def test_an_alert_that_ended_before_it_was_told_is_not_told_at_all(
    engine: Engine, ward: Ward, sink: Sink
) -> None:
    ward.judge(judged())
    ward.judge(FALSE, at=1, why=Ended.CORRECTED)
    delivered = deliver_due(engine, [INBOX, sink])
    assert sink.taken == []
    assert counted(delivered) == {
        ("inbox", "overtaken", "alert-ended"): 2,
        ("email", "overtaken", "alert-ended"): 2,
    }
    assert state(engine) == "withdrawn"


def test_a_withdrawal_is_sent_after_what_it_takes_back(engine: Engine, ward: Ward, sink: Sink) -> None:
    ward.judge(judged())
    deliver_due(engine, [INBOX, sink])
    ward.judge(FALSE, at=1, why=Ended.CORRECTED)
    deliver_due(engine, [INBOX, sink])
    assert sink.steps == [Step.RAISE, Step.WITHDRAW]


def test_f72_a_correction_while_the_first_mail_is_in_flight_is_the_last_thing_they_get(
    engine: Engine, ward: Ward, sink: Sink
) -> None:
    ward.judge(judged())

    @dataclass
    class Corrected(Sink):
        def send(self, message: Message) -> None:
            sink.send(message)
            if message.lines[0].step is Step.RAISE:
                ward.judge(FALSE, at=1, why=Ended.CORRECTED)
                assert deliver_due(engine, [sink]).attempts == 0

    deliver_due(engine, [Corrected()])
    assert sink.steps == [Step.RAISE, Step.WITHDRAW]


def test_a_mail_that_may_have_arrived_is_taken_back_too(engine: Engine, ward: Ward, sink: Sink) -> None:
    ward.judge(judged())
    sink.problems = [Passing("connection")]
    deliver_due(engine, [sink])
    ward.judge(FALSE, at=1, why=Ended.CORRECTED)
    make_due(engine)
    deliver_due(engine, [sink])
    assert sink.steps == [Step.WITHDRAW]


def test_a_mail_refused_after_a_sender_died_sending_it_is_taken_back_too(
    engine: Engine, ward: Ward, sink: Sink
) -> None:
    ward.judge(judged())

    class Died(BaseException):
        """Stands for the process that is gone right after sending."""

    @dataclass
    class Dying(Sink):
        def send(self, message: Message) -> None:
            raise Died

    with pytest.raises(Died):
        deliver_due(engine, [Dying()])
    make_due(engine)
    sink.problems = [Refused("smtp-550")]
    deliver_due(engine, [sink])
    assert [d.state for d in deliveries(engine) if d.channel == "email"] == ["failed"]
    ward.judge(FALSE, at=1, why=Ended.CORRECTED)
    deliver_due(engine, [sink])
    assert sink.steps == [Step.WITHDRAW]


def test_a_lane_waits_for_its_first_and_another_lane_does_not(engine: Engine, ward: Ward, sink: Sink) -> None:
    ward.judge(judged())
    sink.problems = [Passing("recipient-refused")]
    deliver_due(engine, [sink])
    ward.judge(judged(severity=Severity.CRITICAL, evidence=[ferritin("8", on=1, key="lab|F2")]), at=1)
    deliver_due(engine, [sink])
    assert [m.to for m in sink.taken] == [BEN.address]
    make_due(engine)
    deliver_due(engine, [sink])
    assert [(m.to, m.lines[0].step) for m in sink.taken[1:]] == [
        (ADA.address, Step.RAISE),
        (ADA.address, Step.WORSEN),
    ]


def test_news_of_an_answered_alert_that_is_worse_is_told_anew(engine: Engine, ward: Ward) -> None:
    alert_id = ward.judge(judged()).alert_ids[0]
    deliver_due(engine, [INBOX])
    with writing(engine) as connection:
        answers.acknowledge(connection, alert_id, ACTOR, now=day(1))
    ward.judge(judged(severity=Severity.CRITICAL), at=2)
    assert state(engine) == "raised"
    deliver_due(engine, [INBOX])
    assert state(engine) == "told"


def test_an_old_delivery_does_not_tell_what_has_become_worse_since(engine: Engine, ward: Ward) -> None:
    ward.judge(judged())
    ward.judge(judged(severity=Severity.CRITICAL), at=1)
    deliver_due(engine, [INBOX], limit=1)
    assert state(engine) == "raised"
    deliver_due(engine, [INBOX], limit=1)
    assert state(engine) == "told"


def test_one_who_joins_an_acknowledged_alert_is_told_and_it_stays_acknowledged(
    engine: Engine, ward: Ward
) -> None:
    alert_id = ward.judge(judged()).alert_ids[0]
    with writing(engine) as connection:
        answers.acknowledge(connection, alert_id, ACTOR, now=day(1))
    ward.judge(judged(evidence=[ferritin("8", on=2, key="lab|F2")]), at=2)
    deliver_due(engine, [INBOX])
    assert state(engine) == "acknowledged"
    assert deliveries(engine)[-1].recipient_ident == BEN.id


def test_many_senders_at_once_send_each_mail_once(engine: Engine, ward: Ward) -> None:
    for patient in range(1, 11):
        Ward(engine, ward.orderers, push=("email",), patient_id=patient).judge(judged())
    lock, sink = threading.Lock(), Sink()

    @dataclass
    class Locked(Sink):
        def send(self, message: Message) -> None:
            with lock:
                sink.send(message)

    threads = [threading.Thread(target=deliver_due, args=(engine, [INBOX, Locked()])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sink.taken) == 10
    assert len({m.key for m in sink.taken}) == 10
    assert {d.state for d in deliveries(engine)} == {"sent"}


@pytest.fixture
def mail() -> Iterator[Relay]:
    with relay() as running:
        yield running


def test_s28_a_webhook_carries_no_name_no_identifier_and_no_value(engine: Engine, ward: Ward) -> None:
    hooked = Ward(engine, ward.orderers, push=("email", "webhook"))
    hooked.judge(judged(evidence=[ferritin("4711")]))
    with receiver() as hook:
        target = target_of(hook.url, ["127.0.0.1"])
        channel = WebhookChannel(target, (b"k" * 24,), "https://pages.test", lambda: day(0))
        assert counted(deliver_due(engine, [channel])) == {("webhook", "sent", ""): 1}
    (heard,) = hook.heard
    assert heard.headers["webhook-id"] == deliveries(engine)[2].delivery_key
    assert b"4711" not in heard.body


def test_a_person_without_an_address_is_told_by_the_webhook_alone(engine: Engine, ward: Ward) -> None:
    with writing(engine) as connection:
        directory.register(connection, ADA.address)
    Ward(engine, ward.orderers, push=("email", "webhook")).judge(judged())
    assert [row.channel for row in deliveries(engine)] == ["inbox", "webhook"]


def test_a_mail_carries_no_name_no_identifier_and_no_value(engine: Engine, ward: Ward, mail: Relay) -> None:
    email = EmailChannel(
        smtp_server(f"smtp://127.0.0.1:{mail.port}"), "ferrule@hospital.test", "http://pages.test"
    )
    ward.judge(
        judged(evidence=[ferritin("4711")]), judged(HEMOGLOBIN, headline="Hemoglobin is critically low")
    )
    deliver_due(engine, [email])
    (letter,) = mail.letters
    assert "4711" not in letter.as_string()
    assert letter["Message-ID"] == f"<{deliveries(engine)[1].delivery_key}@hospital.test>"
    assert letter["To"] == "ada@hospital.test"


def test_somebody_whose_address_is_gone_is_a_failure_with_a_name(
    engine: Engine, ward: Ward, mail: Relay
) -> None:
    email = EmailChannel(
        smtp_server(f"smtp://127.0.0.1:{mail.port}"), "ferrule@hospital.test", "http://pages.test"
    )
    ward.judge(judged())
    with writing(engine) as connection:
        directory.register(connection, ADA.address, email="ada@hospital.test", active=False)
    assert counted(deliver_due(engine, [email])) == {("email", "failed", "no-address"): 1}


def test_waits_double_up_to_a_limit_and_are_spread_by_the_key() -> None:
    early, late = "0" * 64, "f" * 64
    assert wait_after(1, early) == FIRST_WAIT
    assert wait_after(1, late) == FIRST_WAIT / 2
    assert wait_after(2, early) == 2 * FIRST_WAIT
    assert wait_after(1_000_000, early) == LONGEST_WAIT
