"""A patient known by two numbers is one patient: their messages are judged together."""

from sqlalchemy import Engine, func, select

from alerts.tables import ALERT
from tests.worker.made_up import RULE, deps_on, event, inbound, result
from worker.accepting import accept
from worker.database import db_now, reading, writing
from worker.pipeline import judge
from worker.tables import MESSAGE, PATIENT, PATIENT_LINK, RESULT


def test_what_is_said_under_both_numbers_at_once_raises_one_alert(engine: Engine) -> None:
    with writing(engine) as connection:
        now = db_now(connection)
        rows = [
            {"system": "urn:mrn:north", "ident": ident, "version": 0, "sex": "unknown", "created_at": now}
            for ident in ("KEPT", "RETIRED")
        ]
        connection.execute(PATIENT.insert(), rows)
        connection.execute(PATIENT_LINK.insert(), {"retired_id": 2, "survivor_id": 1, "linked_at": now})
        connection.execute(PATIENT.update().where(PATIENT.c.id == 2).values(survivor_id=1))
    halves = [
        event("M1", [result("R1", "ferritin", "9")], patient="RETIRED"),
        event("M2", [result("R2", "b12", "1450")], patient="KEPT"),
    ]
    judge(
        deps_on(engine), [receipt.message for receipt in accept(engine, [inbound(half) for half in halves])]
    )
    with reading(engine) as connection:
        owners = connection.execute(select(ALERT.c.patient_id).where(ALERT.c.rule == RULE)).scalars().all()
        kept = connection.execute(select(func.count()).select_from(RESULT)).scalar_one()
        states = connection.execute(select(MESSAGE.c.state)).scalars().all()
    assert (owners, kept, states) == ([1], 2, ["judged", "judged"])
