"""Which version of a medication, condition or order stands: what its sender said last, however it came."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from rules.courses import current_records
from tests.worker.made_up import deps_on, event, inbound
from worker.accepting import accept
from worker.composition import Deps
from worker.database import reading
from worker.pipeline import judge
from worker.records import load

NOON = datetime.now(UTC) - timedelta(days=1)


def said(name: str, status: str, hours: int) -> dict[str, Any]:
    supplement = {"id": "S1", "name": "Vitamin B12", "status": status, "start": "2026-01-01", "route": "oral"}
    return {**event(name, medications=[supplement]), "time": (NOON + timedelta(hours=hours)).isoformat()}


STARTED, STOPPED, STARTED_AGAIN = said("M1", "active", 0), said("M2", "stopped", 1), said("M3", "active", 2)


def stored(engine: Engine, *events: dict[str, Any]) -> list[int]:
    return [receipt.message for receipt in accept(engine, [inbound(one) for one in events])]


def standing(deps: Deps) -> list[str | None]:
    with reading(deps.engine) as connection:
        patient = load(connection, [1])[1]
    assert patient.judged_as_of is not None
    return [record.status for record in current_records(patient.history.records, patient.judged_as_of)]


@pytest.mark.parametrize("order", list(itertools.permutations([STARTED, STOPPED])))
def test_in_whatever_order_they_came_what_was_said_last_stands(
    engine: Engine, order: tuple[dict[str, Any], ...]
) -> None:
    deps = deps_on(engine)
    for one in order:
        judge(deps, stored(engine, one))
    assert standing(deps) == ["stopped"]


def test_an_older_message_judged_late_does_not_bring_back_what_ended(engine: Engine) -> None:
    deps = deps_on(engine)
    first, second = stored(engine, STARTED, STOPPED)
    judge(deps, [second])
    judge(deps, [first])
    assert standing(deps) == ["stopped"]


@pytest.mark.parametrize("together", [True, False])
def test_what_is_said_again_after_something_else_stands_again(engine: Engine, together: bool) -> None:
    deps = deps_on(engine)
    messages = stored(engine, STARTED, STOPPED, STARTED_AGAIN)
    for ids in [messages] if together else [[one] for one in messages]:
        judge(deps, ids)
    assert standing(deps) == ["active"]


def test_a_list_sent_with_every_report_is_kept_once(engine: Engine) -> None:
    deps = deps_on(engine)
    judge(deps, stored(engine, STARTED))
    judge(deps, stored(engine, STARTED_AGAIN, said("M4", "active", 3)))
    with reading(engine) as connection:
        assert len(load(connection, [1])[1].history.records) == 1
