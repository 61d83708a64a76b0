"""The unit watch over stored results: it tells operations, and every result is still used."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, select

from tests.worker.made_up import deps_on, event, inbound, result
from worker.accepting import accept
from worker.database import reading
from worker.exposition import render
from worker.pipeline import judge
from worker.tables import RESULT
from worker.unit_watch import Suspicion, suspicions

LOOKS = Suspicion("urn:lab:north", "crp", "mg/L", "mg/dL")


def test_a_source_whose_values_look_like_another_unit_is_told_and_nothing_is_excluded(engine: Engine) -> None:
    deps = deps_on(engine)
    tenth = ["0.4", "0.3", "0.5", "0.2", "0.8"]
    events = [event(f"M{n}", [result(f"R{n}", "crp", tenth[n % 5])], patient=f"P{n % 7}") for n in range(40)]
    judge(deps, [receipt.message for receipt in accept(engine, [inbound(one) for one in events])])
    with reading(engine) as connection:
        assert suspicions(connection) == [LOOKS]
        problems = connection.execute(select(RESULT.c.problem)).scalars().all()
    assert set(problems) == {None}
    page = render(engine).decode()
    assert 'ferrule_unit_suspect{analyte="crp",other="mg/dL",source="other",unit="mg/L"} 1.0' in page


def test_the_gauges_of_the_work_list_count_what_waits(engine: Engine) -> None:
    deps = deps_on(engine)
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    odd = {**result("R1", "ferritin", "9"), "unit": "ug/Liter", "effective_at": at}
    local = {**result("R2", "ferritin", "9"), "system": "urn:north", "code": "FE", "name": "Ferritin"}
    judge(deps, [r.message for r in accept(engine, [inbound(event("M1", [odd, local]))])])
    page = render(engine).decode()
    assert 'ferrule_quarantine_waiting{reason="unit-unknown",source="other"} 1.0' in page
    assert 'ferrule_quarantine_oldest_seconds{reason="unit-unknown",source="other"}' in page
    assert 'ferrule_unmapped_codes{ours="yes",source="other"} 2.0' in page
