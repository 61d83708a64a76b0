"""F61, F62 and `ferrule replay`: what comes again, late or in another order changes nothing."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from alerts.people import Actor
from alerts.tables import ALERT, DELIVERY
from tests.worker.made_up import RULE, deps_on, event, inbound, result
from worker import pipeline
from worker.accepting import Outcome
from worker.composition import Deps
from worker.database import reading
from worker.poller import turn
from worker.replaying import replay, would_change
from worker.tables import EVALUATION, MESSAGE, RESULT
from worker.verbs.replay import app

BY = Actor("urn:test", "tester")


def take(deps: Deps, events: list[dict[str, Any]]) -> list[Outcome]:
    receipts = []
    for start in range(0, len(events), 50):
        some = pipeline.accept(deps.engine, [inbound(one) for one in events[start : start + 50]])
        pipeline.judge(deps, [receipt.message for receipt in some if receipt.judge])
        receipts += some
    turn(deps)
    return [receipt.outcome for receipt in receipts]


def standing(engine: Engine) -> dict[str, list[Any]]:
    """All that a replay could have changed."""
    with reading(engine) as connection:
        alerts = select(ALERT.c.id, ALERT.c.rule, ALERT.c.state, ALERT.c.version).order_by(ALERT.c.id)
        kept = select(RESULT.c.id, RESULT.c.version).order_by(RESULT.c.id)
        sent = select(DELIVERY.c.delivery_key, DELIVERY.c.state).order_by(DELIVERY.c.id)
        return {
            name: [tuple(row) for row in connection.execute(query)]
            for name, query in {"alerts": alerts, "results": kept, "deliveries": sent}.items()
        }


def a_day(patients: int = 12) -> list[dict[str, Any]]:
    made = []
    for n in range(patients):
        values = (("ferritin", "9"), ("b12", "1450" if n % 2 else "400"), ("crp", "2"))
        for at, (analyte, value) in enumerate(values):
            one = result(f"{analyte}-{n}", analyte, value, hours_ago=6 - at)
            made.append(event(f"M{n}-{at}", [one], patient=f"P{n}"))
    return made


def test_f61_a_whole_day_sent_again_is_all_duplicates_and_tells_nobody(engine: Engine) -> None:
    deps, day = deps_on(engine), a_day()
    take(deps, day)
    before = standing(engine)
    assert before["alerts"]
    assert set(take(deps, day)) == {Outcome.DUPLICATE}
    written_again = [json.loads(json.dumps(one, sort_keys=True)) for one in day]
    assert set(take(deps, written_again)) == {Outcome.DUPLICATE}
    assert standing(engine) == before


def test_f61_judging_a_day_again_raises_and_tells_nothing(engine: Engine) -> None:
    deps = deps_on(engine)
    take(deps, a_day())
    before = standing(engine)
    assert would_change(deps, None, None) == {}
    assert replay(deps, None, None, BY) == 36
    turn(deps)
    assert standing(engine) == before
    with reading(engine) as connection:
        states = set(connection.execute(select(MESSAGE.c.state)).scalars())
        assert states == {"judged"}
        assert connection.execute(select(EVALUATION.c.id)).all()


@pytest.mark.parametrize("seed", range(3))
def test_f62_messages_out_of_order_within_minutes_end_in_the_same_alerts(engine: Engine, seed: int) -> None:
    deps, day = deps_on(engine), a_day(6)
    random.Random(seed).shuffle(day)
    take(deps, day)
    with reading(engine) as connection:
        raised = select(ALERT.c.patient_id).where(ALERT.c.rule == RULE, ALERT.c.closed_at.is_(None))
        assert len(set(connection.execute(raised).scalars())) == 3


def test_only_what_was_received_in_that_time_is_judged_again(engine: Engine) -> None:
    deps = deps_on(engine)
    take(deps, a_day(2))
    now = datetime.now(UTC)
    assert replay(deps, now + timedelta(hours=1), None, BY) == 0
    assert replay(deps, None, now - timedelta(hours=1), BY) == 0
    assert replay(deps, now - timedelta(hours=1), now + timedelta(hours=1), BY) == 6


def test_a_dry_run_says_what_other_rules_would_change_and_writes_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    deps = deps_on(engine)
    take(deps, a_day(2))
    before = standing(engine)
    monkeypatch.setenv("FERRULE_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    done = CliRunner().invoke(app, ["--dry-run"])
    assert (done.exit_code, done.output.strip()) == (0, "nothing would change")
    with engine.begin() as connection:
        connection.execute(
            ALERT.update().values(state="closed", closed_at=datetime.now(UTC), reason="voided")
        )
        connection.execute(ALERT.update().values(evidence=[]))
    done = CliRunner().invoke(app, ["--dry-run"])
    assert f"raise     {RULE}" in done.output
    assert "nothing was written" in done.output
    assert standing(engine)["deliveries"] == before["deliveries"]


def test_times_that_are_none_are_answered_in_one_line(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERRULE_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    done = CliRunner().invoke(app, ["--from", "yesterday"])
    assert "--from" in str(done.exception)
