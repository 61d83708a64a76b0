import json
import random
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from rules.load import load_ruleset
from tests.worker.intake.examples import HEADER, event, obx, raw, report, result
from worker.evaluate import NoTimeInInput, evaluate, gathered, judgment_json
from worker.failures import Failure
from worker.intake.decode import decode
from worker.intake.event import Event, event_of
from worker.verbs.evaluate import app
from worker.verbs.explain import app as explaining

UTC_ZONE = ZoneInfo("UTC")
RULES = load_ruleset()
UNEXPLAINED = "b12-high-iron-deficient-unexplained"
SUPPLEMENT = "b12-high-iron-deficient-supplement"
B12 = {"code": "2132-9", "value": "1450", "unit": "pg/mL"}
PRODUCT = {
    "system": "http://www.whocc.no/atc",
    "code": "A11AA03",
    "status": "active",
    "start": "2026-01-01",
    "route": "oral",
}


def read(*values: dict[str, object]) -> list[Event]:
    return [event_of(value) for value in values]


def pattern(patient: str = "123", **data: object) -> list[dict[str, object]]:
    """Ferritin and B12 of one patient, in an event each."""
    who = {"system": "urn:mrn:north", "id": patient, "birth_date": "1980-02-03", "sex": "female"}
    return [
        event(result(id=f"F{patient}"), patient=who, **data) | {"id": f"F{patient}"},
        event(result(id=f"B{patient}", **B12), patient=who) | {"id": f"B{patient}"},
    ]


def judged(events: list[Event], as_of: datetime | None = None) -> list[dict[str, object]]:
    return [judgment_json(one) for one in evaluate(gathered(events, UTC_ZONE), RULES, as_of)]


def found(judgment: dict[str, object]) -> set[str]:
    return {finding["rule"] for finding in judgment["findings"]}


def test_two_events_that_only_together_make_the_pattern_give_its_finding():
    both = read(*pattern())
    assert UNEXPLAINED in found(judged(both)[0])
    assert all(UNEXPLAINED not in found(judged([one])[0]) for one in both)


def test_the_line_has_the_shape_that_was_promised():
    (line,) = judged(read(*pattern()))
    assert set(line) == {"patient", "as_of", "ruleset", "findings", "silent", "undetermined", "not_used"}
    finding = next(f for f in line["findings"] if f["rule"] == UNEXPLAINED)
    assert {"rule", "version", "severity", "headline", "text", "evidence", "actions"} < set(finding)
    assert {"follow_up", "sources", "annotates"} < set(finding)
    values = [shown for shown in finding["evidence"] if shown.get("analyte") == "b12"]
    assert values == [
        {
            "analyte": "b12",
            "value": "1450",
            "comparator": "=",
            "unit": "pg/mL",
            "effective_at": "2026-03-01T07:30:00Z",
            "result_id": "B123",
        }
    ]
    assert any("absent" in shown and "since" in shown for shown in finding["evidence"])
    assert json.loads(json.dumps(line)) == line


def test_patients_are_sorted_by_system_and_id():
    events = read(*pattern("9"), *pattern("10"), *pattern("1"))
    assert [line["patient"]["id"] for line in judged(events)] == ["1", "10", "9"]


def test_the_order_of_events_and_results_makes_no_difference():
    values = [*pattern("1"), *pattern("2", medications=[PRODUCT]), *pattern("3")]
    straight = judged(read(*values))
    for seed in range(5):
        assert judged(read(*random.Random(seed).sample(values, len(values)))) == straight
    assert SUPPLEMENT in found(straight[1])


def test_as_of_is_the_newest_result_or_event_time_in_the_input_and_never_a_record_date():
    late = event(
        result(issued_at="2026-03-05T10:00:00Z"), conditions=[{"code": "K90.0", "start": "2026-09-01"}]
    )
    assert judged(read(late))[0]["as_of"] == "2026-03-05T10:00:00Z"
    assert judged(read(event(result())))[0]["as_of"] == "2026-03-01T08:12:00Z"


def test_what_was_not_yet_known_at_as_of_does_not_count():
    (line,) = judged(read(*pattern()), datetime(2026, 3, 1, 8, 0, tzinfo=UTC))
    assert not line["findings"]


def test_an_unusable_newest_result_leaves_the_older_one_standing():
    newer = event(result(id="F2", value="80", unit="furlong", effective_at="2026-03-01T08:00:00Z")) | {
        "id": "F2"
    }
    (line,) = judged(read(*pattern(), newer))
    assert UNEXPLAINED in found(line)
    assert [(left["result_id"], left["reason"]) for left in line["not_used"]] == [("F2", "unit-unknown")]


def test_a_correction_in_the_input_replaces_what_it_corrects():
    corrected = event(result(id="F123", value="90", status="corrected")) | {"id": "F-C"}
    assert UNEXPLAINED not in found(judged(read(*pattern(), corrected))[0])


def test_merged_patients_are_one_wherever_the_merge_stands():
    ferritin, b12 = pattern("1")[0], pattern("2")[1]
    who = {
        "survivor": {"system": "urn:mrn:north", "id": "2"},
        "retired": {"system": "urn:mrn:north", "id": "1"},
    }
    merge = event() | {"type": "org.ferrule.merge.v1", "id": "M", "data": who}
    for values in ([merge, ferritin, b12], [ferritin, b12, merge]):
        (line,) = judged(read(*values))
        assert line["patient"]["id"] == "2"
        assert UNEXPLAINED in found(line)


def test_merges_in_a_circle_are_none():
    def merge(one: str, other: str) -> dict[str, object]:
        who = {
            "survivor": {"system": "urn:mrn:north", "id": one},
            "retired": {"system": "urn:mrn:north", "id": other},
        }
        return event() | {"type": "org.ferrule.merge.v1", "data": who}

    events = read(merge("1", "2"), merge("2", "1"), *pattern("1"))
    assert [line["patient"]["id"] for line in judged(events)] == ["1"]


def test_hl7_and_events_of_one_patient_are_one_history():
    (ferritin,) = decode("hl7", report(obx("9")))
    assert UNEXPLAINED in found(judged([ferritin, *read(pattern()[1])])[0])


def test_a_bare_change_to_final_makes_a_preliminary_value_count():
    (preliminary,) = decode("hl7", report(obx("9", f11="P")))
    (final,) = decode("hl7", report(obx("", f11="U"), header=HEADER.replace("MSG00001", "MSG00002")))
    b12 = read(pattern()[1])
    assert UNEXPLAINED not in found(judged([preliminary, *b12])[0])
    assert UNEXPLAINED in found(judged([preliminary, *b12, final])[0])


def test_facts_without_any_time_need_as_of():
    timeless = event(conditions=[{"code": "K90.0"}]) | {"time": None}
    with pytest.raises(NoTimeInInput):
        judged(read(timeless))
    assert judged(read(timeless), datetime(2026, 3, 1, tzinfo=UTC))[0]["as_of"] == "2026-03-01T00:00:00Z"


def test_no_input_is_no_output():
    assert judged([]) == []


# --- the verb


def run_verb(tmp_path: Path, *contents: bytes, options: tuple[str, ...] = ("--json",)) -> Result:
    files = []
    for number, content in enumerate(contents):
        files.append(tmp_path / f"input{number}")
        files[-1].write_bytes(content)
    return CliRunner().invoke(app, [*map(str, files), *options])


def test_the_verb_prints_one_line_a_patient(tmp_path):
    answer = run_verb(tmp_path, raw(pattern()[0]), raw(pattern()[1]), report(patient="PID|1||9"))
    assert answer.exit_code == 0
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [line["patient"] for line in lines] == [
        {"system": "urn:ferrule:no-authority", "id": "9"},
        {"system": "urn:mrn:north", "id": "123"},
    ]
    assert UNEXPLAINED in found(lines[1])


def test_the_verb_judges_what_it_can_and_names_what_it_cannot(tmp_path):
    content = b"\n".join([raw(pattern()[0]), b"{MARKED", raw(pattern()[1])])
    answer = run_verb(tmp_path, content, options=("--json", "--zone", "UTC"))
    assert answer.exit_code == 2
    assert UNEXPLAINED in found(json.loads(answer.stdout))
    assert len(answer.stderr.splitlines()) == 1
    assert "input0:2" in answer.stderr
    assert "MARKED" not in answer.stderr


def test_the_verb_says_which_zone_it_took(tmp_path):
    assert "UTC" in run_verb(tmp_path, raw(event())).stderr
    assert run_verb(tmp_path, raw(event()), options=("--json", "--zone", "Europe/Berlin")).stderr == ""


def test_the_zone_reads_times_without_offset(tmp_path):
    content = raw(event(result(effective_at="2026-03-01T10:30:00", issued_at=None)) | {"time": None})
    answer = run_verb(tmp_path, content, options=("--json", "--zone", "America/New_York"))
    assert json.loads(answer.stdout)["as_of"] == "2026-03-01T15:30:00Z"


@pytest.mark.parametrize("options", [("--zone", "Mars/Base"), ("--as-of", "tomorrow")])
def test_a_wrong_option_ends_the_verb_with_what_to_do(tmp_path, options):
    answer = run_verb(tmp_path, raw(event()), options=options)
    assert isinstance(answer.exception, Failure)
    assert answer.exception.code == 2
    assert "expected" in str(answer.exception)


def test_words_for_people_name_what_a_silent_rule_found(tmp_path):
    site = tmp_path / "site.yaml"
    site.write_text(f"site: S\nsigned_by: B\nsigned_on: 2026-03-01\nstatuses: {{{UNEXPLAINED}: silent}}\n")
    answer = run_verb(tmp_path, *map(raw, pattern()), options=("--site", str(site)))
    assert f"silent: {UNEXPLAINED}, high, " in answer.stdout


def test_an_explanation_names_the_results_that_no_condition_saw(tmp_path):
    file = tmp_path / "input"
    file.write_bytes(raw(event(result(status=None))))
    answer = CliRunner().invoke(explaining, [str(file), "--rule", UNEXPLAINED])
    assert "not used: R1: status, status unknown: none was sent" in answer.stdout


def test_words_for_people_name_the_finding_and_its_values(tmp_path):
    answer = run_verb(tmp_path, *map(raw, pattern()), options=())
    assert answer.exit_code == 0
    assert UNEXPLAINED in answer.stdout
    assert "b12 1450 pg/mL" in answer.stdout
