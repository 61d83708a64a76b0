"""What a later message takes back or moves: a result that fired, and a patient who goes home meanwhile."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from alerts import directory
from alerts.people import Address
from alerts.routing import Covering
from alerts.tables import ADDRESSEE, ALERT, ALERT_EVENT, AUDIT, DELIVERY, NOTICE
from tests.worker.intake.examples import HEADER, PATIENT, hl7
from tests.worker.made_up import RULE, deps_on
from tests.worker.test_hl7_judged import B12, alerts_of, ferritin, message, send
from worker.composition import Deps
from worker.database import db_now, reading, writing
from worker.poller import turn
from worker.tables import QUARANTINE_ITEM
from worker.telling import timers_due

NPI = "http://hl7.org/fhir/sid/us-npi"
OWNER = Address(NPI, "1234567893")
COVER = Address(NPI, "1000000003")


@pytest.fixture
def deps(engine: Engine) -> Deps:
    with writing(engine) as connection:
        for who in (OWNER, COVER):
            directory.register(connection, who, email=f"{who.id}@example.org")
    return deps_on(engine)


def rows(engine: Engine, query: Any) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(query).all())


@pytest.mark.parametrize("letter", ["W", "D"])
def test_b73_a_fired_result_taken_back_is_told_to_all_who_were_told_and_audited(
    engine: Engine, deps: Deps, letter: str
) -> None:
    send(deps, message("A", ferritin("9", "F"), B12))
    turn(deps)

    def carried(step: str) -> set[tuple[str, str]]:
        asked = (
            select(DELIVERY.c.recipient_ident, DELIVERY.c.channel)
            .join(NOTICE, NOTICE.c.delivery_id == DELIVERY.c.id)
            .join(ALERT, ALERT.c.id == NOTICE.c.alert_id)
            .where(ALERT.c.rule == RULE, NOTICE.c.step == step)
        )
        return {tuple(row) for row in rows(engine, asked)}

    told = carried("raise")
    assert told
    send(deps, message("B", ferritin("9", letter)))
    turn(deps)
    assert alerts_of(engine) == [("withdrawn", "fact-corrected")]
    assert carried("withdraw") == told
    [(alert,)] = rows(engine, select(ALERT.c.id).where(ALERT.c.rule == RULE))
    audited = rows(
        engine, select(AUDIT.c.action).where(AUDIT.c.object_kind == "alert", AUDIT.c.object_id == str(alert))
    )
    assert "alert.withdraw" in {action for (action,) in audited}
    [(data,)] = rows(
        engine,
        select(ALERT_EVENT.c.data).where(ALERT_EVENT.c.alert_id == alert, ALERT_EVENT.c.step == "withdraw"),
    )
    assert "read_by" in data


@pytest.mark.parametrize("trigger", ["A03", "A11", "A13", "A23"])
def test_b51_an_alert_stays_after_discharge_and_its_next_rung_asks_who_covers_now(
    engine: Engine, deps: Deps, trigger: str
) -> None:
    send(deps, message("A", ferritin("9", "F"), B12))
    header = HEADER.replace("ORU^R01^ORU_R01", f"ADT^{trigger}").replace("MSG00001", "ADT")
    send(deps, hl7(header, "EVN||20260301", PATIENT, "PV1|1|O"))
    assert alerts_of(engine) == [("raised", "new-pattern")]
    with writing(engine) as connection:
        now = db_now(connection)
        directory.cover(connection, Covering(OWNER, COVER, now, now + timedelta(days=90)))
    later = replace(deps, clock=lambda connection: db_now(connection) + timedelta(days=60))
    while timers_due(later):
        pass
    asked = select(ADDRESSEE.c.ident).join(ALERT, ALERT.c.id == ADDRESSEE.c.alert_id)
    assert COVER.id in {ident for (ident,) in rows(engine, asked.where(ALERT.c.rule == RULE))}


@pytest.mark.parametrize("trigger", ["A02", "A03", "A11", "A13", "A23"])
def test_b51_whoever_covers_when_a_patient_leaves_hears_of_the_open_alert_at_once_and_once(
    engine: Engine, deps: Deps, trigger: str
) -> None:
    send(deps, message("A", ferritin("9", "F"), B12))
    with writing(engine) as connection:
        now = db_now(connection)
        directory.cover(connection, Covering(OWNER, COVER, now, now + timedelta(days=90)))
    header = HEADER.replace("ORU^R01^ORU_R01", f"ADT^{trigger}")
    for ident in ("ADT1", "ADT2"):
        send(deps, hl7(header.replace("MSG00001", ident), "EVN||20260301", PATIENT, "PV1|1|O"))
    asked = (
        select(ALERT_EVENT.c.reason, DELIVERY.c.recipient_ident)
        .join(ALERT, ALERT.c.id == ALERT_EVENT.c.alert_id)
        .join(NOTICE, NOTICE.c.event_id == ALERT_EVENT.c.id)
        .join(DELIVERY, DELIVERY.c.id == NOTICE.c.delivery_id)
        .where(ALERT.c.rule == RULE, ALERT_EVENT.c.step == "escalate", DELIVERY.c.channel == "inbox")
    )
    assert [tuple(row) for row in rows(engine, asked)] == [("patient-moved", COVER.id)]
    [(owner,)] = rows(engine, select(ALERT.c.recipient_ident).where(ALERT.c.rule == RULE))
    assert owner == OWNER.id


@pytest.mark.parametrize("field", ["", "   ", "^^^NORTH^MR", "~"])
def test_b41_a_message_without_a_patient_number_is_quarantined_with_its_reason(
    engine: Engine, deps: Deps, field: str
) -> None:
    send(deps, message("A", ferritin("9", "F"), B12).replace(b"PID|1||123", b"PID|1||" + field.encode(), 1))
    assert [reason for (reason,) in rows(engine, select(QUARANTINE_ITEM.c.reason))] == ["no-patient"]
    assert alerts_of(engine) == []
