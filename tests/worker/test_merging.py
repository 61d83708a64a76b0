"""Two identifiers that are one patient: judged together, whatever comes first, and two again when undone."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from typer.testing import CliRunner

from alerts.tables import ADDRESSEE, ALERT, AUDIT
from tests.worker.made_up import NORTH, RULE, deps_on, event, inbound, result
from worker.accepting import accept
from worker.database import reading
from worker.pipeline import judge, judge_due
from worker.records import load
from worker.tables import MESSAGE, PATIENT, QUARANTINE_ITEM, RESULT
from worker.verbs import patients

SYSTEM = "urn:mrn:north"
FERRITIN = event("F", [result("R1", "ferritin", "9")], patient="A")
B12 = event("B", [result("R2", "b12", "1450")], patient="B")
NPI = "http://hl7.org/fhir/sid/us-npi"


def merge(id: str, survivor: str, retired: str, **more: Any) -> dict[str, Any]:
    data = {
        key: {"system": SYSTEM, "id": ident} for key, ident in (("survivor", survivor), ("retired", retired))
    }
    return {
        "specversion": "1.0",
        "type": "org.ferrule.merge.v1",
        "source": NORTH,
        "id": id,
        "data": data | more,
    }


def tell(engine: Engine, *events: dict[str, Any]) -> None:
    for one in events:
        judge(deps_on(engine), [receipt.message for receipt in accept(engine, [inbound(one)])])


def open_alerts(engine: Engine, rule: str = RULE) -> list[str]:
    """Whose open alerts there are, by identifier."""
    with reading(engine) as connection:
        asked = select(PATIENT.c.ident).join(ALERT, ALERT.c.patient_id == PATIENT.c.id)
        rows = connection.execute(asked.where(ALERT.c.rule == rule, ALERT.c.closed_at.is_(None)))
        return sorted(rows.scalars())


def quarantined(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return sorted(connection.execute(select(QUARANTINE_ITEM.c.reason)).scalars())


@pytest.mark.parametrize("order", list(permutations([FERRITIN, B12, merge("M", "B", "A")])))
def test_two_halves_of_a_pattern_make_one_alert_of_the_survivor_in_any_order(
    engine: Engine, order: Sequence[dict[str, Any]]
) -> None:
    """B46 among them: a merge into somebody never spoken of waits, and takes effect when they are."""
    tell(engine, *order)
    assert open_alerts(engine) == ["B"]
    with reading(engine) as connection:
        filed = select(PATIENT.c.ident).join(RESULT, RESULT.c.patient_id == PATIENT.c.id)
        assert sorted(connection.execute(filed).scalars()) == ["A", "B"], "facts stay where they were filed"


def test_b46_a_merge_into_somebody_never_spoken_of_is_held_for_review(engine: Engine) -> None:
    both = event("FB", [result("R1", "ferritin", "9"), result("R2", "b12", "1450")], patient="A")
    tell(engine, both, merge("M", "UNHEARD", "A"))
    assert (open_alerts(engine), quarantined(engine)) == (["A"], ["merge-survivor-unknown"])


def test_b47_a_merge_with_itself_or_round_in_a_circle_is_refused(engine: Engine) -> None:
    tell(engine, FERRITIN, B12, merge("M1", "A", "A"), merge("M2", "B", "A"), merge("M3", "A", "B"))
    assert quarantined(engine) == ["merge-cycle", "merge-same"]
    assert open_alerts(engine) == ["B"]
    with reading(engine) as connection:
        states = connection.execute(select(MESSAGE.c.state).order_by(MESSAGE.c.id)).scalars().all()
    assert states == ["judged", "judged", "quarantined", "judged", "quarantined"]


def test_a_second_survivor_is_held_for_review(engine: Engine) -> None:
    tell(engine, FERRITIN, B12, event("C", patient="C"), merge("M1", "B", "A"), merge("M2", "C", "A"))
    assert quarantined(engine) == ["merge-conflict"]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_b48_a_chain_is_resolved_in_any_order(engine: Engine, order: Sequence[int]) -> None:
    events = [merge("M1", "B", "A"), merge("M2", "C", "B"), FERRITIN, event("X", B12["data"]["results"], "C")]
    tell(engine, *(events[at] for at in order))
    assert open_alerts(engine) == ["C"]


def test_b49_a_result_for_an_identifier_merged_away_is_the_survivors(engine: Engine) -> None:
    tell(engine, B12, event("A0", patient="A"), merge("M", "B", "A"), FERRITIN)
    assert open_alerts(engine) == ["B"]
    with reading(engine) as connection:
        assert len(load(connection, [1])[1].history.results) == 2


BOTH = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]
ALSO = [result("R3", "ferritin", "8"), result("R4", "b12", "1500")]


def test_s20_of_two_open_alerts_one_is_kept_and_both_clinicians_may_see_it(engine: Engine) -> None:
    tell(
        engine,
        event("M1", BOTH, "A", orderer={"system": NPI, "id": "1"}),
        event("M2", ALSO, "B", orderer={"system": NPI, "id": "2"}),
        merge("M3", "B", "A"),
    )
    assert open_alerts(engine) == ["B"]
    with reading(engine) as connection:
        ended = connection.execute(
            select(ALERT.c.state, ALERT.c.reason).where(ALERT.c.closed_at.is_not(None), ALERT.c.rule == RULE)
        )
        assert ended.all() == [("closed", "merged")]
        kept = select(ALERT.c.id).where(ALERT.c.rule == RULE, ALERT.c.closed_at.is_(None)).scalar_subquery()
        seen_by = connection.execute(select(ADDRESSEE.c.ident).where(ADDRESSEE.c.alert_id == kept)).scalars()
        assert {"1", "2"} <= set(seen_by)
        assert connection.execute(
            select(AUDIT.c.action).where(AUDIT.c.object_kind == "patient")
        ).scalars().all() == ["patient.merge"]


SUPPLEMENT = {
    "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "code": "11248",
    "name": "Vitamin B12",
    "status": "active",
    "start": "2026-01-01",
}


def test_an_alert_that_the_other_half_explains_is_withdrawn(engine: Engine) -> None:
    tell(engine, event("M1", patient="B", medications=[SUPPLEMENT]), event("M2", BOTH, "A"))
    assert open_alerts(engine) == ["A"]
    tell(engine, merge("M3", "B", "A"))
    assert open_alerts(engine) == []
    with reading(engine) as connection:
        assert connection.execute(select(ALERT.c.state).where(ALERT.c.rule == RULE)).scalars().all() == [
            "withdrawn"
        ]


def test_a_merge_undone_makes_two_patients_again_and_takes_back_what_rested_on_both(engine: Engine) -> None:
    tell(engine, FERRITIN, B12, merge("M1", "B", "A"))
    assert open_alerts(engine) == ["B"]
    tell(engine, merge("M2", "B", "A", undone=True))
    assert open_alerts(engine) == []
    tell(engine, merge("M3", "B", "A", undone=True))
    assert quarantined(engine) == ["merge-not-found"]
    tell(engine, event("M4", [result("R5", "b12", "1450")], "A"))
    assert open_alerts(engine) == ["A"]


def test_an_alert_goes_back_with_the_identifier_it_was_raised_for(engine: Engine) -> None:
    tell(engine, event("M1", BOTH, "A"), event("M2", patient="B"), merge("M3", "B", "A"))
    assert open_alerts(engine) == ["B"]
    tell(engine, merge("M4", "B", "A", undone=True))
    assert open_alerts(engine) == ["A"]


@pytest.mark.parametrize("pairs", [20])
def test_f44_two_merges_crosswise_at_once_never_fail(engine: Engine, pairs: int) -> None:
    tell(engine, *(event(f"{x}{n}", BOTH if x == "A" else (), f"{x}{n}") for n in range(pairs) for x in "AB"))
    crosswise = [
        [merge(f"{x}>{n}", *(f"{y}{n}" for y in (x, z))) for x, z in (("A", "B"), ("B", "A"))]
        for n in range(pairs)
    ]
    for pair in crosswise:
        ids = [receipt.message for one in pair for receipt in accept(engine, [inbound(one)])]
        with ThreadPoolExecutor(2) as two:
            list(two.map(lambda id: judge(deps_on(engine), [id]), ids))
    while judge_due(deps_on(engine)).claimed:
        pass
    assert quarantined(engine) == ["merge-cycle"] * pairs
    assert len(open_alerts(engine)) == pairs
    with reading(engine) as connection:
        left = select(func.count()).select_from(MESSAGE).where(MESSAGE.c.state == "pending")
        assert connection.execute(left).scalar_one() == 0


def test_an_operator_merges_and_unmerges_by_hand(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERRULE_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    tell(engine, FERRITIN, B12)
    both = ["--survivor", f"{SYSTEM}|B", "--retired", f"{SYSTEM}|A"]
    for verb, owners, shown in (("merge", ["B"], ["B", "A"]), ("unmerge", [], ["B"])):
        assert CliRunner().invoke(patients.app, [verb, *both]).exit_code == 0
        with reading(engine) as connection:
            pending = (
                connection.execute(select(MESSAGE.c.id).where(MESSAGE.c.state == "pending")).scalars().all()
            )
        judge(deps_on(engine), pending)
        assert open_alerts(engine) == owners
        said = CliRunner().invoke(patients.app, ["show", f"{SYSTEM}|B"]).output.split()
        assert said == [f"{SYSTEM}|{ident}" for ident in shown]
