"""Two results of one patient at the same instant in two processes: exactly one alert, every time."""

import multiprocessing
from collections import Counter

import pytest
from sqlalchemy import Engine, func, select

from alerts.tables import ALERT
from tests.integration.racer import race
from tests.worker.made_up import RULE, event, inbound, result
from worker.accepting import accept
from worker.database import reading
from worker.tables import MESSAGE, PATIENT

FERRITIN, B12 = result("R1", "ferritin", "9"), result("R2", "b12", "1450")

HALVES = ([FERRITIN], [B12])
"""Neither makes the pattern alone: without the fence both miss it."""
WHOLES = ([FERRITIN, B12], [FERRITIN, B12])
"""Each makes the pattern alone: without fence and unique index both raise it."""


def run(
    engine: Engine, halves: tuple[list[dict], list[dict]], times: int, *, fence: bool = True
) -> Counter[int]:
    """How many patients ended with how many alerts of the rule."""
    ours, theirs = (
        [
            receipt.message
            for receipt in accept(
                engine, [inbound(event(f"{side}-{n}", half, patient=f"P{n}")) for n in range(times)]
            )
        ]
        for side, half in zip("ab", halves, strict=True)
    )
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(2)
    url = engine.url.render_as_string(hide_password=False)
    racers = [spawn.Process(target=race, args=(url, side, barrier, fence)) for side in (ours, theirs)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(1000)
    assert [racer.exitcode for racer in racers] == [0, 0]
    return alerts_per_patient(engine)


def alerts_per_patient(engine: Engine) -> Counter[int]:
    with reading(engine) as connection:
        of_rule = select(ALERT.c.patient_id, func.count()).where(ALERT.c.rule == RULE)
        found = dict(tuple(row) for row in connection.execute(of_rule.group_by(ALERT.c.patient_id)))
        return Counter(
            found.get(patient, 0) for patient in connection.execute(select(PATIENT.c.id)).scalars()
        )


@pytest.mark.parametrize("times", [25, pytest.param(300, marks=pytest.mark.faults)])
@pytest.mark.parametrize("halves", [HALVES, WHOLES], ids=["halves", "wholes"])
@pytest.mark.timeout(1200)
def test_two_results_at_the_same_instant_raise_exactly_one_alert(
    engine: Engine, halves: tuple[list[dict], list[dict]], times: int
) -> None:
    assert run(engine, halves, times) == Counter({1: times})
    with reading(engine) as connection:
        assert set(connection.execute(select(MESSAGE.c.state)).scalars()) == {"judged"}


def test_the_race_is_real_without_the_fence_alerts_are_missed(engine: Engine) -> None:
    assert run(engine, HALVES, 25, fence=False)[0] > 0


def test_the_unique_index_holds_where_the_fence_is_gone(engine: Engine) -> None:
    assert run(engine, WHOLES, 25, fence=False) == Counter({1: 25})
