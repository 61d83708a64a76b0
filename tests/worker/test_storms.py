"""The storm brake: a surge is held until a person has looked, and not one alert of it is lost."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, Row, select
from typer.testing import CliRunner

from alerts.leases import database_now
from alerts.tables import ALERT, AUDIT, DELIVERY, NOTICE, RECIPIENT, STORM
from tests.services.smtp import MailSink
from tests.worker.made_up import LOINC, RULE, deps_on, event, inbound, result
from worker import pipeline
from worker.composition import Deps
from worker.database import reading, writing
from worker.exposition import render
from worker.poller import turn
from worker.tokens import Role, create
from worker.verbs.storms import app
from worker.web.app import create_app

LOINC.setdefault("hemoglobin", ("718-7", "g/L"))
NPI = "http://hl7.org/fhir/sid/us-npi"
FLOOR = 5


def surge(deps: Deps, start: int, count: int, analytes: tuple[tuple[str, str], ...] = ()) -> None:
    """So many patients with the pattern, judged one batch after the other."""
    pattern = analytes or (("ferritin", "9"), ("b12", "1450"))
    for n in range(start, start + count):
        made = [result(f"{analyte}-{n}", analyte, value) for analyte, value in pattern]
        receipts = pipeline.accept(deps.engine, [inbound(event(f"M{n}", made, patient=f"P{n}"))])
        pipeline.judge(deps, [receipt.message for receipt in receipts])


def settle(deps: Deps) -> None:
    """What is decided is done in one turn and shown in the next."""
    turn(deps)
    turn(deps)


def rows(engine: Engine, table: Any) -> list[Row[Any]]:
    with reading(engine) as connection:
        return list(connection.execute(select(table).order_by(table.c.id)).all())


def of_rule(engine: Engine, rule: str = RULE) -> list[Row[Any]]:
    return [row for row in rows(engine, ALERT) if row.rule == rule]


def states(engine: Engine) -> list[str]:
    return [row.state for row in of_rule(engine)]


@pytest.fixture
def deps(engine: Engine) -> Deps:
    with writing(engine) as connection:
        someone = {"system": NPI, "ident": "1234567893", "name": "A", "email": "a@example.org"}
        connection.execute(RECIPIENT.insert(), [someone])
    return deps_on(engine, storm_floor=str(FLOOR))


def storm_of(engine: Engine) -> Row[Any]:
    return next(row for row in rows(engine, STORM) if row.key == RULE)


def answer(engine: Engine, monkeypatch: pytest.MonkeyPatch, how: str, *more: str) -> str:
    monkeypatch.setenv("FERRULE_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    done = CliRunner().invoke(app, [how, str(storm_of(engine).id), "--reason", "looked at", *more])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_surge_is_told_up_to_the_limit_then_held_and_announced(engine: Engine, deps: Deps) -> None:
    surge(deps, 0, 12)
    assert states(engine) == ["raised"] * (FLOOR + 1) + ["held"] * (12 - FLOOR - 1)
    held = of_rule(engine)[-1]
    assert (held.reason, held.held_for, held.storm_id) == ("storm", "storm", storm_of(engine).id)
    told = {row.alert_id for row in rows(engine, NOTICE)}
    assert not told & {row.id for row in of_rule(engine) if row.state == "held"}
    page = render(engine).decode()
    assert f'ferrule_storms_open{{key="{RULE}",kind="rule"}} 1.0' in page
    assert 'ferrule_alerts_held{reason="storm"} 0.0' not in page


def test_ordinary_numbers_are_no_storm(engine: Engine, deps: Deps) -> None:
    surge(deps, 0, FLOOR)
    assert set(states(engine)) == {"raised"}
    assert rows(engine, STORM) == []


def test_what_was_usual_raises_the_limit(engine: Engine, deps: Deps) -> None:
    surge(deps, 0, FLOOR)
    with writing(engine) as connection:
        # Two alerts in every hour of the last day: ten times that is the limit.
        kept = dict(connection.execute(select(ALERT).limit(1)).mappings().one())
        for n in range(48):
            ago = datetime.now(UTC) - timedelta(minutes=30 * n + 20)
            usual = {**kept, "id": 1000 + n, "patient_id": 1000 + n, "rule": RULE, "raised_at": ago}
            connection.execute(ALERT.insert().values(**usual))
    surge(deps, FLOOR, 2 * FLOOR)
    assert not [row for row in rows(engine, STORM) if row.key == RULE]


def test_floor_zero_switches_the_brake_off(engine: Engine, deps: Deps) -> None:
    off = deps_on(engine, storm_floor="0")
    surge(off, 0, 12)
    assert set(states(engine)) == {"raised"}


def test_a_critical_alert_is_never_held_by_a_storm(engine: Engine, deps: Deps) -> None:
    surge(deps, 0, 9)
    surge(deps, 100, 12, (("hemoglobin", "55"),))
    critical = [row for row in rows(engine, ALERT) if row.severity == "critical"]
    assert len(critical) == 12
    assert {row.state for row in critical} == {"raised"}


def test_released_alerts_are_told_each_once(
    engine: Engine, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    surge(deps, 0, 12)
    answer(engine, monkeypatch, "release")
    settle(deps)
    assert set(states(engine)) == {"told"}
    told = [row.alert_id for row in rows(engine, NOTICE)]
    assert sorted(told) == sorted(set(told))
    assert {row.id for row in of_rule(engine)} <= set(told)
    actions = [row for row in rows(engine, AUDIT) if row.action == "storm.release"]
    assert [row.data for row in actions] == [{"reason": "looked at"}]


def test_merged_alerts_are_shown_each_and_mailed_in_one(
    engine: Engine, deps: Deps, mail_sink: MailSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    deps = deps_on(engine, storm_floor=str(FLOOR), smtp_url=mail_sink.url, operator_email="ops@example.org")
    surge(deps, 0, 12)
    held = {row.id for row in of_rule(engine) if row.state == "held"}
    settle(deps)
    before = len(mail_sink.letters)
    answer(engine, monkeypatch, "merge")
    settle(deps)
    assert set(states(engine)) == {"told"}
    by_channel: dict[str, list[set[int]]] = {"inbox": [], "email": []}
    for delivery in rows(engine, DELIVERY):
        alerts = {row.alert_id for row in rows(engine, NOTICE) if row.delivery_id == delivery.id}
        if alerts & held:
            by_channel[delivery.channel].append(alerts)
    assert len(by_channel["inbox"]) == len(held)
    assert by_channel["email"] == [held]
    assert len(mail_sink.letters) == before + 1


def test_operations_is_told_once_of_each_storm(engine: Engine, deps: Deps, mail_sink: MailSink) -> None:
    deps = deps_on(engine, storm_floor=str(FLOOR), smtp_url=mail_sink.url, operator_email="ops@example.org")
    surge(deps, 0, 12)
    settle(deps)
    notes = [letter for letter in mail_sink.messages if "ops@example.org" in letter["To"]]
    assert [letter["Subject"].strip() for letter in notes if RULE in letter["Subject"]] == [
        f"Ferrule: a surge of alerts is held (rule {RULE})"
    ]


def test_voided_alerts_are_closed_untold_and_come_back_only_with_a_new_result(
    engine: Engine, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    surge(deps, 0, 12)
    answer(engine, monkeypatch, "void")
    settle(deps)
    assert states(engine)[FLOOR + 1 :] == ["closed"] * (12 - FLOOR - 1)
    last = of_rule(engine)[-1]
    assert last.reason == "voided"
    sent = event("again", [result("crp-11", "crp", "2")], patient="P11")
    pipeline.judge(deps, [r.message for r in pipeline.accept(engine, [inbound(sent)])])
    assert len(of_rule(engine)) == 12
    sent = event("new", [result("b12-new", "b12", "1500")], patient="P11")
    pipeline.judge(deps, [r.message for r in pipeline.accept(engine, [inbound(sent)])])
    assert [row.state for row in of_rule(engine) if row.patient_id == last.patient_id][-1] in (
        "raised",
        "held",
    )


def test_an_alert_held_while_its_storm_is_answered_is_not_forgotten(
    engine: Engine, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker import judging

    surge(deps, 0, 9)
    seen = judging.in_force

    def then_answered(connection: Any) -> Any:
        found = seen(connection)
        monkeypatch.setattr(judging, "in_force", seen)
        answering = threading.Thread(target=lambda: answer(engine, monkeypatch, "release"))
        answering.start()
        answering.join()
        return found

    monkeypatch.setattr(judging, "in_force", then_answered)
    surge(deps, 9, 1)
    assert states(engine)[-1] == "held"
    settle(deps)
    assert set(states(engine)) == {"told"}


def test_two_workers_in_a_surge_begin_one_storm_and_lose_nothing(
    engine: Engine, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = [threading.Thread(target=surge, args=(deps, start, 12)) for start in (0, 100)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len([row for row in rows(engine, STORM) if row.key == RULE]) == 1
    assert len(of_rule(engine)) == 24
    assert "held" in states(engine)
    answer(engine, monkeypatch, "release")
    settlers = [threading.Thread(target=turn, args=(deps,)) for _ in range(2)]
    for settler in settlers:
        settler.start()
    for settler in settlers:
        settler.join()
    settle(deps)
    assert set(states(engine)) == {"told"}
    told = [row.alert_id for row in rows(engine, NOTICE)]
    assert sorted(told) == sorted(set(told))


def test_a_storm_that_is_over_holds_nothing_new_and_what_it_held_still_waits(
    engine: Engine, deps: Deps
) -> None:
    surge(deps, 0, 12)
    later = replace(deps, clock=lambda connection: database_now(connection) + timedelta(minutes=31))
    turn(later)
    assert storm_of(engine).subsided_at is not None
    assert "held" in states(engine)
    with writing(engine) as connection:
        ago = datetime.now(UTC) - timedelta(minutes=31)
        connection.execute(ALERT.update().values(raised_at=ago))
    surge(deps, 50, 1)
    assert states(engine)[-1] == "raised"
    assert b"ferrule_storms_open{" in render(engine)


def test_a_held_alert_whose_fact_is_corrected_is_never_told(
    engine: Engine, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    surge(deps, 0, 9)
    fixed = event("fix", [result("b12-8", "b12", "400", status="corrected")], patient="P8")
    pipeline.judge(deps, [r.message for r in pipeline.accept(engine, [inbound(fixed)])])
    answer(engine, monkeypatch, "release")
    settle(deps)
    gone = of_rule(engine)[-1]
    assert (gone.state, gone.reason) == ("closed", "fact-corrected")
    assert gone.id not in {row.alert_id for row in rows(engine, NOTICE)}


def test_operators_decide_over_the_api_and_nobody_else(sqlite_url: str) -> None:
    from tests.services.schema import open_engine

    engine = open_engine(sqlite_url)
    deps = deps_on(engine, storm_floor=str(FLOOR))
    surge(deps, 0, 9)
    with writing(engine) as connection:
        now = database_now(connection)
        operator, intake = (create(connection, role, now) for role in (Role.OPERATOR, Role.INTAKE))
    with TestClient(create_app(deps)) as client:
        headers = {"authorization": f"Bearer {operator}"}
        storm = next(
            s for s in client.get("/api/storms", headers=headers).json()["items"] if s["key"] == RULE
        )
        assert storm["held"] == 9 - FLOOR - 1
        path = f"/api/storms/{storm['id']}/release"
        assert client.get("/api/storms", headers={"authorization": f"Bearer {intake}"}).status_code == 403
        assert client.post(path, json={"reason": "x"}).status_code == 401
        assert client.post(path, json={"reason": " "}, headers=headers).status_code == 422
        assert client.post(path, json={"reason": "real"}, headers=headers).status_code == 200
        assert client.post(path, json={"reason": "real"}, headers=headers).status_code == 409
        assert (
            client.post(path.replace("release", "burn"), json={"reason": "x"}, headers=headers).status_code
            == 422
        )
    settle(deps)
    assert set(states(engine)) == {"told"}
    engine.dispose()
