"""HL7 v2 through the store: what a laboratory's status letters do to an alert, on both databases."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from sqlalchemy import Engine, select

from alerts.tables import ALERT
from tests.worker.intake.examples import HEADER, ORDER, PATIENT, hl7, obx
from tests.worker.made_up import RULE, deps_on
from worker.accepting import Inbound, accept
from worker.composition import Deps
from worker.database import reading
from worker.intake.decode import envelope_of
from worker.pipeline import judge
from worker.tables import MESSAGE, QUARANTINE_ITEM

TAKEN = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y%m%d%H%M%S+0000")
B12 = obx("1450", f3="2132-9^Vitamin B12^LN", f6="pg/mL", f7="180-914", f8="H", f14=TAKEN)


def ferritin(value: str, letter: str) -> str:
    return obx(value, f11=letter, f14=TAKEN)


def message(identity: str, *observations: str) -> bytes:
    order = ORDER.replace("20260301073000+0100", TAKEN).replace("20260301081000+0100", TAKEN)
    return hl7(HEADER.replace("MSG00001", identity), PATIENT, order, *observations)


def send(deps: Deps, *messages: bytes) -> None:
    for raw in messages:
        envelope = envelope_of("hl7", raw)
        receipts = accept(deps.engine, [Inbound(envelope.source, envelope.message_id, "hl7", raw)])
        judge(deps, [receipt.message for receipt in receipts])


def alerts_of(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as connection:
        found = select(ALERT.c.state, ALERT.c.reason).where(ALERT.c.rule == RULE).order_by(ALERT.c.id)
        return [tuple(row) for row in connection.execute(found)]


def test_a_report_raises_its_alert(engine):
    send(deps_on(engine), message("A", ferritin("9", "F"), B12))
    assert alerts_of(engine) == [("raised", "new-pattern")]


def test_a_preliminary_result_raises_nothing(engine):
    send(deps_on(engine), message("A", ferritin("9", "P"), B12))
    assert alerts_of(engine) == []


@pytest.mark.parametrize("order", list(permutations("PUB")), ids="".join)
def test_a_bare_change_to_final_raises_the_alert_in_any_order(engine, order):
    parts = {"P": ferritin("9", "P"), "U": ferritin("", "U"), "B": B12}
    send(deps_on(engine), *(message(name, parts[name]) for name in order))
    assert alerts_of(engine) == [("raised", "new-pattern")]


@pytest.mark.parametrize("letter", ["W", "D", "X"])
def test_a_result_taken_back_withdraws_its_alert(engine, letter):
    send(deps_on(engine), message("A", ferritin("9", "F"), B12), message("B", ferritin("9", letter)))
    assert alerts_of(engine) == [("withdrawn", "fact-corrected")]


def test_a_preliminary_value_after_the_final_changes_nothing(engine):
    send(deps_on(engine), message("A", ferritin("9", "F"), B12), message("B", ferritin("190", "P")))
    assert alerts_of(engine) == [("raised", "new-pattern")]


def test_a_patient_set_aside_does_not_stop_the_other_of_the_message(engine):
    nobody = hl7(
        HEADER, "PID|1||", ORDER, B12, PATIENT.replace("PID|1", "PID|2"), ORDER, ferritin("9", "F"), B12
    )
    send(deps_on(engine), nobody)
    with reading(engine) as connection:
        assert list(connection.scalars(select(QUARANTINE_ITEM.c.reason))) == ["no-patient"]
        assert list(connection.scalars(select(MESSAGE.c.state))) == ["judged"]
    assert alerts_of(engine) == [("raised", "new-pattern")]
