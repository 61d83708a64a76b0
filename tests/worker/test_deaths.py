"""Of somebody who has died everything is shown and nothing pushed: neither what waited nor what comes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select

from alerts import answers, directory
from alerts.people import Actor, Address
from alerts.tables import ALERT, DELIVERY
from tests.services.smtp import MailSink
from tests.worker.made_up import RULE, deps_on, event, inbound, result
from worker.accepting import accept
from worker.composition import Deps
from worker.database import db_now, reading, writing
from worker.pipeline import judge
from worker.poller import DUTIES
from worker.telling import has_died, inbox_due, push_due

NPI = "http://hl7.org/fhir/sid/us-npi"
OWNER, OTHER = Address(NPI, "1234567893"), Address(NPI, "1000000003")
BY = Actor(OWNER.system, OWNER.id)
BOTH = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]


@pytest.fixture
def deps(engine: Engine, mail_sink: MailSink) -> Deps:
    with writing(engine) as connection:
        for who in (OWNER, OTHER):
            directory.register(connection, who, email=f"{who.id}@example.org")
    return deps_on(engine, smtp_url=mail_sink.url, smtp_from="ferrule@example.org")


def tell(deps: Deps, *events: dict[str, Any]) -> None:
    for one in events:
        judge(deps, [receipt.message for receipt in accept(deps.engine, [inbound(one)])])


def dies(deps: Deps) -> None:
    death = event("M9")
    death["data"]["patient"] |= {"deceased_at": datetime.now(UTC).isoformat()}
    tell(deps, death)


def the_alert(engine: Engine) -> int:
    with reading(engine) as connection:
        found: int = connection.execute(select(ALERT.c.id).where(ALERT.c.rule == RULE)).scalar_one()
    return found


def mails(engine: Engine) -> list[tuple[str, str | None]]:
    asked = select(DELIVERY.c.state, DELIVERY.c.reason).where(DELIVERY.c.channel == "email")
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(asked.order_by(DELIVERY.c.id))]


def test_a_mail_that_waits_when_its_patient_dies_is_not_sent(
    engine: Engine, deps: Deps, mail_sink: MailSink
) -> None:
    tell(deps, event("M1", BOTH))
    dies(deps)
    push_due(deps, "email")
    assert mail_sink.letters == []
    assert mails(engine) == [("overtaken", "patient-deceased")]
    inbox_due(deps)
    with reading(engine) as connection:
        assert connection.execute(select(ALERT.c.state).where(ALERT.c.rule == RULE)).scalar_one() == "told"


def test_taking_back_still_follows_a_mail_that_was_sent_before_the_death(
    engine: Engine, deps: Deps, mail_sink: MailSink
) -> None:
    tell(deps, event("M1", BOTH))
    push_due(deps, "email")
    dies(deps)
    tell(deps, event("M2", [result("R1", "ferritin", "90", "corrected")]))
    push_due(deps, "email")
    assert [state for state, _ in mails(engine)][:2] == ["sent", "sent"]
    assert "withdrawn" in mail_sink.messages[-1]["subject"].lower()


def _snoozed(deps: Deps) -> None:
    """A snooze that ends after the death."""
    with writing(deps.engine) as connection:
        now = db_now(connection)
        until = now + timedelta(hours=1)
        answers.snooze(connection, the_alert(deps.engine), BY, until=until, reason="later", now=now)
    dies(deps)
    later = replace(deps, clock=lambda connection: db_now(connection) + timedelta(hours=2))
    assert DUTIES["wake"].work(later)


def _passed_on(deps: Deps) -> None:
    """An alert that is passed on after the death."""
    dies(deps)
    with writing(deps.engine) as connection:
        now, alert = db_now(connection), the_alert(deps.engine)
        push = ("email",)
        answers.reassign(
            connection, alert, BY, to=OTHER, reason="leave", now=now, push=push, has_died=has_died
        )


@pytest.mark.parametrize("comes", [_snoozed, _passed_on], ids=["end-of-snooze", "passed-on"])
def test_what_comes_after_a_death_is_shown_and_pushed_to_nobody(
    engine: Engine, deps: Deps, mail_sink: MailSink, comes: Callable[[Deps], None]
) -> None:
    tell(deps, event("M1", BOTH))
    push_due(deps, "email")
    inbox_due(deps)
    before, shown = len(mail_sink.letters), _shown(engine)
    assert before
    comes(deps)
    push_due(deps, "email")
    assert len(mail_sink.letters) == before
    assert len(mails(engine)) == before
    assert _shown(engine) == shown + 1


def _shown(engine: Engine) -> int:
    def count(connection: Connection) -> int:
        asked = select(DELIVERY.c.id).where(DELIVERY.c.channel == "inbox")
        return len(connection.execute(asked).all())

    with reading(engine) as connection:
        return count(connection)
