import json
from pathlib import Path

import pytest

from tests.worker.intake.examples import event, raw, result
from worker.intake.event import event_of, event_schema_text, parse_event
from worker.intake.unreadable import Reason, Unreadable

SCHEMA = Path(__file__).parents[3] / "deploy/schemas/event.schema.json"


def refused(value: bytes) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        parse_event(value)
    return caught.value


def with_fields(**fields: object) -> bytes:
    return raw(event(result()) | fields)


def test_a_json_number_is_kept_as_it_was_written():
    text = raw(event(result(value="@"))).replace(b'"@"', b"9.10")
    assert parse_event(text).report.results[0].value == "9.10"


@pytest.mark.parametrize("number", ["1e400", "123456789012345678901234567890.10", "-0", "1E2"])
def test_no_number_passes_through_a_float(number):
    text = raw(event(result(value="@"))).replace(b'"@"', number.encode())
    assert parse_event(text).report.results[0].value == number


def test_a_key_said_twice_is_refused():
    text = raw(event(result())).replace(b'"value": "9"', b'"value": "9", "value": "90"')
    assert refused(text).reason is Reason.DUPLICATE_KEY


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity"])
def test_nan_and_infinity_are_not_json(constant):
    assert refused(raw(event(result(value="@"))).replace(b'"@"', constant)).reason is Reason.NOT_JSON


@pytest.mark.parametrize("text", [b"", b"{", b"hello", b"\xff\xfe{", b"[" * 100_000])
def test_what_is_not_json_is_refused_in_one_line(text):
    error = refused(text)
    assert error.reason in (Reason.NOT_JSON, Reason.CHARSET)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"type": "org.ferrule.report.v2"}, "type"),
        ({"source": "  "}, "source"),
        ({"id": None}, "id"),
        ({"data": []}, "data"),
    ],
)
def test_a_wrong_envelope_is_refused_naming_the_field(fields, place):
    error = refused(with_fields(**fields))
    assert (error.reason, error.place) == (Reason.NOT_AN_EVENT, place)
    assert "expected" in error.remedy
    assert "got" in error.remedy


@pytest.mark.parametrize("identity", [None, "", "   ", {}, []])
def test_a_report_without_a_patient_id_is_refused_as_no_patient(identity):
    error = refused(raw(event(result(), patient={"system": "urn:mrn:north", "id": identity})))
    assert error.reason is Reason.NO_PATIENT
    assert error.place == "data.patient.id"


@pytest.mark.parametrize("identity", ["12\x003", "12\n3", "12\ufffd3"])
def test_an_id_with_characters_that_cannot_be_meant_is_never_taken_for_another_id(identity):
    error = refused(raw(event(result(), patient={"system": "urn:mrn:north", "id": identity})))
    assert error.reason is Reason.IDENTITY_UNREADABLE


def test_an_error_never_repeats_what_was_sent():
    marked = {"system": "urn:mrn:north", "id": {"mrn": "MARKED-4711"}, "name": "MARKED Name"}
    assert "MARKED" not in str(refused(raw(event(result(), patient=marked))))


def test_one_unreadable_item_does_not_lose_the_others():
    data = parse_event(
        raw(event(result(), 17, result(id="R2"), conditions=["K90.0", {"code": "K90.0"}]))
    ).report
    assert [item and item.id for item in data.results] == ["R1", None, "R2"]
    assert [item and item.code for item in data.conditions] == [None, "K90.0"]


def test_a_field_of_a_wrong_kind_leaves_its_result_and_is_never_read_as_absent():
    item = parse_event(raw(event(result(comparator=["<"], unit={"u": 1})))).report.results[0]
    assert item.comparator not in (None, "", "=")
    assert item.unit


@pytest.mark.parametrize("absent", [None, []])
def test_an_absent_or_empty_list_says_nothing(absent):
    assert parse_event(raw(event(result(), medications=absent))).report.medications == ()


def test_control_characters_are_dropped_from_shown_text():
    item = parse_event(raw(event(result(name="Ferri\x00tin\x07")))).report.results[0]
    assert item.name == "Ferritin"


def test_a_lone_surrogate_is_replaced():
    text = raw(event(result(name="@"))).replace(b'"@"', b'"\\ud800"')
    assert parse_event(text).report.results[0].name == "\ufffd"


def test_fhir_is_answered_with_what_to_do_instead():
    assert refused(b'{"resourceType": "Bundle"}').reason is Reason.FORMAT_LATER


def test_a_merge_needs_both_identifiers():
    merge = event() | {"type": "org.ferrule.merge.v1", "data": {"survivor": {"system": "a", "id": "1"}}}
    assert refused(raw(merge)).reason is Reason.MERGE_INCOMPLETE


def test_a_merge_is_read():
    who = {"survivor": {"system": "a", "id": "1"}, "retired": {"system": "a", "id": "2"}}
    read = event_of(event() | {"type": "org.ferrule.merge.v1", "data": who})
    assert (read.data.survivor.id, read.data.retired.id) == ("1", "2")


def test_unknown_attributes_are_passed_over():
    assert parse_event(with_fields(traceparent="00-1", subject="x")).id == "E1"


def test_an_event_over_the_limit_is_refused():
    assert refused(raw(event(result(name="x" * (4 * 1024 * 1024))))).reason is Reason.TOO_LARGE


def test_the_published_schema_is_current():
    assert SCHEMA.read_text() == event_schema_text(), (
        "write event_schema_text() to deploy/schemas/event.schema.json"
    )


def test_the_schema_asks_for_what_the_reader_asks_for():
    schema = json.loads(SCHEMA.read_text())
    assert set(schema["required"]) == {"specversion", "type", "source", "id", "data"}
    assert schema["$defs"]["PatientItem"]["required"] == ["id"]
