import hashlib

import pytest

from tests.worker.intake.examples import FERRITIN, HEADER, ORDER, PATIENT, hl7, obx, report
from worker.intake.decode import decode, decode_parts, envelope_of
from worker.intake.event import MERGE, RECORD, REPORT, Event, ResultItem
from worker.intake.hl7v2 import decode_hl7, read_header
from worker.intake.marks import Mark
from worker.intake.unreadable import Reason, Unreadable


def events_of(raw: bytes) -> list[Event]:
    events, refused = decode_hl7(raw)
    assert not refused
    return events


def results_of(*observations: str, order: str = ORDER) -> list[ResultItem]:
    (event,) = events_of(report(*observations, order=order))
    return [item for item in event.report.results if item]


def result_of(*observations: str, order: str = ORDER) -> ResultItem:
    (item,) = results_of(*observations, order=order)
    return item


def refused_as(raw: bytes) -> tuple[Reason, str]:
    with pytest.raises(Unreadable) as caught:
        decode("hl7", raw)
    return caught.value.reason, caught.value.place


def adt(trigger: str, *segments: str) -> bytes:
    return hl7(HEADER.replace("ORU^R01^ORU_R01", f"ADT^{trigger}"), f"EVN|{trigger}", *segments)


# --- what a plain report becomes


def test_a_plain_report_is_one_event_with_its_result():
    (event,) = events_of(report())
    assert (event.type, event.source, event.id) == (REPORT, "urn:hl7v2:NORTH:LIS", "MSG00001")
    assert event.time == "2026-03-01T08:12:00+01:00"
    patient = event.report.patient
    assert (patient.system, patient.id, patient.birth_date, patient.sex) == (
        "urn:mrn:north",
        "123",
        "1980-02-03",
        "female",
    )
    item = event.report.results[0]
    assert (item.id, item.code, item.system) == ("ACC1/2276-4/", "2276-4", "http://loinc.org")
    assert (item.value, item.unit, item.status, item.interpretation) == ("9", "ng/mL", "final", "L")
    assert item.reference_range.text == "13-150"
    assert item.effective_at == "2026-03-01T07:30:00+01:00"
    assert item.issued_at == "2026-03-01T08:10:00+01:00"


def test_the_orderer_is_obr_16():
    orderer = events_of(report())[0].report.orderer
    assert (orderer.system, orderer.id, orderer.name) == (
        "http://hl7.org/fhir/sid/us-npi",
        "1234567893",
        "Ada Wren",
    )


def test_without_obr_16_the_orderer_is_orc_12():
    orc = "ORC|RE|PL1|ACC1|||||||||77^Finch^Bo^^^^^^NORTH"
    (event,) = events_of(hl7(HEADER, PATIENT, orc, "OBR|1|PL1|ACC1|x", FERRITIN))
    assert (event.report.orderer.system, event.report.orderer.id) == ("urn:provider:north", "77")


def test_several_orders_keep_their_own_orderers():
    second = ORDER.replace("ACC1", "ACC2").replace("1234567893^Wren", "1999999984^Finch")
    events = events_of(hl7(HEADER, PATIENT, ORDER, FERRITIN, second, FERRITIN))
    assert [e.report.orderer.id for e in events] == ["1234567893", "1999999984"]
    assert [e.id for e in events] == ["MSG00001", "MSG00001#2"]
    assert [e.report.results[0].id for e in events] == ["ACC1/2276-4/", "ACC2/2276-4/"]


def test_a_second_orderer_and_obr_28_are_copied_in():
    order = ORDER.replace("^NPI|", "^NPI~55^Second^Ann|") + "|||66^Third^Ben"
    people = events_of(report(order=order))[0].report.copy_to
    assert [person.id for person in people] == ["55", "66"]


def test_several_patients_are_several_events():
    other = PATIENT.replace("123^", "456^").replace("PID|1", "PID|2")
    events = events_of(hl7(HEADER, PATIENT, ORDER, FERRITIN, other, ORDER.replace("ACC1", "ACC2"), FERRITIN))
    assert [e.report.patient.id for e in events] == ["123", "456"]


# --- what cannot be read of a message does not stop the rest


@pytest.mark.parametrize("pid", ["PID|1||", "PID|1||   ", "PID|1||^^^NORTH^MR", 'PID|1||""'])
def test_a_patient_without_identifier_is_set_aside(pid):
    assert refused_as(report(patient=pid)) == (Reason.NO_PATIENT, "PID[1]-3")


def test_a_patient_set_aside_does_not_stop_the_next():
    raw = hl7(HEADER, "PID|1||", ORDER, FERRITIN, PATIENT.replace("PID|1", "PID|2"), ORDER, FERRITIN)
    decoded = decode_parts("hl7", raw)
    assert [e.report.patient.id for e in decoded.events] == ["123"]
    assert [(r.reason, r.place) for r in decoded.refused] == [(Reason.NO_PATIENT, "PID[1]-3")]


def test_an_observation_without_order_is_set_aside_and_the_rest_read():
    decoded = decode_parts("hl7", hl7(HEADER, PATIENT, FERRITIN, ORDER, FERRITIN))
    assert len(decoded.events[0].report.results) == 1
    assert [(r.reason, r.place) for r in decoded.refused] == [(Reason.STRUCTURE, "OBX[1]")]


def test_an_observation_before_any_patient_is_set_aside():
    assert refused_as(hl7(HEADER, ORDER, FERRITIN)) == (Reason.NO_PATIENT, "PID")


def test_a_message_with_nothing_in_it_has_no_patient():
    assert refused_as(hl7(HEADER)) == (Reason.NO_PATIENT, "PID")


def test_an_error_never_repeats_what_was_sent():
    raw = report(patient="PID|1||^^^MARKED||MARKED^Name", order="OBR|1||MARKED")
    _, refused = decode_hl7(raw)
    assert refused
    assert not any("MARKED" in str(error) for error in refused)


# --- header


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("ORU^R01^ORU_R01", "ORM^O01", (Reason.UNSUPPORTED_TYPE, "MSH-9")),
        ("ORU^R01^ORU_R01", "ACK^R01", (Reason.UNSUPPORTED_TYPE, "MSH-9")),
        ("ORU^R01^ORU_R01", "", (Reason.UNSUPPORTED_TYPE, "MSH-9")),
        ("|2.5.1", "|9.9", (Reason.UNSUPPORTED_VERSION, "MSH-12")),
        ("|P|", "|T|", (Reason.PROCESSING_ID, "MSH-11")),
        ("|P|", "|D|", (Reason.PROCESSING_ID, "MSH-11")),
        ("MSG00001", "M" * 200, (Reason.STRUCTURE, "MSH-10")),
    ],
)
def test_what_is_not_for_us_is_refused_by_its_header(old, new, expected):
    assert refused_as(report(header=HEADER.replace(old, new))) == expected


@pytest.mark.parametrize("version", ["2.2", "2.3", "2.3.1", "2.4", "2.5", "2.6", "2.7", "2.8"])
def test_versions_2_2_to_2_8_are_read(version):
    assert len(events_of(report(header=HEADER.replace("2.5.1", version)))) == 1


def test_an_empty_control_id_is_replaced_by_the_hash_of_the_bytes():
    raw = report(header=HEADER.replace("MSG00001", ""))
    (event,) = events_of(raw)
    assert event.id == hashlib.sha256(raw).hexdigest() == envelope_of("hl7", raw).message_id
    assert Mark.CONTROL_ID_MISSING in event.report.marks


def test_the_envelope_of_a_message_is_that_of_its_first_event():
    envelope, (event,) = envelope_of("hl7", report()), events_of(report())
    assert (envelope.source, envelope.message_id) == (event.source, event.id)


def test_a_control_id_with_quotes_and_sql_is_only_text():
    header = HEADER.replace("MSG00001", "a'\"; drop table message;--")
    assert read_header(report(header=header)).control_id == "a'\"; drop table message;--"


# --- values


@pytest.mark.parametrize(
    ("kind", "sent", "value", "comparator"),
    [
        ("NM", "9.10", "9.10", None),
        ("NM", "HEMOLYZED", "HEMOLYZED", None),
        ("ST", "<150", "<150", None),
        ("ST", "5,3", "5,3", None),
        ("TX", "see~note", "see\nnote", None),
        ("FT", r"one\.br\two", "one\ntwo", None),
        ("SN", ">^2000", "2000", ">"),
        ("SN", "<^1", "1", "<"),
        ("SN", "=^9", "9", None),
        ("SN", "^9", "9", None),
        ("SN", "^3^-^5", "3-5", None),
        ("SN", "^1^:^320", "1:320", None),
        ("SN", "<>^5", "<>5", None),
        ("CE", "POS^Positive^L", "Positive", None),
        ("CWE", "10828004^^SCT", "positive", None),
        ("CWE", "260385009^^SCT", "negative", None),
        ("CWE", "LA1^^L", "LA1", None),
        ("NM", "", None, None),
        ("ED", "^application^pdf^Base64^JVBERi0=", None, None),
        ("", "9", None, None),
        ("XX", "9", None, None),
    ],
)  # fmt: skip
def test_a_value_is_read_by_its_type(kind, sent, value, comparator):
    item = result_of(obx(sent, f2=kind))
    assert (item.value, item.comparator) == (value, comparator)


def test_a_value_that_is_no_text_is_marked():
    assert Mark.VALUE_NOT_TEXT in result_of(obx("x", f2="RP")).marks


def test_repeated_values_are_several_results_and_never_only_the_first():
    items = results_of(obx("9~400"))
    assert [(item.id, item.value) for item in items] == [("ACC1/2276-4/", "9"), ("ACC1/2276-4/~2", "400")]
    assert all(Mark.VALUE_REPEATED in item.marks for item in items)


def test_one_code_twice_with_other_values_is_two_results():
    items = results_of(obx("9"), obx("400"))
    assert len({item.id for item in items}) == 2
    assert all(Mark.VALUE_CONFLICT in item.marks for item in items)


def test_a_conflicting_value_said_twice_is_still_one_result():
    ids = [item.id for item in results_of(obx("9"), obx("400"), obx("400"))]
    assert ids[0] != ids[1] == ids[2]


def test_one_code_twice_with_the_same_value_is_one_result_said_twice():
    assert len({item.id for item in results_of(obx("9"), obx("9"))}) == 1


def test_preliminary_and_final_under_one_code_are_versions_of_one_result():
    assert len({item.id for item in results_of(obx("9", f11="P"), obx("10", f11="F"))}) == 1


def test_the_sub_id_tells_results_apart():
    assert [i.id for i in results_of(obx(f4="1"), obx(f4="2"))] == ["ACC1/2276-4/1", "ACC1/2276-4/2"]


def test_orders_without_a_number_never_share_an_id():
    raw = hl7(HEADER, PATIENT, "OBR|1||", FERRITIN, "OBR|2||", obx("400"))
    ids = [e.report.results[0].id for e in events_of(raw)]
    assert len(set(ids)) == 2
    assert all(identity.startswith("MSG00001/") for identity in ids)


@pytest.mark.parametrize(
    ("field", "code", "system"),
    [
        ("2276-4^Ferritin^LN", "2276-4", "http://loinc.org"),
        ("FER^Ferritin^L^2276-4^Ferritin^LN", "2276-4", "http://loinc.org"),
        ("FER^Ferritin^L", "FER", "L"),
        ("2276-4^Ferritin", "2276-4", None),
        ("2276-4^Ferritin^2.16.840.1.113883.6.1", "2276-4", "http://loinc.org"),
    ],
)
def test_the_loinc_coding_is_preferred_and_no_system_is_guessed(field, code, system):
    item = result_of(obx(f3=field))
    assert (item.code, item.system) == (code, system)


@pytest.mark.parametrize(
    ("field", "unit"),
    [
        ("ng/mL", "ng/mL"),
        ("ng/mL^nanogram^UCUM", "ng/mL"),
        ("NGML^ng per mL^L^ng/mL^^UCUM", "ng/mL"),
        ("^ng/mL", "ng/mL"),
        ("10^9/L", "10^9/L"),
        (r"10\S\9/L", "10^9/L"),
        ("x10^12/L", "x10^12/L"),
        ("10*3/uL^^UCUM", "10*3/uL"),
        ("", None),
    ],
)
def test_a_unit_is_read_whole(field, unit):
    assert result_of(obx(f6=field)).unit == unit


@pytest.mark.parametrize(
    ("field", "flag"), [("H", "H"), ("H~POS", "POS"), ("A^Abnormal^HL70078", "A"), ("", None)]
)
def test_a_qualitative_flag_tells_more_than_high(field, flag):
    assert result_of(obx(f8=field)).interpretation == flag


# --- status


@pytest.mark.parametrize(
    ("letter", "status"),
    [
        ("P", "preliminary"), ("R", "preliminary"), ("S", "preliminary"), ("I", "registered"),
        ("F", "final"),
        ("f", "final"), ("C", "corrected"), ("D", "entered-in-error"), ("W", "entered-in-error"),
        ("X", "cancelled"), ("N", "unknown"), ("O", "unknown"), ("A", "amended"), ("B", "appended"),
        ("V", "final"), ("U", "final"),
    ],
)  # fmt: skip
def test_a_status_letter_is_a_fhir_status(letter, status):
    item = result_of(obx(f11=letter))
    assert item.status == status
    assert Mark.STATUS_LETTER_UNKNOWN not in item.marks


@pytest.mark.parametrize("letter", ["", "Q", "FINAL"])
def test_an_unknown_status_letter_is_preliminary_and_marked(letter):
    item = result_of(obx(f11=letter))
    assert item.status == "preliminary"
    assert Mark.STATUS_LETTER_UNKNOWN in item.marks


def test_a_bare_change_to_final_is_marked():
    assert Mark.STATUS_ONLY in result_of(obx("", f11="U")).marks
    assert Mark.STATUS_ONLY not in result_of(obx("9", f11="U")).marks


# --- times


@pytest.mark.parametrize(
    ("sent", "effective_at"),
    [
        ("20260301073000+0200", "2026-03-01T07:30:00+02:00"),
        ("20260301073000", "2026-03-01T07:30:00+01:00"),
        ("202603010730", "2026-03-01T07:30:00+01:00"),
        ("2026030107", "2026-03-01T07:00:00+01:00"),
        ("20260301073000.1234-0500", "2026-03-01T07:30:00.1234-05:00"),
        ("20260301", "2026-03-01"),
        ("20240230080000", "2024-02-30T08:00:00+01:00"),
        ("nonsense", "\ufffd"),
    ],
)
def test_the_time_of_the_specimen_is_obx_14_with_the_offset_that_is_known(sent, effective_at):
    assert result_of(obx(f14=sent)).effective_at == effective_at


def test_without_any_offset_a_time_stays_without():
    raw = report(obx(f14="20260301073000"), header=HEADER.replace("+0100", ""))
    assert events_of(raw)[0].report.results[0].effective_at == "2026-03-01T07:30:00"


def test_obr_7_then_msh_7_then_the_receipt_stand_in_for_obx_14():
    bare = "OBR|1|PL1|ACC1|x"
    from_order = result_of(obx(f14=""))
    assert (from_order.effective_at, list(from_order.marks)) == (
        "2026-03-01T07:30:00+01:00",
        [Mark.TIME_FROM_ORDER],
    )
    from_message = result_of(obx(f14=""), order=bare)
    assert (from_message.effective_at, list(from_message.marks)) == (
        "2026-03-01T08:12:00+01:00",
        [Mark.TIME_FROM_MESSAGE],
    )
    silent = report(obx(f14=""), order=bare, header=HEADER.replace("20260301081200+0100", ""))
    from_receipt = events_of(silent)[0].report.results[0]
    assert (from_receipt.effective_at, list(from_receipt.marks)) == (None, [Mark.TIME_FROM_RECEIPT])


def test_a_broken_obx_14_is_not_replaced_by_another_time():
    assert result_of(obx(f14="202613")).effective_at == "2026-13"


def test_issued_is_the_later_of_obx_19_and_obr_22():
    assert result_of(obx(f19="20260301090000+0100")).issued_at == "2026-03-01T09:00:00+01:00"
    assert result_of(obx(f19="20260301060000+0100")).issued_at == "2026-03-01T08:10:00+01:00"
    assert (
        result_of(obx(f19="20260301060000+0100"), order="OBR|1||ACC1").issued_at
        == "2026-03-01T06:00:00+01:00"
    )


# --- remarks


def test_remarks_on_the_observation_the_order_and_the_specimen_are_kept():
    spm = "SPM|1|||BLD" + "|" * 20 + "HEM^Hemolyzed^HL70493"
    order = ORDER.replace("20260301073000+0100||||||", "20260301073000+0100||||||non-fasting", 1)
    raw = hl7(
        HEADER, PATIENT, order, "NTE|1||of the order", FERRITIN, "NTE|1||of the result~second line", spm
    )
    notes = events_of(raw)[0].report.results[0].specimen_notes
    assert set(notes) == {"non-fasting", "of the order", "of the result\nsecond line", "hemolyzed"}


def test_a_remark_belongs_to_its_own_observation():
    first, second = results_of(obx(f4="1"), "NTE|1||clotted", obx(f4="2"))
    assert (first.specimen_notes, second.specimen_notes) == (("clotted",), ())


# --- identity


@pytest.mark.parametrize(
    ("field", "system", "identity"),
    [
        ("123^^^NORTH^MR", "urn:mrn:north", "123"),
        ("999^^^SSA^SS~123^^^NORTH^MR", "urn:mrn:north", "123"),
        ("123^^^&2.16.840.1.5&ISO^MR", "urn:oid:2.16.840.1.5", "123"),
        ("123^^^urn:mrn:north^MR", "urn:mrn:north", "123"),
        ("123", None, "123"),
        (" 123 ^^^NORTH", "urn:mrn:north", "123"),
        ("999^^^NORTH^AN", "urn:mrn:north", "999"),
    ],
)
def test_the_medical_record_number_is_the_patient(field, system, identity):
    patient = events_of(report(patient=f"PID|1||{field}"))[0].report.patient
    assert (patient.system, patient.id) == (system, identity)


# --- records, ADT, merges


def test_diagnoses_and_procedures_are_read_where_they_come():
    dg1 = "DG1|1||K90.0^Celiac disease^I10C||20190501"
    pr1 = "PR1|1||0DJ08ZZ^Upper endoscopy^I10P||20250101"
    data = events_of(report(FERRITIN, dg1, pr1))[0].report
    (condition,), (procedure,) = data.conditions, data.procedures
    assert (condition.system, condition.code, condition.start) == (
        "http://hl7.org/fhir/sid/icd-10-cm",
        "K90.0",
        "2019-05-01",
    )
    assert (procedure.system, procedure.code, procedure.start) == (
        "http://www.cms.gov/Medicare/Coding/ICD10",
        "0DJ08ZZ",
        "2025-01-01",
    )


def test_an_administration_is_a_dose_with_its_route():
    rxa = "RXA|0|1|20260215090000+0100|20260215090000+0100|B03BA01^Cyanocobalamin^WC|1000|ug"
    raw = hl7(HEADER.replace("ORU^R01^ORU_R01", "RAS^O17"), PATIENT, "ORC|OK|RX1", rxa, "RXR|IM")
    (event,) = events_of(raw)
    (dose,) = event.report.medications
    assert event.type == RECORD
    assert (dose.system, dose.code, dose.route, dose.status) == (
        "http://www.whocc.no/atc",
        "B03BA01",
        "intramuscular",
        "completed",
    )


def test_an_encoded_order_replaces_the_order_it_encodes():
    rxo, rxe = "RXO|11248^B12^RXNORM", "RXE||11248^Vitamin B12^RXNORM"
    raw = hl7(
        HEADER.replace("ORU^R01^ORU_R01", "RDE^O11"),
        PATIENT,
        "ORC|NW|RX1",
        rxo,
        rxe,
        "TQ1|1||||||20260101|20260401",
        "RXR|PO",
    )
    (item,) = events_of(raw)[0].report.medications
    assert (item.id, item.name, item.start, item.end, item.route, item.status) == (
        "RX1", "Vitamin B12", "2026-01-01", "2026-04-01", "oral", "active",
    )  # fmt: skip


@pytest.mark.parametrize(("control", "status"), [("NW", "active"), ("DC", "stopped"), ("CA", "not-taken")])
def test_an_order_control_is_a_status(control, status):
    raw = hl7(
        HEADER.replace("ORU^R01^ORU_R01", "RDE^O11"), PATIENT, f"ORC|{control}|RX1", "RXE||11248^B12^RXNORM"
    )
    assert events_of(raw)[0].report.medications[0].status == status


@pytest.mark.parametrize("trigger", ["A01", "A02", "A03", "A04", "A08", "A11", "A13", "A23", "A31"])
def test_an_adt_event_says_who_the_patient_is(trigger):
    (event,) = events_of(adt(trigger, PATIENT, "PV1|1|O|CLINIC^1"))
    assert (event.type, event.report.patient.id, event.report.encounter.class_) == (
        RECORD,
        "123",
        "outpatient",
    )


def test_an_a40_is_a_merge():
    (event,) = events_of(adt("A40", PATIENT, "MRG|77^^^NORTH^MR"))
    assert event.type == MERGE
    assert (event.data.survivor.id, event.data.retired.id) == ("123", "77")


def test_an_a40_without_mrg_is_refused():
    assert refused_as(adt("A40", PATIENT)) == (Reason.MERGE_INCOMPLETE, "MRG")
