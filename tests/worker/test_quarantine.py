"""What is set aside can be judged again, unless its sender has put something in its place."""

import json

import pytest
from sqlalchemy import Engine, select

from alerts.people import Actor
from tests.worker.made_up import NORTH, deps_on, event, inbound, result
from worker.accepting import Inbound, Receipt, accept
from worker.database import reading, writing
from worker.pipeline import judge
from worker.quarantine import NotInQuarantine, release
from worker.tables import MESSAGE

SOMEBODY = Actor("urn:ferrule:self", "operator:somebody")
UNREADABLE = {**event("M1"), "data": {}}
MENDED = event("M1", [result("R1", "ferritin", "9")])


def outcomes(receipts: list[Receipt]) -> list[str]:
    return [receipt.outcome.value for receipt in receipts]


def test_an_event_whose_id_its_sender_has_used_again_is_not_released(engine: Engine) -> None:
    deps = deps_on(engine)
    judge(deps, [receipt.message for receipt in accept(engine, [inbound(UNREADABLE)])])
    assert outcomes(accept(engine, [inbound(MENDED)])) == ["stored"]
    with pytest.raises(NotInQuarantine, match="discard this one"), writing(engine) as connection:
        release(connection, 1, SOMEBODY)
    with reading(engine) as connection:
        assert connection.execute(select(MESSAGE.c.state).order_by(MESSAGE.c.id)).scalars().all() == [
            "quarantined",
            "pending",
        ]


def test_an_event_that_came_before_the_first_was_set_aside_can_be_released_after(engine: Engine) -> None:
    deps = deps_on(engine)
    first, second = accept(engine, [inbound(UNREADABLE), inbound(MENDED)])
    assert outcomes([first, second]) == ["stored", "quarantined"]
    with pytest.raises(NotInQuarantine, match="holds this id"), writing(engine) as connection:
        release(connection, 1, SOMEBODY)
    judge(deps, [first.message])
    with writing(engine) as connection:
        assert release(connection, 1, SOMEBODY) == second.message
    assert judge(deps, [second.message]).judged == 1


def test_a_part_of_a_judged_message_is_judged_again_with_the_rest(engine: Engine) -> None:
    nowhere = {**result("R1", "ferritin", "9"), "effective_at": "2026-03-01T07:30:00"}
    message = Inbound(NORTH, "M2", "event", json.dumps(event("M2", [nowhere])).encode())
    judge(deps_on(engine), [receipt.message for receipt in accept(engine, [message])])
    with writing(engine) as connection:
        release(connection, 1, SOMEBODY)
    with reading(engine) as connection:
        assert connection.execute(select(MESSAGE.c.state)).scalar_one() == "pending"
