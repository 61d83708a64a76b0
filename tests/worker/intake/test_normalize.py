import random
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Coded, Comparator, RecordKind, Result, Sex, Status, Unusable
from tests.worker.intake.examples import HEADER, event, obx, report, result
from worker.intake.decode import decode
from worker.intake.event import event_of
from worker.intake.marks import Mark
from worker.intake.normalize import NO_AUTHORITY, Facts, Orderer, facts_of, merge_of

UTC_ZONE = ZoneInfo("UTC")
RECEIVED = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def facts(*results: object, live: bool = False, zone: ZoneInfo | None = UTC_ZONE, **data: object) -> Facts:
    received = RECEIVED if live else None
    return facts_of(event_of(event(*results, **data)), zone=zone, received_at=received, arrival=7)


def fact(live: bool = False, zone: ZoneInfo | None = UTC_ZONE, **fields: object) -> Result:
    (one,) = facts(result(**fields), live=live, zone=zone).results
    return one


def marks(of: Facts) -> set[Mark]:
    return {noticed.mark for noticed in of.operations}


# --- one result


def test_a_plain_result_is_a_believed_quantity():
    one = fact(reference_range={"low": "13", "high": "150"}, specimen_notes=["HEMOLYZED"])
    assert (one.key, one.id, one.source, one.arrival) == ("urn:lab:north|R1", "R1", "urn:lab:north", 7)
    assert (one.analyte, one.status, one.problem) == ("ferritin", Status.FINAL, None)
    assert (one.quantity.value, one.quantity.comparator) == (Decimal("9"), Comparator.EQ)
    assert (one.range_low, one.range_high) == (Decimal("13"), Decimal("150"))
    assert one.effective_at == datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
    assert one.notes == ("hemolyzed",)
    assert (one.reported_value, one.reported_unit) == ("9", "ng/mL")


def test_a_comparator_is_kept_wherever_it_stands():
    assert fact(value="<9").quantity.comparator is Comparator.LT
    assert fact(value="9", comparator="<").quantity.comparator is Comparator.LT
    assert fact(value="9", comparator="≤").quantity.comparator is Comparator.LE


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"code": "FER", "system": "L"}, Unusable.CODE_UNKNOWN),
        ({"system": None}, Unusable.CODE_UNKNOWN),
        ({"code": None}, Unusable.CODE_UNKNOWN),
        ({"code": "2276-5"}, Unusable.CODE_UNKNOWN),
        ({"code": {"coding": []}}, Unusable.CODE_UNKNOWN),
        ({"unit": None}, Unusable.UNIT_MISSING),
        ({"unit": "furlong"}, Unusable.UNIT_UNKNOWN),
        ({"unit": ["ng/mL"]}, Unusable.UNIT_UNKNOWN),
        ({"unit": "pmol/L"}, Unusable.UNIT_PROPERTY_MISMATCH),
        ({"value": "900000"}, Unusable.IMPLAUSIBLE),
        ({"value": None}, Unusable.NOT_NUMERIC),
        ({"value": "5,3"}, Unusable.NOT_NUMERIC),
        ({"value": "١٢"}, Unusable.NOT_NUMERIC),
        ({"value": {"amount": 9}}, Unusable.NOT_NUMERIC),
        ({"comparator": "~"}, Unusable.NOT_NUMERIC),
        ({"comparator": ["<"]}, Unusable.NOT_NUMERIC),
        ({"effective_at": None}, Unusable.NO_TIME),
        ({"effective_at": "20260301"}, Unusable.NO_TIME),
        ({"effective_at": "2026-03"}, Unusable.NO_TIME),
        ({"effective_at": 20260301}, Unusable.NO_TIME),
    ],
)
def test_what_is_not_sure_is_kept_with_its_problem_and_without_a_value(fields, problem):
    one = fact(**fields)
    assert one.problem is problem
    assert one.detail
    assert (one.quantity, one.coded) == (None, None)


def test_a_time_without_offset_and_zone_is_zone_unknown():
    assert fact(effective_at="2026-03-01T07:30:00", zone=None).problem is Unusable.ZONE_UNKNOWN


def test_a_time_without_offset_is_read_in_the_zone():
    one = fact(effective_at="2026-03-01T07:30:00", zone=ZoneInfo("America/New_York"))
    assert one.effective_at == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def test_a_molar_unit_under_a_mass_code_is_never_converted():
    assert fact(code="2132-9", unit="pmol/L", value="140").quantity is None


@pytest.mark.parametrize("status", ["preliminary", "registered", "Final", " corrected "])
def test_a_status_is_kept(status):
    assert fact(status=status).status is Status(status.strip().lower())


@pytest.mark.parametrize("status", [None, "done", 3])
def test_a_status_that_is_none_is_unknown(status):
    assert fact(status=status).status is Status.UNKNOWN


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error", "registered", "unknown"])
def test_a_status_that_is_never_judged_is_no_problem_of_the_value(status):
    one = fact(status=status, value=None, unit=None)
    assert (one.problem, one.quantity) == (None, None)


def test_a_worded_answer_needs_no_unit():
    one = fact(code="26969-6", name="Parietal cell Ab", value="positive", unit=None, interpretation="POS")
    assert (one.analyte, one.coded, one.problem) == ("parietal_cell_ab", Coded.POSITIVE, None)


def test_a_range_that_cannot_be_read_is_left_out_and_noticed():
    said = facts(result(reference_range={"text": "see report"}))
    assert (said.results[0].range_low, said.results[0].problem) == (None, None)
    assert Mark.RANGE_UNREADABLE in marks(said)


def test_a_result_without_an_id_gets_one_from_its_event():
    said = facts(result(id=None), result(id=" "))
    assert [one.id for one in said.results] == ["E1#0", "E1#1"]
    assert Mark.ID_MADE_UP in marks(said)


def test_an_implausible_hemoglobin_is_critical_for_operations():
    said = facts(result(code="718-7", value="18", unit="g/L"))
    assert said.results[0].problem is Unusable.IMPLAUSIBLE
    assert [(n.mark, n.key) for n in said.operations if n.critical] == [
        (Mark.HEMOGLOBIN_IMPLAUSIBLE, "urn:lab:north|R1")
    ]


def test_another_implausible_value_is_not_critical():
    assert not [n for n in facts(result(value="900000")).operations if n.critical]


def test_one_bad_result_or_record_never_loses_the_others():
    said = facts(17, result(), {"value": []}, conditions=["x", {"code": "K90.0"}, {"status": "active"}])
    assert [one.problem for one in said.results] == [None, Unusable.CODE_UNKNOWN]
    assert [one.code for one in said.records] == ["K90.0"]
    assert [n.mark for n in said.operations].count(Mark.ITEM_REFUSED) == 3


# --- when it was known


def test_live_everything_was_known_when_it_was_received():
    said = facts(result(), live=True, conditions=[{"code": "K90.0"}])
    assert {said.results[0].known_at, said.records[0].known_at} == {RECEIVED}


def test_offline_a_result_was_known_when_issued_else_when_its_event_was_made():
    assert fact().known_at == datetime(2026, 3, 1, 8, 10, tzinfo=UTC)
    assert fact(issued_at=None).known_at == datetime(2026, 3, 1, 8, 12, tzinfo=UTC)


def test_offline_a_record_was_known_when_its_event_was_made():
    (record,) = facts(conditions=[{"code": "K90.0"}]).records
    assert record.known_at == datetime(2026, 3, 1, 8, 12, tzinfo=UTC)


def test_without_any_time_of_the_event_its_newest_fact_says_when():
    untimed = event(result(), conditions=[{"code": "K90.0"}]) | {"time": None}
    said = facts_of(event_of(untimed), zone=None, received_at=None, arrival=0)
    assert said.records[0].known_at == said.said_at == datetime(2026, 3, 1, 8, 10, tzinfo=UTC)


# --- the patient


def test_the_patient_is_read():
    said = facts()
    (who,) = said.demographics
    assert (said.patient.system, said.patient.id) == ("urn:mrn:north", "123")
    assert (who.birth_date, who.sex) == (date(1980, 2, 3), Sex.FEMALE)


def test_an_identifier_without_authority_has_none_and_is_noticed():
    said = facts(patient={"id": "123"})
    assert said.patient.system == NO_AUTHORITY
    assert Mark.NO_AUTHORITY in marks(said)


@pytest.mark.parametrize("sex", [None, "x", "", 3, "unknown"])
def test_a_sex_that_is_not_known_is_unknown(sex):
    assert facts(patient={"id": "1", "sex": sex}).patient.sex is Sex.UNKNOWN


@pytest.mark.parametrize(
    ("pregnant", "weeks", "said"),
    [
        (None, None, ()),
        (None, "20", ()),
        ("perhaps", None, ()),
        (False, None, ((False, None),)),
        (True, None, ((True, None),)),
        (True, 20, ((True, 20),)),
        (True, "20.6", ((True, 20),)),
        (True, "70", ((True, None),)),
        (True, -1, ((True, None),)),
    ],
)
def test_a_pregnancy_is_said_or_nothing_is(pregnant, weeks, said):
    read = facts(patient={"id": "1", "pregnant": pregnant, "gestational_weeks": weeks}).pregnancy
    assert tuple((one.pregnant, one.weeks) for one in read) == said


def test_a_pregnancy_counts_from_the_events_time():
    (said,) = facts(patient={"id": "1", "pregnant": True}, live=True).pregnancy
    assert (said.effective_at, said.known_at) == (datetime(2026, 3, 1, 8, 12, tzinfo=UTC), RECEIVED)


# --- records


def test_a_record_of_a_bare_date_is_the_whole_local_day():
    berlin = ZoneInfo("Europe/Berlin")
    (record,) = facts(
        zone=berlin, medications=[{"code": "11248", "start": "2026-01-01", "end": "2026-01-31"}]
    ).records
    assert record.start == datetime(2025, 12, 31, 23, 0, tzinfo=UTC)
    assert record.end == datetime(2026, 1, 31, 22, 59, 59, 999999, tzinfo=UTC)


def test_a_bare_date_is_never_refused_for_want_of_a_zone():
    (record,) = facts(zone=None, conditions=[{"code": "K90.0", "start": "2019-05-01"}]).records
    assert record.start == datetime(2019, 5, 1, tzinfo=UTC)


def test_a_record_whose_dates_cannot_be_read_is_left_out_and_noticed():
    said = facts(medications=[{"code": "11248", "end": "sometime"}])
    assert not said.records
    assert Mark.ITEM_REFUSED in marks(said)


def test_records_are_words_in_lower_case_under_the_uri_of_their_system():
    (record,) = facts(
        medications=[{"system": "RXNORM", "code": "11248", "status": "Active", "route": "Oral"}]
    ).records
    assert (record.kind, record.status, record.route) == (RecordKind.MEDICATION, "active", "oral")
    assert record.system == "http://www.nlm.nih.gov/research/umls/rxnorm"


def test_a_record_is_the_same_by_id_else_by_system_code_and_start():
    by_id = facts(conditions=[{"id": "C1", "code": "K90.0"}, {"id": "C1", "code": "K90.9"}]).records
    assert len({record.key for record in by_id}) == 1
    start = {"system": "I10C", "code": "K90.0", "start": "2019-05-01"}
    unnamed = facts(
        conditions=[start, start | {"status": "entered-in-error"}, start | {"start": "2020-05-01"}]
    ).records
    assert len({record.key for record in unnamed}) == 2


def test_one_id_in_two_lists_is_two_records():
    said = facts(conditions=[{"id": "1", "code": "K90.0"}], procedures=[{"id": "1", "code": "0DJ08ZZ"}])
    assert len({record.key for record in said.records}) == 2


# --- who ordered it


def test_every_result_has_the_orderer_of_its_event():
    said = facts(result(), result(id="R2"), orderer={"system": "urn:npi", "id": "77", "name": "Ada Wren"})
    assert said.orderers == {f"urn:lab:north|{n}": Orderer("urn:npi", "77", "Ada Wren") for n in ("R1", "R2")}


@pytest.mark.parametrize("orderer", [None, {}, {"id": " "}, "Dr Wren", {"name": "Wren"}])
def test_an_orderer_without_an_id_is_none(orderer):
    assert facts(result(), orderer=orderer).orderers == {}


# --- HL7 v2 all the way


def test_an_observation_without_any_time_takes_that_of_its_receipt_when_live():
    raw = report(obx(f14=""), order="OBR|1||ACC1", header=HEADER.replace("20260301081200+0100", ""))
    (one,) = decode("hl7", raw)
    live = facts_of(one, zone=UTC_ZONE, received_at=RECEIVED, arrival=0).results[0]
    assert (live.effective_at, live.problem) == (RECEIVED, None)
    offline = facts_of(one, zone=UTC_ZONE, received_at=None, arrival=0).results[0]
    assert offline.problem is Unusable.NO_TIME


@pytest.mark.parametrize("sent", ["20240230", "202613", "20260301240000", "2026", "20260301075960"])
def test_an_hl7_time_that_is_none_makes_the_result_timeless(sent):
    (one,) = decode("hl7", report(obx(f14=sent)))
    assert facts_of(one, zone=UTC_ZONE, received_at=None, arrival=0).results[0].problem is Unusable.NO_TIME


def test_an_hl7_day_without_time_of_day_is_its_first_local_instant():
    (one,) = decode("hl7", report(obx(f14="20260301")))
    said = facts_of(one, zone=ZoneInfo("Europe/Berlin"), received_at=None, arrival=0)
    assert said.results[0].effective_at == datetime(2026, 2, 28, 23, 0, tzinfo=UTC)
    assert Mark.TIME_OF_DAY_MISSING in marks(said)


def test_the_same_result_as_event_and_as_hl7_reads_the_same():
    (one,) = decode("hl7", report(obx(">2000", f3="2132-9^B12^LN", f6="pg/mL", f7="180-914")))
    as_hl7 = facts_of(one, zone=None, received_at=None, arrival=0).results[0]
    as_event = fact(
        code="2132-9", value="2000", comparator=">", unit="pg/mL", interpretation="L",
        effective_at="2026-03-01T07:30:00+01:00", issued_at="2026-03-01T08:10:00+01:00",
        reference_range={"low": "180", "high": "914"},
    )  # fmt: skip
    assert replace(as_hl7, key="", id="", source="", arrival=0, reported_value="") == replace(
        as_event, key="", id="", source="", arrival=0, reported_value=""
    )


def test_a_merge_is_told_apart_from_a_report():
    who = {"survivor": {"id": "1"}, "retired": {"system": "a", "id": "2"}}
    merge = merge_of(event_of(event() | {"type": "org.ferrule.merge.v1", "data": who}))
    assert (merge.survivor, merge.retired) == ((NO_AUTHORITY, "1"), ("a", "2"))
    assert merge_of(event_of(event())) is None


def test_the_order_of_results_makes_no_difference():
    items = [result(id=f"R{n}", value=str(n)) for n in range(1, 9)]
    shuffled = random.Random(7).sample(items, len(items))
    assert set(facts(*items).results) == set(facts(*shuffled).results)
