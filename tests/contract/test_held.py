"""What somebody wants later: held in a lane of its own, sent as one message, never dropped, on both
databases.
"""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Row, select

from alerts import directory
from alerts.channels.channel import Message, Refused
from alerts.channels.inbox import InboxChannel
from alerts.due import Reach, run_due
from alerts.leases import database_now, writing
from alerts.outbox import deliver_due
from alerts.people import pool
from alerts.preferences import Preferences
from alerts.states import Step
from alerts.tables import ADDRESSEE, ALERT, ALERT_EVENT, DELIVERY, TIMER
from rules.findings import Ended, Severity
from rules.truth import Truth
from tests.alerts.made_up import ADA, BEN, Ward, day, judged

ON_CALL = pool("on-call")


class Mail:
    """An e-mail channel that keeps what it was handed."""

    name = "email"
    instant = False

    def __init__(self, problem: Exception | None = None) -> None:
        self.taken: list[Message] = []
        self.problem = problem

    def send(self, message: Message) -> None:
        self.taken.append(message)
        if self.problem:
            raise self.problem


@pytest.fixture(autouse=True)
def people(engine: Engine) -> None:
    with writing(engine) as connection:
        directory.register(connection, ADA.address, email="ada@hospital.test")
        directory.register_pool(connection, "on-call", [BEN.address])


def digest_at(engine: Engine, hours: float) -> None:
    """Ada's digest goes out so many hours from now."""
    with writing(engine) as connection:
        at = (database_now(connection) + timedelta(hours=hours)).time().replace(microsecond=0)
        assert directory.prefer(connection, ADA.address, Preferences(digest=at))


def ward(engine: Engine, number: int) -> Ward:
    return Ward(engine, {"lab|F1": ADA}, push=("email",), patient_id=number, fallback=ON_CALL)


def live(engine: Engine, number: int, severity: Severity) -> int:
    """An alert of this moment, so that what is held waits in the clock of the outbox."""
    with engine.connect() as connection:
        now = (database_now(connection) - day(0)) / timedelta(days=1)
    return ward(engine, number).judge(judged(severity=severity), at=now).alert_ids[0]


def rows(engine: Engine, table: Any, *where: Any) -> list[Row[Any]]:
    with engine.connect() as connection:
        return list(connection.execute(select(table).where(*where).order_by(table.c.id)).all())


def it_is_time(engine: Engine) -> None:
    with writing(engine) as connection:
        now = database_now(connection)
        connection.execute(DELIVERY.update().where(DELIVERY.c.state == "pending").values(due_at=now))


def test_what_is_not_urgent_waits_for_the_digest_and_goes_out_as_one_message(engine: Engine) -> None:
    digest_at(engine, 3)
    alerts = [live(engine, n, Severity.MODERATE) for n in (1, 2, 3)]
    mail = Mail()
    deliver_due(engine, [InboxChannel(), mail])
    assert mail.taken == []
    assert {a.state for a in rows(engine, ALERT)} == {"told"}
    it_is_time(engine)
    deliver_due(engine, [mail])
    (digest,) = mail.taken
    assert [line.alert_id for line in digest.lines] == alerts
    by_mail = rows(engine, DELIVERY, DELIVERY.c.channel == "email")
    assert [d.state for d in by_mail] == ["sent", "bundled", "bundled"]


def test_critical_breaks_through_what_is_held_for_the_same_patient(engine: Engine) -> None:
    digest_at(engine, 3)
    live(engine, 1, Severity.MODERATE)
    live(engine, 2, Severity.CRITICAL)
    mail = Mail()
    deliver_due(engine, [mail])
    assert [line.severity for message in mail.taken for line in message.lines] == [Severity.CRITICAL]


def test_what_was_withdrawn_before_the_digest_is_not_in_it_and_one_withdrawn_after_is_taken_back(
    engine: Engine,
) -> None:
    digest_at(engine, 3)
    early, late = live(engine, 1, Severity.MODERATE), live(engine, 2, Severity.MODERATE)
    mail = Mail()
    ward(engine, 1).judge(judged(pattern=Truth.FALSE), at=400, why=Ended.CORRECTED)
    it_is_time(engine)
    deliver_due(engine, [mail])
    ward(engine, 2).judge(judged(pattern=Truth.FALSE), at=400, why=Ended.CORRECTED)
    it_is_time(engine)
    deliver_due(engine, [mail])
    assert [[(x.alert_id, x.step) for x in m.lines] for m in mail.taken] == [
        [(late, Step.RAISE)],
        [(late, Step.WITHDRAW)],
    ]
    assert early not in {line.alert_id for m in mail.taken for line in m.lines}


def test_b98_a_refused_address_brings_the_next_in_the_ladder_forward_at_once(engine: Engine) -> None:
    alert = live(engine, 1, Severity.HIGH)
    deliver_due(engine, [InboxChannel(), Mail(Refused("recipient-refused"))])
    assert run_due(engine, Reach(fallback=ON_CALL)) == {("cover", "cover-gap"): 1}
    assert [r.ident for r in rows(engine, ADDRESSEE)] == [ADA.id, "on-call"]
    (event,) = rows(engine, ALERT_EVENT, ALERT_EVENT.c.step == "escalate")
    assert event.alert_id == alert
    (cover,) = rows(engine, TIMER, TIMER.c.kind == "cover")
    assert cover.state == "done"


@pytest.mark.parametrize("how", ["no-address", "left"])
def test_b98_who_has_no_address_or_has_left_is_passed_over_with_the_reason(engine: Engine, how: str) -> None:
    with writing(engine) as connection:
        directory.register(connection, ADA.address, active=how != "left")
    live(engine, 1, Severity.HIGH)
    addressed = [(r.ident, r.why) for r in rows(engine, ADDRESSEE)]
    assert addressed[-1] == ("on-call", "fallback-not-reachable")
    assert len(addressed) == (2 if how == "no-address" else 1)
