"""Whom a sender may speak of, and who is nobody: test patients, control samples; and who has died."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from alerts import directory
from alerts.people import Address
from alerts.tables import ALERT, ALERT_EVENT, DELIVERY, NOTICE
from tests.worker.made_up import RULE, deps_on, event, inbound, result
from tests.worker.test_merging import merge
from worker.accepting import accept
from worker.admission import admitted
from worker.claiming import Claimed
from worker.composition import Deps
from worker.database import db_now, reading, writing
from worker.pipeline import judge
from worker.reading import Read, read
from worker.sources import Sender
from worker.tables import RESULT
from worker.telling import timers_due

BOTH = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]
NPI = "http://hl7.org/fhir/sid/us-npi"


def tell(deps: Deps, *events: dict[str, Any]) -> None:
    for one in events:
        judge(deps, [receipt.message for receipt in accept(deps.engine, [inbound(one)])])


def said(engine: Engine, one: dict[str, Any]) -> Read:
    with reading(engine) as connection:
        now = db_now(connection)
    message = inbound(one)
    claimed = Claimed(1, 1, 1, message.source, "event", message.raw, now)
    return read(claimed, deps_on(engine).settings)


NORTH = Sender("north", authorities=frozenset({"urn:mrn:north"}))
SOUTH = Sender("south", authorities=frozenset({"urn:mrn:south"}))


def test_s18_a_sender_neither_writes_nor_merges_patients_of_another_authority(engine: Engine) -> None:
    for one in (event("M1", BOTH), merge("M2", "A", "B")):
        refused = admitted(said(engine, one), SOUTH)
        assert refused.whole is not None
        assert (refused.whole.reason, refused.patients) == ("authority-not-allowed", frozenset())
        assert admitted(said(engine, one), NORTH).whole is None


@pytest.mark.parametrize("patient", ["ZZ123", "zz9"])
def test_a_test_patient_is_kept_out_of_the_rules_and_counted(engine: Engine, patient: str) -> None:
    deps = deps_on(engine, test_patients="ZZ, TEST")
    tell(deps, event("M1", BOTH, patient))
    with reading(engine) as connection:
        assert connection.execute(select(RESULT.c.id)).all() == []
    kept_out = admitted(said(engine, event("M1", BOTH, patient)), None, ("ZZ",))
    assert kept_out.noticed == ("test-patient",)


def test_results_of_a_control_sample_are_nobodys(engine: Engine) -> None:
    controls = [one | {"specimen_notes": ["control-sample"]} for one in BOTH]
    tell(deps_on(engine), event("M1", controls))
    with reading(engine) as connection:
        assert connection.execute(select(RESULT.c.id)).all() == []
    assert said(engine, event("M1", controls)).noticed == ("control-sample",)


def test_an_alert_of_somebody_who_has_died_is_shown_and_not_pushed(engine: Engine) -> None:
    deps = deps_on(engine, smtp_url="smtp://localhost:1", smtp_from="ferrule@example.org")
    with writing(engine) as connection:
        directory.register(connection, Address(NPI, "1234567893"), email="ada@example.org")
    who = {"system": "urn:mrn:north", "birth_date": "1980-02-03"}
    died = who | {"id": "DIED", "deceased_at": "2026-11-01T08:00:00Z"}
    tell(deps, of("M1", BOTH, died), of("M2", BOTH, who | {"id": "ALIVE"}, "X"))
    with reading(engine) as connection:
        pushed = select(ALERT.c.patient_id, DELIVERY.c.channel).join(
            DELIVERY, DELIVERY.c.patient_id == ALERT.c.patient_id
        )
        channels = {tuple(row) for row in connection.execute(pushed.where(ALERT.c.rule == RULE))}
        why = connection.execute(select(ALERT_EVENT.c.data).where(ALERT_EVENT.c.step == "raise")).scalars()
        assert channels == {(1, "inbox"), (2, "inbox"), (2, "email")}
        assert {one.get("not_pushed") for one in why} == {"patient-deceased", None}


def test_no_rung_of_an_alert_pushes_once_its_patient_has_died(engine: Engine) -> None:
    deps = deps_on(engine, smtp_url="smtp://localhost:1", smtp_from="ferrule@example.org")
    with writing(engine) as connection:
        directory.register(connection, Address(NPI, "1234567893"), email="ada@example.org")
    who = {"system": "urn:mrn:north", "birth_date": "1980-02-03"}
    tell(deps, of("M1", BOTH, who | {"id": "DIED"}), of("M2", BOTH, who | {"id": "ALIVE"}, "X"))
    died = who | {"id": "DIED", "deceased_at": datetime.now(UTC).isoformat()}
    tell(deps, of("M3", [], died))
    much_later = replace(deps, clock=lambda connection: db_now(connection) + timedelta(days=60))
    while timers_due(much_later):
        pass
    with reading(engine) as connection:
        steps = connection.execute(
            select(ALERT.c.patient_id, ALERT_EVENT.c.step, ALERT_EVENT.c.data, DELIVERY.c.channel)
            .join(ALERT_EVENT, ALERT_EVENT.c.alert_id == ALERT.c.id)
            .join(NOTICE, NOTICE.c.event_id == ALERT_EVENT.c.id)
            .join(DELIVERY, DELIVERY.c.id == NOTICE.c.delivery_id)
            .where(ALERT.c.rule == RULE, ALERT_EVENT.c.step.in_(["remind", "escalate"]))
        ).all()
    of_dead = [row for row in steps if row.patient_id == 1]
    assert {row.channel for row in of_dead} == {"inbox"}
    assert {row.data.get("not_pushed") for row in of_dead} == {"patient-deceased"}
    assert {row.step for row in of_dead} == {"remind", "escalate"}
    assert "email" in {row.channel for row in steps if row.patient_id == 2}
    assert not any("not_pushed" in row.data for row in steps if row.patient_id == 2)


def of(id: str, results: list[dict[str, Any]], patient: dict[str, Any], mark: str = "") -> dict[str, Any]:
    whole = event(id, [one | {"id": one["id"] + mark} for one in results])
    return whole | {"data": whole["data"] | {"patient": patient}}
