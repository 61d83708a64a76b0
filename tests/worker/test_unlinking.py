"""HL7 A37: two patients again, whichever was merged into which; both are judged anew, and it is said."""

from typing import Any

import pytest
from sqlalchemy import Engine, select

from alerts.tables import ALERT, AUDIT
from tests.worker.intake.examples import HEADER
from tests.worker.made_up import NORTH, deps_on, event, result
from tests.worker.test_merging import B12, FERRITIN, merge, open_alerts, quarantined, tell
from worker.accepting import Inbound, accept
from worker.database import reading
from worker.intake.hl7v2 import read_structure
from worker.intake.unreadable import Unreadable
from worker.pipeline import judge
from worker.web.timeline import links_of

BOTH = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]


def a37(*idents: str, control: str = "U1") -> bytes:
    header = HEADER.replace("ORU^R01^ORU_R01", "ADT^A37").replace("MSG00001", control)
    pids = [f"PID|1||{ident}^^^urn:mrn:north^MR" for ident in idents]
    return "\r".join([header, "EVN||20260301", *pids, ""]).encode()


def send(engine: Engine, raw: bytes, control: str = "U1") -> None:
    taken = accept(engine, [Inbound(NORTH, control, "hl7", raw)])
    judge(deps_on(engine), [receipt.message for receipt in taken])


@pytest.mark.parametrize("order", [("A", "B"), ("B", "A")])
def test_an_a37_takes_back_the_merge_and_the_alert_that_rested_on_both(
    engine: Engine, order: tuple[str, str]
) -> None:
    tell(engine, FERRITIN, B12, merge("M1", "B", "A"))
    assert open_alerts(engine) == ["B"]
    send(engine, a37(*order))
    assert (open_alerts(engine), quarantined(engine)) == ([], [])
    with reading(engine) as connection:
        done = select(AUDIT.c.action).where(AUDIT.c.object_kind == "patient").order_by(AUDIT.c.id)
        assert connection.execute(done).scalars().all() == ["patient.merge", "patient.unmerge"]
        row = connection.execute(select(ALERT)).first()
        assert row is not None
        told = [what.partition(":")[0] for _, what in links_of(connection, row)]
    assert told[-1:] == ["Unmerged"], "its page says why"


def test_an_a37_gives_an_alert_back_to_the_number_it_was_raised_for(engine: Engine) -> None:
    tell(engine, event("M1", BOTH, "A"), event("M2", patient="B"), merge("M3", "B", "A"))
    assert open_alerts(engine) == ["B"]
    send(engine, a37("A", "B"))
    assert open_alerts(engine) == ["A"]


def test_an_a37_cuts_one_link_of_a_chain_and_leaves_the_other(engine: Engine) -> None:
    tell(engine, event("M1", BOTH, "A"), event("M2", patient="B"), event("M3", patient="C"))
    tell(engine, merge("M4", "B", "A"), merge("M5", "C", "B"))
    assert open_alerts(engine) == ["C"]
    send(engine, a37("C", "B"))
    assert open_alerts(engine) == ["B"]


@pytest.mark.parametrize(
    ("idents", "reason"), [(("A", "C"), "merge-not-found"), (("A", "Z"), "merge-not-found")]
)
def test_an_a37_of_two_who_are_one_only_by_a_third_or_not_at_all_waits_for_a_person(
    engine: Engine, idents: tuple[str, str], reason: str
) -> None:
    tell(engine, event("M1", BOTH, "A"), event("M2", patient="B"), event("M3", patient="C"))
    tell(engine, merge("M4", "B", "A"), merge("M5", "C", "B"))
    send(engine, a37(*idents))
    assert (open_alerts(engine), quarantined(engine)) == (["C"], [reason])


@pytest.mark.parametrize("idents", [("A",), ("A", "B", "C")])
def test_an_a37_without_two_patients_is_not_guessed(engine: Engine, idents: tuple[str, ...]) -> None:
    if len(idents) < 2:
        with pytest.raises(Unreadable, match="two PID"):
            read_structure(a37(*idents))
    send(engine, a37(*idents))
    assert quarantined(engine) == ["merge-incomplete"]


def test_the_page_of_an_alert_says_when_its_patient_was_merged_and_unmerged(
    engine: Engine,
) -> None:
    tell(engine, event("M1", BOTH, "A"), event("M2", patient="B"), merge("M3", "B", "A"))
    send(engine, a37("A", "B"))
    with reading(engine) as connection:
        row: Any = connection.execute(select(ALERT)).first()
        assert [what.partition(":")[0] for _, what in links_of(connection, row)] == ["Merged", "Unmerged"]
