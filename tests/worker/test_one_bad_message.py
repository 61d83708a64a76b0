"""One message that can never be judged is set aside in the end; those claimed with it are judged at once."""

import random
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from alerts.tables import ALERT
from rules.findings import Judgment
from tests.worker.made_up import RULE, deps_on, event, inbound, result
from worker import pipeline
from worker.accepting import accept
from worker.composition import Deps
from worker.database import reading, writing
from worker.pipeline import judge, judge_due
from worker.tables import MESSAGE

PATTERN = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]


def states(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(select(MESSAGE.c.state).order_by(MESSAGE.c.id)).scalars())


def recipients(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as connection:
        owners = select(ALERT.c.recipient_system, ALERT.c.recipient_ident).where(ALERT.c.rule == RULE)
        return [tuple(row) for row in connection.execute(owners.order_by(ALERT.c.id))]


def judge_until_due_no_more(deps: Deps) -> None:
    """As if the waits between the tries had passed."""
    for _ in range(deps.settings.attempts + 1):
        with writing(deps.engine) as connection:
            connection.execute(MESSAGE.update().values(due_at=MESSAGE.c.received_at))
        judge_due(deps)


def judge_together(deps: Deps, *events: dict[str, Any]) -> None:
    judge(deps, [receipt.message for receipt in accept(deps.engine, [inbound(one) for one in events])])


class Refused:
    """The real rules, but for one patient of whom the database never takes what they say."""

    def __init__(self, deps: Deps, patient: str) -> None:
        self._ruleset, self._patient = deps.ruleset, patient

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ruleset, name)

    def judge(self, history: Any, as_of: Any) -> Judgment:
        if history.patient.id == self._patient:
            raise IntegrityError("INSERT", {}, Exception("refused each time"))
        return self._ruleset.judge(history, as_of)


def test_what_a_constraint_refuses_each_time_is_set_aside_and_its_batch_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "PAUSE_SECONDS", 0.0)
    deps = deps_on(engine)
    refusing = Deps(engine, Refused(deps, "BAD"), deps.settings, deps.publish)  # type: ignore[arg-type]
    judge_together(refusing, *(event(name, PATTERN, patient=name) for name in ("P1", "BAD", "P2")))
    assert states(engine) == ["judged", "pending", "judged"]
    judge_until_due_no_more(refusing)
    assert states(engine) == ["judged", "quarantined", "judged"]


def test_an_identifier_longer_than_an_index_takes_does_not_hold_up_its_batch(engine: Engine) -> None:
    deps = deps_on(engine)
    endless = random.Random(1).randbytes(5_000).hex()
    bad = event("M1", [result(endless, "ferritin", "9")], patient="BAD")
    judge_together(deps, bad, event("M2", PATTERN, patient="P2"))
    assert states(engine)[1] == "judged"
    judge_until_due_no_more(deps)
    assert "pending" not in states(engine)


def test_an_orderer_who_names_the_fallback_pool_is_addressed_once(engine: Engine) -> None:
    pool = {"system": "urn:ferrule:pool", "id": "unaddressed"}
    judge_together(deps_on(engine), event("M1", PATTERN, orderer=pool))
    assert recipients(engine) == [("urn:ferrule:pool", "unaddressed")]
