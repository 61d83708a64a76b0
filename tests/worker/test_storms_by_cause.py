"""The three storms that laboratories make: a unit that flips, a bulk reload, a replay after a mapping.

Of each: telling pauses by itself, what is held is counted, operations is told once, and a person answers with
a reason.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row, select
from typer.testing import CliRunner

from alerts.people import Actor
from alerts.tables import ALERT, AUDIT, NOTICE, RECIPIENT, STORM
from tests.services.smtp import MailSink
from tests.worker.made_up import NORTH, RULE, deps_on, event, inbound, result
from worker import pipeline
from worker.composition import Deps
from worker.database import reading, writing
from worker.exposition import render
from worker.poller import turn
from worker.replaying import replay, would_change
from worker.verbs.storms import app as storms
from worker.verbs.submit import app as submit

NPI = "http://hl7.org/fhir/sid/us-npi"
OPERATIONS = "ops@example.org"
BY = Actor("urn:test", "tester")
FLOOR = 5
MANY = 20
HIGH_B12 = (("ferritin", "9"), ("b12", "1450"))
LOW_B12 = "b12-deficiency-untreated"

MAPPING = f"""
sources:
  - name: north
    recognized_by: {{events: ['{NORTH}']}}
    mapping: north.yaml
"""
CODES = """
laboratory: North (made up)
checked_by: Nobody, 2026-11-02
codes:
  - {code: FE, loinc: 2276-4}
"""


@pytest.fixture
def given(engine: Engine, mail_sink: MailSink, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of a site with a clinician, an operator's address and a low limit."""
    with writing(engine) as connection:
        someone = {"system": NPI, "ident": "1234567893", "name": "A", "email": "a@example.org"}
        connection.execute(RECIPIENT.insert(), [someone])
    monkeypatch.setenv("FERRULE_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    return {"storm_floor": str(FLOOR), "smtp_url": mail_sink.url, "operator_email": OPERATIONS}


def rows(engine: Engine, table: Any) -> list[Row[Any]]:
    with reading(engine) as connection:
        return list(connection.execute(select(table).order_by(table.c.id)).all())


def taken(deps: Deps, events: Sequence[dict[str, Any]]) -> None:
    """Accepted and judged as they come, a few at a time."""
    for start in range(0, len(events), 4):
        some = pipeline.accept(deps.engine, [inbound(one) for one in events[start : start + 4]])
        pipeline.judge(deps, [receipt.message for receipt in some if receipt.judge])
    settle(deps)


def settle(deps: Deps) -> None:
    """What is decided is done in one turn and shown in the next."""
    turn(deps)
    turn(deps)


def storm_of(engine: Engine, rule: str) -> Row[Any]:
    return next(row for row in rows(engine, STORM) if row.key == rule)


def of_rule(engine: Engine, rule: str) -> list[Row[Any]]:
    return [row for row in rows(engine, ALERT) if row.rule == rule]


def told(engine: Engine) -> set[int]:
    return {row.alert_id for row in rows(engine, NOTICE)}


def braked(engine: Engine, mail_sink: MailSink, rule: str) -> list[Row[Any]]:
    """What is held of the rule; that the rest was told, held ones counted, operations told once."""
    alerts = of_rule(engine, rule)
    held = [row for row in alerts if row.state == "held"]
    assert len(alerts) == MANY
    assert 0 < len(held) < MANY
    assert {row.storm_id for row in held} == {storm_of(engine, rule).id}
    assert told(engine) & {row.id for row in alerts} == {row.id for row in alerts} - {row.id for row in held}
    page = render(engine).decode()
    assert f'ferrule_storms_open{{key="{rule}",kind="rule"}} 1.0' in page
    everything = [row for row in rows(engine, ALERT) if row.held_for == "storm" and row.state == "held"]
    assert f'ferrule_alerts_held{{reason="storm"}} {float(len(everything))}' in page
    notes = [one["Subject"] for one in mail_sink.messages if OPERATIONS in one["To"]]
    assert len([subject for subject in notes if rule in subject]) == 1
    return held


def answered(deps: Deps, rule: str, outcome: str, reason: str) -> None:
    """A person decides, on the command line; it is in the audit trail with the reason."""
    storm = storm_of(deps.engine, rule).id
    refused = CliRunner().invoke(storms, [outcome, str(storm), "--reason", " "])
    assert refused.exit_code != 0
    done = CliRunner().invoke(storms, [outcome, str(storm), "--reason", reason])
    assert done.exit_code == 0, done.output
    settle(deps)
    (entry,) = [row for row in rows(deps.engine, AUDIT) if row.action == f"storm.{outcome}"]
    assert entry.data == {"reason": reason}


def test_a_source_whose_unit_flips_is_held_and_voided(
    engine: Engine, given: dict[str, str], mail_sink: MailSink
) -> None:
    """B12 in pmol/L under the name of pg/mL: 170 for 230; nobody of them is deficient."""
    deps = deps_on(engine, **given)
    taken(deps, [b12(n, value="230", hours_ago=48) for n in range(MANY)])
    assert of_rule(engine, LOW_B12) == []
    taken(deps, [b12(n, value="170", hours_ago=2) for n in range(MANY)])
    held = {row.id for row in braked(engine, mail_sink, LOW_B12)}
    answered(deps, LOW_B12, "void", "the laboratory sent pmol/L as pg/mL from 08:00")
    voided = {(row.state, row.reason) for row in of_rule(engine, LOW_B12) if row.id in held}
    assert voided == {("closed", "voided")}
    assert not told(engine) & held


def b12(patient: int, value: str, hours_ago: float) -> dict[str, Any]:
    one = result(f"B12-{patient}-{value}", "b12", value, hours_ago=hours_ago)
    return event(f"M{patient}-{value}", [one], patient=f"P{patient}")


def test_a_bulk_reload_is_held_and_merged_into_one_message(
    engine: Engine, given: dict[str, str], mail_sink: MailSink, tmp_path: Path
) -> None:
    """A laboratory sends its year again from a new system: other ids, results nobody here had seen."""
    deps = deps_on(engine, **given)
    day = tmp_path / "reload.ndjson"
    with day.open("w") as file:
        for n in range(MANY):
            days = [result(f"{name}-{n}", name, value, hours_ago=24 * 20) for name, value in HIGH_B12]
            file.write(json.dumps(event(f"RELOAD-{n}", days, patient=f"P{n}")) + "\n")
    done = CliRunner().invoke(submit, [str(day)])
    assert done.exit_code == 0, done.output
    for message in range(1, MANY + 1):
        pipeline.judge(deps, [message])
    settle(deps)
    held = braked(engine, mail_sink, RULE)
    before = len(mail_sink.letters)
    answered(deps, RULE, "merge", "history of the new system; to be looked at together")
    assert {row.state for row in of_rule(engine, RULE)} == {"told"}
    assert {row.id for row in held} <= told(engine)
    assert len(mail_sink.letters) == before + 1


def test_a_replay_after_a_mapping_is_held_and_released(
    engine: Engine, given: dict[str, str], mail_sink: MailSink, tmp_path: Path
) -> None:
    """A local code meant nothing for weeks; mapped and judged again, every patient raises at once."""
    local = {"code": "FE", "system": "urn:lab:north:codes", "name": "Ferritin"}
    plain = deps_on(engine, **given)
    taken(plain, [
        event(f"M{n}", [result(f"F-{n}", "ferritin", "9") | local, result(f"B-{n}", "b12", "1450")],
              patient=f"P{n}")
        for n in range(MANY)
    ])  # fmt: skip
    assert of_rule(engine, RULE) == []
    (tmp_path / "north.yaml").write_text(CODES)
    (tmp_path / "sources.yaml").write_text(MAPPING)
    deps = deps_on(engine, **given, sources_file=str(tmp_path / "sources.yaml"))
    raising = {
        rule: n for (rule, action, _), n in would_change(deps, None, None).items() if action == "raise"
    }
    assert raising[RULE] == MANY
    assert replay(deps, None, None, BY) == MANY
    for message in range(1, MANY + 1):
        pipeline.judge(deps, [message])
    settle(deps)
    held = braked(engine, mail_sink, RULE)
    answered(deps, RULE, "release", "the mapping is right: each is to be told")
    assert {row.state for row in of_rule(engine, RULE)} == {"told"}
    assert {row.id for row in held} <= told(engine)
    assert replay(deps, None, None, BY) == MANY
    settle(deps)
    assert len(of_rule(engine, RULE)) == MANY
