"""FHIR in files: Bulk Data by `ferrule submit`; one story in three formats by `ferrule evaluate`."""

import json
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner, Result

from tests.worker.intake.examples import HEADER, ORDER, PATIENT, hl7, obx
from tests.worker.intake.examples import event as made_event
from tests.worker.intake.examples import result as made_result
from tests.worker.intake.fhir_examples import LOINC, MRN, bundle, observation, patient, quantity, raw
from tests.worker.made_up import RULE, deps_on
from worker.pipeline import judge
from worker.tables import MESSAGE, QUARANTINE_ITEM, RESULT
from worker.tables import PATIENT as PATIENTS
from worker.verbs.evaluate import app as evaluate_app
from worker.verbs.submit import app as submit_app

AT = "2026-03-01T07:30:00+01:00"
B12 = {
    "identifier": [{"system": "urn:lab:north:result", "value": "R2"}],
    "code": {"coding": [{"system": LOINC, "code": "2132-9"}]},
}


def ndjson(*resources: dict) -> bytes:
    return b"\n".join(map(raw, resources)) + b"\n"


@pytest.fixture
def bulk(tmp_path: Path) -> list[Path]:
    """A Bulk Data export: three people, their results by reference."""
    people = [patient(id=f"p{n}", identifier=[{"system": MRN, "value": str(n)}]) for n in range(3)]
    found = [
        observation(f"{n + 5}", id=f"o{n}", identifier=None, subject={"reference": f"Patient/p{n}"})
        for n in range(3)
    ]
    files = {"Observation.ndjson": found, "Patient.ndjson": people}
    for name, resources in files.items():
        (tmp_path / name).write_bytes(ndjson(*resources))
    return [tmp_path / name for name in files]


@pytest.fixture
def submit(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("FERRULE_DATABASE_URL", database_url)
    monkeypatch.setenv("FERRULE_DATA_DIR", str(tmp_path / "data"))
    return lambda *words: CliRunner().invoke(submit_app, [str(word) for word in words])


def judged(engine: Engine) -> list[tuple[str, str]]:
    """(patient, value) of every result, after judging what was stored in the order of arrival."""
    with engine.connect() as connection:
        ids = list(connection.scalars(select(MESSAGE.c.id).order_by(MESSAGE.c.id)))
    judge(deps_on(engine), ids)
    with engine.connect() as connection:
        rows = select(PATIENTS.c.ident, RESULT.c.reported_value).join(
            RESULT, RESULT.c.patient_id == PATIENTS.c.id
        )
        return sorted(tuple(row) for row in connection.execute(rows))


def test_bulk_files_are_submitted_and_references_lead_across_them(submit, engine, bulk):
    answer = submit(*bulk, "--format", "fhir", "--source", "urn:ehr:north")
    assert answer.exit_code == 0, answer.output
    assert "stored 6" in answer.stdout
    assert judged(engine) == [("0", "5"), ("1", "6"), ("2", "7")]
    with engine.connect() as connection:
        assert set(connection.scalars(select(MESSAGE.c.source))) == {"urn:ehr:north"}
        assert list(connection.scalars(select(QUARANTINE_ITEM.c.reason))) == []
    assert "stored 0" in submit(*bulk, "--source", "urn:ehr:north").stdout


def test_a_resource_whose_codes_are_many_does_not_stop_the_rest(submit, engine, tmp_path):
    role = {
        "resourceType": "PractitionerRole",
        "code": [{"coding": [{"system": "http://snomed.info/sct", "code": "59058001"}]}],
    }
    file = tmp_path / "mixed.ndjson"
    file.write_bytes(ndjson(role, observation()))
    answer = submit(file)
    assert answer.exit_code == 0, answer.output
    assert [value for _, value in judged(engine)] == ["9"]


def test_a_line_that_cannot_be_read_is_told_and_kept(submit, engine, tmp_path):
    file = tmp_path / "Observation.ndjson"
    file.write_bytes(ndjson(observation(status="MARKED"), observation()))
    answer = submit(file)
    assert answer.exit_code == 2
    assert "Observation.ndjson:1: Observation.status" in answer.stderr
    assert "MARKED" not in answer.output
    assert [value for _, value in judged(engine)] == ["9"]


def test_a_reference_that_leads_nowhere_is_set_aside_until_its_patient_comes(submit, engine, bulk):
    submit(bulk[0])
    assert judged(engine) == []
    with engine.connect() as connection:
        assert set(connection.scalars(select(QUARANTINE_ITEM.c.reason))) == {"no-patient"}


def story_as_event() -> bytes:
    b12 = made_result(id="R2", code="2132-9", value="1450", unit="pg/mL", effective_at=AT)
    return json.dumps(made_event(made_result(effective_at=AT), b12)).encode()


def story_as_hl7() -> bytes:
    b12 = obx("1450", f3="2132-9^Vitamin B12^LN", f6="pg/mL", f7="")
    return hl7(HEADER, PATIENT, ORDER, obx("9", f7=""), b12)


def story_as_fhir(kind: str = "collection") -> bytes:
    about = {"effectiveDateTime": AT, "subject": {"reference": "Patient/p"}}
    ferritin = observation("9", **about)
    b12 = observation(**B12, **about, valueQuantity=quantity("1450", "pg/mL"))
    return raw(bundle(patient(id="p"), ferritin, b12, type=kind))


def evaluated(*files: Path) -> dict:
    answer = CliRunner().invoke(
        evaluate_app, [*map(str, files), "--json", "--as-of", "2026-03-02T00:00:00Z", "--zone", "UTC"]
    )
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout.splitlines()[-1])


def told(judgment: dict) -> list:
    """The findings, without the names under which each format knows its results."""
    for finding in judgment["findings"]:
        for one in finding["evidence"]:
            one.pop("result_id", None)
    return judgment["findings"]


def test_one_story_gives_the_same_findings_in_every_format(tmp_path):
    stories = {
        "event.json": story_as_event(),
        "message.hl7": story_as_hl7(),
        "bundle.json": story_as_fhir(),
        "searchset.json": story_as_fhir("searchset"),
    }
    findings = []
    for name, content in stories.items():
        (tmp_path / name).write_bytes(content)
        findings.append(told(evaluated(tmp_path / name)))
    assert RULE in [finding["rule"] for finding in findings[0]]
    assert all(found == findings[0] for found in findings)


def test_bulk_files_are_evaluated_in_any_order(tmp_path):
    whole = json.loads(story_as_fhir())
    resources = [entry["resource"] for entry in whole["entry"]]
    files = []
    for number, resource in enumerate(resources):
        file = tmp_path / f"{number}.ndjson"
        file.write_bytes(json.dumps(resource).encode() + b"\n")
        files.append(file)
    found = [told(evaluated(*order)) for order in permutations(files)]
    assert found[0]
    assert all(one == found[0] for one in found)
