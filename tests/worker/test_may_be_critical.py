"""B41: what waits in quarantine and may hold a critical value stands first, and says so without the value."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from tests.worker.made_up import NORTH, deps_on, event, inbound, result
from worker.accepting import Inbound, accept
from worker.checkup import _backlog
from worker.cli import app
from worker.database import reading
from worker.exposition import render
from worker.intake_gauges import IntakeGauges
from worker.may_be_critical import critical_due
from worker.pipeline import judge
from worker.quarantine import heaps, most_urgent
from worker.settings import read_settings
from worker.sources import no_sources
from worker.tables import QUARANTINE_ITEM

NOW = datetime.now(UTC)
TAKEN = f"{NOW - timedelta(hours=2):%Y%m%d%H%M}+0000"
LOW, PLAIN = "61.5317", "131.5317"
ALERTED = ("HH", "LL", "AA")


def oru(obx: str, pid: str = "PID|1||   |", control: str = "C1") -> Inbound:
    header = f"MSH|^~\\&|LIS|NORTH|FER|HOSP|{TAKEN}||ORU^R01|{control}|P|2.5"
    segments = (header, pid, f"OBR|1||F1|CBC|||{TAKEN}", obx, "")
    return Inbound(NORTH, control, "hl7", "\r".join(segments).encode())


def hemoglobin(value: str, flag: str = "", unit: str = "g/L") -> str:
    return f"OBX|1|NM|718-7^Hemoglobin^LN||{value}|{unit}|120-160|{flag}|||F|||{TAKEN}"


def observation(value: str, flag: str | None = None) -> dict[str, Any]:
    coding = {"system": "http://loinc.org", "code": "718-7"}
    told = {"interpretation": [{"coding": [{"code": flag}]}]} if flag else {}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [coding]},
        "effectiveDateTime": (NOW - timedelta(hours=2)).isoformat(),
        "valueQuantity": {"value": float(value), "unit": "g/L"},
        "subject": {"reference": "Patient/nobody-was-sent"},
        **told,
    }


def told(engine: Engine, *messages: Inbound) -> list[bool | None]:
    """What each item says once somebody has looked, in the order of their arrival."""
    deps = deps_on(engine)
    for receipt in accept(engine, messages):
        judge(deps, [receipt.message])
    critical_due(deps)
    with reading(engine) as connection:
        asked = select(QUARANTINE_ITEM.c.may_be_critical).order_by(QUARANTINE_ITEM.c.id)
        return list(connection.execute(asked).scalars())


@pytest.mark.parametrize("pid", ["PID|1||", "PID|1||   |", "PID|1||^^^NORTH^MR"])
def test_b41_a_report_of_no_patient_whose_hemoglobin_a_critical_rule_would_call_says_so(
    engine: Engine, pid: str
) -> None:
    assert told(engine, oru(hemoglobin(LOW), pid), oru(hemoglobin(PLAIN), pid, "C2")) == [True, False]
    with reading(engine) as connection:
        reasons = {row["reason"] for row in most_urgent(connection)}
    assert reasons == {"no-patient"}


@pytest.mark.parametrize("flag", [*ALERTED, "ll", "L~LL"])
def test_b41_a_flag_of_the_laboratory_says_so_whatever_the_test(engine: Engine, flag: str) -> None:
    potassium = f"OBX|1|NM|2823-3^Potassium^LN||7.1|mmol/L|3.5-5.0|{flag}|||F|||{TAKEN}"
    assert told(engine, oru(potassium)) == [True]


@pytest.mark.parametrize("flag", ["H", "L", "N", "A", ""])
def test_b41_plain_flags_do_not(engine: Engine, flag: str) -> None:
    potassium = f"OBX|1|NM|2823-3^Potassium^LN||5.1|mmol/L|3.5-5.0|{flag}|||F|||{TAKEN}"
    assert told(engine, oru(potassium)) == [False]


def test_b41_a_message_without_any_pid_that_the_door_set_aside_is_looked_at_too(engine: Engine) -> None:
    raw = oru(hemoglobin(LOW), "NTE|1")
    door = Inbound(NORTH, "C9", "hl7", raw.raw, ("no-patient", "PID", "expected a PID segment, got none"))
    assert told(engine, door) == [True]


def test_b41_a_flag_is_seen_in_a_message_that_cannot_be_taken_apart(engine: Engine) -> None:
    broken = b"MSH|^~\\&|LIS|NORTH\rthis is no segment\rOBX|1|NM|2823-3||7|mmol/L||HH|||F\r"
    assert told(engine, Inbound(NORTH, "C8", "hl7", broken, ("structure", "", "send HL7"))) == [True]


@pytest.mark.parametrize(
    ("value", "flag", "critical"), [(LOW, None, True), (PLAIN, "HH", True), (PLAIN, None, False)]
)
def test_b41_fhir_of_nobody_is_looked_at(
    engine: Engine, value: str, flag: str | None, critical: bool
) -> None:
    raw = json.dumps(observation(value, flag)).encode()
    assert told(engine, Inbound(NORTH, "F1", "fhir", raw)) == [critical]


def test_b41_an_event_of_nobody_is_looked_at(engine: Engine) -> None:
    low = result("R1", "ferritin", LOW) | {"code": "718-7", "unit": "g/L"}
    whole = event("M1", [low])
    del whole["data"]["patient"]
    assert told(engine, inbound(whole)) == [True]


def test_b41_only_the_part_that_waits_is_looked_at_not_what_was_judged(engine: Engine) -> None:
    pid = "PID|1||77^^^NORTH^MR||Doe^Jane||19600101|F"
    judged = hemoglobin(LOW, "LL")
    strange = f"OBX|2|NM|2276-4^Ferritin^LN||9|furlongs||L|||F|||{TAKEN}"
    assert told(engine, oru(f"{judged}\r{strange}", pid)) == [False]
    flagged = strange.replace("|L|", "|LL|")
    assert told(engine, oru(f"{judged}\r{flagged}", pid, "C2"))[1:] == [True]


def test_b41_an_impossible_hemoglobin_may_be_a_critical_one(engine: Engine) -> None:
    pid = "PID|1||77^^^NORTH^MR||Doe^Jane||19600101|F"
    assert told(engine, oru(hemoglobin("12.1"), pid)) == [True]


def test_b41_a_control_sample_is_nobodys(engine: Engine) -> None:
    assert told(engine, oru(f"SPM|1||||||||||Q\r{hemoglobin(LOW, 'LL')}")) == [False]


def test_b41_it_stands_first_and_nothing_shows_the_value(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(engine, oru(hemoglobin(PLAIN), control="C1"), oru(hemoglobin(LOW), control="C2"))
    with reading(engine) as connection:
        assert [row["sender_id"] for row in most_urgent(connection)] == ["C2", "C1"]
        assert [heap["critical"] for heap in heaps(connection)] == [1]
    url = engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("FERRULE_DATABASE_URL", url)
    listed = CliRunner().invoke(app, ["quarantine", "list", "--json"]).output
    lines = [json.loads(line) for line in listed.splitlines()]
    assert [line["urgent"] for line in lines] == ["may hold a critical value", ""]
    page = render(engine, intake=IntakeGauges(no_sources)).decode()
    assert 'ferrule_quarantine_may_be_critical{source="other"} 1.0' in page
    findings = _backlog(read_settings({"FERRULE_DATABASE_URL": url}))
    (quarantine,) = (one for one in findings if one.part == "quarantine")
    assert "2 wait" in quarantine.said
    assert quarantine.said.endswith("1 may hold a critical value")
    assert not any(LOW in text for text in (listed, page, quarantine.said))
