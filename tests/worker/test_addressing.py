"""Whom a judging addresses: the orderer of the newest decisive result, never the last message's sender."""

from typing import Any

from sqlalchemy import Engine, select

from alerts.tables import ALERT
from tests.worker.made_up import RULE, deps_on, event, inbound, result
from worker.accepting import accept
from worker.database import reading
from worker.pipeline import judge

ADA = {"system": "http://hl7.org/fhir/sid/us-npi", "id": "1000000001"}
BEN = {"system": "http://hl7.org/fhir/sid/us-npi", "id": "1000000002"}
FERRITIN = result("R1", "ferritin", "9", hours_ago=1)
OLDER_B12 = result("R2", "b12", "1450", hours_ago=30)


def stored(engine: Engine, *events: dict[str, Any]) -> list[int]:
    return [receipt.message for receipt in accept(engine, [inbound(one) for one in events])]


def owner(engine: Engine) -> str:
    with reading(engine) as connection:
        found: str = connection.execute(
            select(ALERT.c.recipient_ident).where(ALERT.c.rule == RULE)
        ).scalar_one()
        return found


def test_a_result_repeated_in_somebody_elses_report_stays_its_orderers(engine: Engine) -> None:
    deps = deps_on(engine)
    judge(deps, stored(engine, event("M1", [FERRITIN], orderer=ADA)))
    judge(deps, stored(engine, event("M2", [FERRITIN, OLDER_B12], orderer=BEN)))
    assert owner(engine) == ADA["id"]


def test_an_older_version_judged_late_does_not_bring_its_orderer_back(engine: Engine) -> None:
    deps = deps_on(engine)
    first = event("M1", [{**FERRITIN, "value": "8"}], orderer=BEN)
    corrected = event("M2", [{**FERRITIN, "status": "corrected"}], orderer=ADA)
    late, early = stored(engine, first, corrected)
    judge(deps, [early])
    judge(deps, [late, *stored(engine, event("M3", [OLDER_B12], orderer=BEN))])
    assert owner(engine) == ADA["id"]
