"""FERRULE_LIVE_SINCE: history that was loaded is judged and never told, until something live joins it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Row, select

from alerts.people import Address
from alerts.tables import ALERT, ALERT_EVENT, DELIVERY, FOLLOW_UP, RECIPIENT, TIMER
from tests.worker.made_up import RULE, deps_on, event, inbound, result
from worker import pipeline
from worker.composition import Deps
from worker.database import reading, writing
from worker.exposition import render
from worker.poller import turn

BOTH = (("F", "ferritin", "9"), ("B", "b12", "1450"))
NPI = "http://hl7.org/fhir/sid/us-npi"


def history(name: str, days: float, *results: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    """A report of so many days ago."""
    then = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    made = [result(id, analyte, value, hours_ago=24 * days) for id, analyte, value in results]
    return event(name, made, **more) | {"time": then}


def take(deps: Deps, *events: dict[str, Any]) -> None:
    receipts = pipeline.accept(deps.engine, [inbound(one) for one in events])
    pipeline.judge(deps, [receipt.message for receipt in receipts])


def rows(engine: Engine, table: Any) -> list[Row[Any]]:
    with reading(engine) as connection:
        return list(connection.execute(select(table).order_by(table.c.id)).all())


def alert(engine: Engine, rule: str = RULE) -> Row[Any]:
    [found] = [row for row in rows(engine, ALERT) if row.rule == rule]
    return found


@pytest.fixture
def deps(engine: Engine) -> Deps:
    with writing(engine) as connection:
        someone = {"system": NPI, "ident": "1234567893", "name": "A", "email": "a@example.org"}
        connection.execute(RECIPIENT.insert(), [someone])
    since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    return deps_on(engine, live_since=since)


def test_a_pattern_from_before_go_live_is_judged_and_told_to_nobody(engine: Engine, deps: Deps) -> None:
    take(deps, history("M1", 30, *BOTH))
    turn(deps)
    held = alert(engine)
    assert (held.state, held.reason, held.held_for) == ("held", "before-go-live", "before-go-live")
    assert rows(engine, DELIVERY) == []
    assert rows(engine, FOLLOW_UP) == []
    assert rows(engine, TIMER) == []
    held_now = len(rows(engine, ALERT))
    assert f'ferrule_alerts_held{{reason="before-go-live"}} {held_now}.0'.encode() in render(engine)
    assert b'ferrule_alert_unanswered_oldest_seconds{severity="high"} 0.0' in render(engine)


def test_history_loaded_after_go_live_is_still_history(engine: Engine, deps: Deps) -> None:
    take(deps, history("M1", 400, ("F", "ferritin", "9")))
    take(deps, history("M2", 390, ("B", "b12", "1450")))
    assert {row.state for row in rows(engine, ALERT)} <= {"held"}
    assert rows(engine, DELIVERY) == []


def test_a_live_result_that_joins_is_told_with_all_that_goes_before(engine: Engine, deps: Deps) -> None:
    take(deps, history("M1", 30, *BOTH))
    take(deps, event("M2", [result("F2", "ferritin", "8")]))
    turn(deps)
    told = alert(engine)
    assert (told.state, told.reason) == ("told", "inbox")
    assert told.held_for == "before-go-live"
    steps = [row.step for row in rows(engine, ALERT_EVENT) if row.alert_id == told.id]
    assert steps == ["hold", "release", "tell"]
    assert {row.state for row in rows(engine, DELIVERY)} == {"sent"}
    assert [row for row in rows(engine, FOLLOW_UP) if row.alert_id == told.id]
    assert [row for row in rows(engine, TIMER) if row.alert_id == told.id]
    owner = Address(told.recipient_system, told.recipient_ident)
    assert owner == Address(NPI, "1234567893")


def test_more_history_that_joins_changes_nothing(engine: Engine, deps: Deps) -> None:
    take(deps, history("M1", 30, *BOTH))
    take(deps, history("M2", 20, ("F2", "ferritin", "7")))
    assert alert(engine).state == "held"
    assert rows(engine, DELIVERY) == []


def test_a_corrected_result_from_before_go_live_ends_it_in_silence(engine: Engine, deps: Deps) -> None:
    take(deps, history("M1", 30, *BOTH))
    mended = history("M2", 29, ("B", "b12", "400"))
    mended["data"]["results"][0]["status"] = "corrected"
    take(deps, mended)
    turn(deps)
    assert (alert(engine).state, alert(engine).reason) == ("closed", "fact-corrected")
    assert rows(engine, DELIVERY) == []


def test_a_pattern_that_a_live_result_makes_with_an_old_one_is_told(engine: Engine, deps: Deps) -> None:
    take(deps, history("M1", 30, ("F", "ferritin", "9")))
    take(deps, event("M2", [result("B", "b12", "1450")]))
    assert alert(engine).state == "raised"
    assert rows(engine, DELIVERY)


def test_without_the_setting_all_is_live(engine: Engine) -> None:
    take(deps_on(engine), history("M1", 30, *BOTH))
    assert alert(engine).state == "raised"
