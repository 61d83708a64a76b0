"""Faults of a whole channel, a real relay and a moved clock: what is lost on the way escalates on time."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from alerts import directory
from alerts.channels.email import EmailChannel, smtp_server
from alerts.channels.inbox import InboxChannel
from alerts.due import Reach, run_due
from alerts.leases import writing
from alerts.outbox import deliver_due
from alerts.tables import ALERT, ALERT_EVENT, DELIVERY, TIMER
from rules.findings import Severity
from tests.alerts.made_up import ADA, BEN, Ward, day, judged
from tests.alerts.smtp_script import Relay, relay
from tests.contract.test_escalation import ON_CALL, Clock
from tests.contract.test_outbox import Sink, counted, make_due

MINUTES = (15, 30, 45, 60)
"""When a critical alert is reminded of, passed to cover and pool, and put on the call list."""


@pytest.fixture
def mail() -> Iterator[Relay]:
    with relay() as running:
        yield running


@pytest.fixture
def ward(engine: Engine) -> Ward:
    with writing(engine) as connection:
        directory.register(connection, ADA.address, email="ada@hospital.test")
        directory.register(connection, BEN.address, email="ben@hospital.test")
        directory.register_pool(connection, "on-call", [BEN.address])
    return Ward(engine, {"lab|F1": ADA}, push=("email", "webhook"), fallback=ON_CALL)


def email(mail: Relay) -> EmailChannel:
    return EmailChannel(
        smtp_server(f"smtp://127.0.0.1:{mail.port}?starttls=never"), "ferrule@hospital.test", "http://p.test"
    )


def climb(engine: Engine, ward: Ward) -> list[float]:
    """Move the clock from timer to timer; the minutes at which somebody was asked anew."""
    clock, reach = Clock(), Reach(ward.push, ON_CALL)
    while True:
        with engine.connect() as connection:
            due = connection.execute(select(TIMER.c.due_at).where(TIMER.c.state == "pending")).scalars().all()
        if not due:
            break
        clock.now = min(due)
        run_due(engine, reach, now=clock)
    with engine.connect() as connection:
        steps = ALERT_EVENT.c.step.in_(["remind", "escalate"])
        times = connection.execute(select(ALERT_EVENT.c.at).where(steps).order_by(ALERT_EVENT.c.id))
        return [(at - day(0)) / timedelta(minutes=1) for at in times.scalars()]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"on_mail": ["421 going down"]}, "sender-refused"),
        ({"on_rcpt": ["450 busy"]}, "recipient-refused"),
        ({"on_data": ["451 later"]}, "content-refused"),
        ({"on_data": ["hang up"]}, "connection"),
    ],
    ids=["421", "450", "451", "closes after DATA"],
)
def test_f63_a_relay_that_fails_holds_up_neither_the_next_channel_nor_the_ladder(
    engine: Engine, ward: Ward, mail: Relay, said: dict[str, list[str]], reason: str
) -> None:
    ward.judge(judged(severity=Severity.CRITICAL))
    for name, answers in said.items():
        setattr(mail, name, answers)
    hook = Sink("webhook")
    assert counted(deliver_due(engine, [InboxChannel(), email(mail), hook])) == {
        ("inbox", "sent", ""): 1,
        ("email", "retried", reason): 1,
        ("webhook", "sent", ""): 1,
    }
    mail.on_mail, mail.on_rcpt, mail.on_data = ["250 ok"], ["250 ok"], ["250 kept"]
    make_due(engine)
    assert counted(deliver_due(engine, [email(mail)])) == {("email", "sent", ""): 1}
    assert len({letter["Message-ID"] for letter in mail.letters}) == 1
    assert climb(engine, ward) == [*MINUTES]


def test_f71_what_a_relay_takes_and_drops_escalates_at_the_times_of_the_policy(
    engine: Engine, ward: Ward, mail: Relay
) -> None:
    """A 250 is no read receipt: only an answer stops the ladder."""
    ward.judge(judged(severity=Severity.CRITICAL))
    deliver_due(engine, [InboxChannel(), email(mail), Sink("webhook")])
    with engine.connect() as connection:
        assert set(connection.execute(select(DELIVERY.c.state)).scalars()) == {"sent"}
        assert connection.execute(select(ALERT.c.state)).scalar() == "told"
    mail.letters.clear()
    assert climb(engine, ward) == [*MINUTES]
