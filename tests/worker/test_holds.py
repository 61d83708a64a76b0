"""A hold keeps an alert untold; which came first, pattern or hold, makes no difference to what is open."""

from itertools import permutations

import pytest
from sqlalchemy import Engine, select

from alerts.tables import ALERT, DELIVERY, FOLLOW_UP
from tests.worker.made_up import deps_on, event, inbound, result
from worker.accepting import accept
from worker.database import reading
from worker.pipeline import judge

PATTERN = event("M1", [result("R1", "ferritin", "9"), result("R2", "b12", "1450")])
HOLD = event("M2", [result("R3", "crp", "150")])
END = event("M3", [result("R3", "crp", "15", "corrected", hours_ago=1)])
HELD_RULE = "b12-high-iron-deficient-unexplained"


def tell(engine: Engine, *events: dict[str, object]) -> None:
    for one in events:
        judge(deps_on(engine), [receipt.message for receipt in accept(engine, [inbound(one)])])


def episode(engine: Engine) -> tuple[str, str]:
    with reading(engine) as connection:
        asked = select(ALERT.c.state, ALERT.c.recipient_ident).where(ALERT.c.rule == HELD_RULE)
        state, owner = connection.execute(asked).one()
    return state, owner


def told(engine: Engine) -> int:
    with reading(engine) as connection:
        return len(connection.execute(select(DELIVERY.c.id)).all())


def test_what_is_held_from_the_start_is_told_to_nobody_until_a_fact_ends_the_hold(engine: Engine) -> None:
    tell(engine, HOLD, PATTERN)
    assert episode(engine) == ("held", "held")
    with reading(engine) as connection:
        expected = select(FOLLOW_UP.c.id).join(ALERT, ALERT.c.id == FOLLOW_UP.c.alert_id)
        assert connection.execute(expected.where(ALERT.c.rule == HELD_RULE)).all() == []
    before = told(engine)
    tell(engine, END)
    assert episode(engine) == ("raised", "1234567893")
    assert told(engine) == before + 2, "the orderer, and the pool for one who is not in the directory"


@pytest.mark.parametrize("order", list(permutations([PATTERN, HOLD])))
def test_a_hold_before_or_after_the_pattern_leaves_the_same_episodes(
    engine: Engine, order: tuple[dict[str, object], ...]
) -> None:
    tell(engine, *order)
    with reading(engine) as connection:
        begun = set(connection.execute(select(ALERT.c.rule).where(ALERT.c.closed_at.is_(None))).scalars())
    assert HELD_RULE in begun
    tell(engine, END)
    assert episode(engine) == ("raised", "1234567893")
