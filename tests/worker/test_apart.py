"""Control samples and test patients: kept, counted, listed, never judged, and nobody's."""

import json

import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from tests.worker.made_up import deps_on, event, inbound, result
from tests.worker.test_may_be_critical import LOW, hemoglobin, oru
from worker.accepting import accept
from worker.apart import apart, counted_apart
from worker.cli import app
from worker.composition import Deps
from worker.database import reading
from worker.pipeline import judge
from worker.tables import MESSAGE, PATIENT, RESULT

CONTROL = f"SPM|1||||||||||Q\r{hemoglobin(LOW, 'LL')}"
QC = "PID|1||QC1^^^NORTH^MR||CONTROL^LEVEL 1"
BOTH = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]


def test_a_control_sample_is_kept_whole_listed_and_makes_no_patient(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    deps, sent = deps_on(engine), oru(CONTROL, QC)
    judge(deps, [receipt.message for receipt in accept(engine, [sent])])
    with reading(engine) as connection:
        row = connection.execute(select(MESSAGE)).one()
        assert (row.raw, row.state, row.flag) == (sent.raw, "judged", "control-sample")
        assert connection.execute(select(RESULT.c.id)).all() == []
        assert connection.execute(select(PATIENT.c.id)).all() == []
        assert [(one["reason"], one["count"]) for one in counted_apart(connection, None)] == [
            ("control-sample", 1)
        ]
    monkeypatch.setenv("FERRULE_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    listed = CliRunner().invoke(app, ["quarantine", "apart", "--json"]).output
    assert [json.loads(line)["reason"] for line in listed.splitlines()] == ["control-sample"]
    assert LOW not in listed


def test_a_control_beside_a_patients_own_results_leaves_the_patient_and_is_listed(engine: Engine) -> None:
    control = result("R3", "crp", "1") | {"specimen_notes": ["control-sample"]}
    judge(deps_on(engine), [r.message for r in accept(engine, [inbound(event("M1", [*BOTH, control]))])])
    with reading(engine) as connection:
        assert sorted(connection.execute(select(RESULT.c.result_id)).scalars()) == ["R1", "R2"]
        assert len(apart(connection, None, 10)) == 1
        assert apart(connection, ["urn:lab:south"], 10) == []


def test_a_test_patient_is_listed_and_a_plain_message_is_not(engine: Engine) -> None:
    deps: Deps = deps_on(engine, test_patients="ZZ")
    told = [event("M1", BOTH, "ZZTEST"), event("M2", BOTH, "P2")]
    judge(deps, [receipt.message for receipt in accept(engine, [inbound(one) for one in told])])
    with reading(engine) as connection:
        assert [(row["message_id"], row["reason"]) for row in apart(connection, None, 10)] == [
            ("M1", "test-patient")
        ]
