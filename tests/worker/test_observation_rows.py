"""Rows B55 to B70 and B75 to B79 of the bad inputs: what a value, unit, code, status and time may be."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, select

from rules.facts import Comparator, Status, Unusable
from rules.history import View
from tests.worker.intake.examples import HEADER, ORDER, PATIENT, event, hl7, obx, report, result
from tests.worker.made_up import deps_on
from tests.worker.made_up import event as made_event
from tests.worker.made_up import result as made_result
from worker.accepting import Inbound, accept
from worker.database import reading
from worker.intake.decode import decode
from worker.intake.dialect import PLAIN, DecimalMark, Dialect
from worker.intake.event import event_of
from worker.intake.marks import Mark
from worker.intake.normalize import Facts, facts_of
from worker.pipeline import judge
from worker.quarantine import waiting
from worker.records import load
from worker.tables import RESULT
from worker.unused import worth_a_look

RECEIVED = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
COMMA = Dialect(decimal=DecimalMark.COMMA)


def of_hl7(*observations: str, dialect: Dialect = PLAIN, zone: ZoneInfo | None = None, **parts: str) -> Facts:
    (one,) = decode("hl7", report(*observations, **parts))
    return facts_of(one, zone=zone, received_at=RECEIVED, arrival=1, dialect=dialect)


def of_event(dialect: Dialect = PLAIN, zone: ZoneInfo | None = None, **fields: object) -> Facts:
    said = event_of(event(result(**fields)))
    return facts_of(said, zone=zone, received_at=RECEIVED, arrival=1, dialect=dialect)


def marks(facts: Facts) -> set[Mark]:
    return {noticed.mark for noticed in facts.operations}


def list_of(facts: Facts) -> list[tuple[str, str]]:
    return [(why.reason, why.place) for why in worth_a_look(facts)]


# --- values


def test_b55_a_decimal_comma_is_read_where_its_source_writes_so_else_it_waits_for_a_person():
    (one,) = of_hl7(obx("5,3"), dialect=COMMA).results
    assert one.quantity.value == Decimal("5.3")
    refused = of_hl7(obx("5,3"))
    assert (refused.results[0].quantity, refused.results[0].problem) == (None, Unusable.NOT_NUMERIC)
    assert list_of(refused) == [("decimal-comma", "OBX[1]-5")]


@pytest.mark.parametrize("text", ["1.234", "1.234,5", "1 234,5", "1'234"])
def test_b55_thousands_are_never_taken_for_decimals(text):
    assert of_hl7(obx(text), dialect=COMMA).results[0].problem is Unusable.NOT_NUMERIC


def test_b55_a_point_that_cannot_be_thousands_is_a_point_also_among_commas():
    assert of_hl7(obx("5.3"), dialect=COMMA).results[0].quantity.value == Decimal("5.3")


@pytest.mark.parametrize(
    ("observation", "comparator", "value"),
    [
        (obx(">10.0"), Comparator.GT, "10.0"),
        (obx("<10.01"), Comparator.LT, "10.01"),
        (obx(">^100", f2="SN"), Comparator.GT, "100"),
    ],
)
def test_b56_a_comparator_is_kept(observation, comparator, value):
    (one,) = of_hl7(observation).results
    assert (one.quantity.comparator, one.quantity.value) == (comparator, Decimal(value))


@pytest.mark.parametrize("observation", [obx("3-5"), obx("^3^-^5", f2="SN"), obx("^1^:^40", f2="SN")])
def test_b56_a_range_or_ratio_in_the_value_is_not_evaluable(observation):
    assert of_hl7(observation).results[0].problem is Unusable.NOT_NUMERIC


@pytest.mark.parametrize("text", ["NaN", "nan", "Infinity", "-inf", "1e400", "1e3", "-0", "-0.0", "0x1F"])
def test_b57_what_is_no_plain_number_is_no_value(text):
    assert of_event(value=text).results[0].problem is Unusable.NOT_NUMERIC


@pytest.mark.parametrize("text", ["\u0661\u0662", "\uff11\uff12", "1\u06f2", "\u00b2", "\u2460"])
def test_b58_digits_of_other_scripts_are_refused(text):
    assert of_event(value=text).results[0].problem is Unusable.NOT_NUMERIC


@pytest.mark.parametrize("text", ["1" * 40, "0." + "3" * 40, "9" * 4000])
def test_b59_a_40_digit_number_is_refused(text):
    assert of_event(value=text).results[0].problem is Unusable.NOT_NUMERIC


def test_b59_a_number_beyond_the_plausible_limit_waits_for_a_person():
    refused = of_event(value="100001")
    assert refused.results[0].problem is Unusable.IMPLAUSIBLE
    assert list_of(refused) == [("implausible", "data.results[0].value")]


@pytest.mark.parametrize("text", ["HEMOLYZED", "See note", "*", "QNS", "negative", "normal"])
def test_b60_a_word_in_a_number_is_a_result_without_a_value_and_never_normal(text):
    (one,) = of_hl7(obx(text)).results
    assert (one.problem, one.quantity, one.coded, one.reported_value) == (
        Unusable.NOT_NUMERIC,
        None,
        None,
        text,
    )


@pytest.mark.parametrize("kind", ["", "ED", "RP", "XYZ"])
def test_b61_a_value_of_another_type_is_kept_and_not_evaluated(kind):
    (one,) = of_hl7(obx("^application^pdf^Base64^JVBERi0xLjQK", f2=kind)).results
    assert (one.problem, one.quantity) == (Unusable.NOT_NUMERIC, None)


def test_b62_a_final_result_without_a_value_is_visible_as_one():
    (one,) = of_hl7(obx("")).results
    assert (one.problem, one.detail, one.status) == (Unusable.NOT_NUMERIC, "no value", Status.FINAL)


def test_b63_every_repetition_of_a_value_is_a_result():
    facts = of_hl7(obx("9~400~x"))
    assert [one.quantity and one.quantity.value for one in facts.results] == [Decimal(9), Decimal(400), None]
    assert Mark.VALUE_REPEATED in marks(facts)


# --- units and codes


@pytest.mark.parametrize(
    ("unit", "problem"),
    [
        ("", Unusable.UNIT_MISSING),
        ("   ", Unusable.UNIT_MISSING),
        ("ug/Liter", Unusable.UNIT_UNKNOWN),
        ("ng/dL", Unusable.UNIT_UNKNOWN),
        ("mmol/L", Unusable.UNIT_PROPERTY_MISMATCH),
        ("uL", Unusable.UNIT_UNKNOWN),
    ],
)
def test_b64_a_unit_that_is_missing_unknown_or_foreign_is_not_guessed(unit, problem):
    facts = of_hl7(obx(f6=unit))
    assert (facts.results[0].problem, facts.results[0].quantity) == (problem, None)
    assert list_of(facts) == [(problem.value, "OBX[1]-6")]


@pytest.mark.parametrize("unit", ["\u00b5g/L", "\u03bcg/L", "mcg/l", "ug/l", "UG/L", "ng/mL", "NG/ML"])
def test_b64_the_spellings_of_one_unit_are_one_unit(unit):
    assert of_hl7(obx(f6=unit)).results[0].quantity.base == Decimal("9E-6")


def test_b65_an_impossible_hemoglobin_goes_to_operations_at_once():
    facts = of_event(code="718-7", value="12.1", unit="g/L")
    assert facts.results[0].problem is Unusable.IMPLAUSIBLE
    assert list_of(facts) == [("hemoglobin-implausible", "data.results[0].value")]
    assert any(noticed.critical for noticed in facts.operations)


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "FERR", "system": "urn:north:codes"},
        {"code": "2276-5"},
        {"code": "2276-4", "system": None},
        {"code": None},
    ],
)
def test_b66_an_unmapped_code_is_listed_as_a_gap(fields):
    facts = of_event(**fields)
    assert facts.results[0].problem is Unusable.CODE_UNKNOWN
    assert [sent.unmapped for sent in facts.sent.values()] == [True]


def test_b66_a_loinc_code_of_a_test_that_is_none_of_ours_is_no_gap():
    facts = of_event(code="2951-2", unit="mmol/L", value="140")
    assert facts.results[0].problem is Unusable.CODE_UNKNOWN
    assert [sent.unmapped for sent in facts.sent.values()] == [False]


def both_values(door: str) -> Facts:
    if door == "hl7":
        return of_hl7(obx("9"), obx("400"))
    said = event_of(event(result(value="9"), result(value="400"), result(value="400")))
    return facts_of(said, zone=None, received_at=RECEIVED, arrival=1)


@pytest.mark.parametrize("door", ["hl7", "event"])
def test_b67_two_values_under_one_id_are_both_kept_and_marked(door):
    facts = both_values(door)
    kept = {one.key: one.quantity.value for one in facts.results}
    assert sorted(kept.values()) == [Decimal(9), Decimal(400)]
    assert Mark.VALUE_CONFLICT in marks(facts)


def stored(engine: Engine, *results: dict[str, Any], **settings: str) -> list[Any]:
    said = made_event("M1", results)
    message = Inbound("urn:lab:north", "M1", "event", json.dumps(said).encode())
    judge(deps_on(engine, **settings), [one.message for one in accept(engine, [message])])
    with reading(engine) as connection:
        return list(connection.execute(select(RESULT).order_by(RESULT.c.id)))


@pytest.mark.parametrize("first", ["69", "120"])
def test_b67_the_more_severe_of_two_values_drives_the_alert(engine: Engine, first: str) -> None:
    from alerts.tables import ALERT

    both = [
        {**made_result("R1", "ferritin", value), "code": "718-7", "unit": "g/L"}
        for value in (first, "69" if first == "120" else "120")
    ]
    both[1]["effective_at"] = both[1]["issued_at"] = both[0]["effective_at"] = both[0]["issued_at"]
    rows = stored(engine, *both)
    assert {row.value for row in rows} == {"69", "120"}
    assert all("value-conflict" in row.marks for row in rows)
    with reading(engine) as connection:
        assert "hemoglobin-critical" in connection.execute(select(ALERT.c.rule)).scalars().all()


@pytest.mark.parametrize(
    ("fields", "disagrees"),
    [
        ({"f8": "HH", "f7": "13-150"}, True),
        ({"f8": "L", "f7": "13-150"}, False),
        ({"f8": "N", "f7": "13-150"}, True),
        ({"f8": "HH", "f7": ""}, False),
        ({"f8": "", "f7": "13-150"}, False),
    ],
)
def test_b68_a_flag_that_disagrees_with_its_value_is_noticed(fields, disagrees):
    facts = of_hl7(obx("9", **fields))
    assert (Mark.FLAG_DISAGREES in marks(facts)) is disagrees
    assert facts.results[0].quantity.value == Decimal(9)


@pytest.mark.parametrize("text", ["see report", "13-150 mg", "150-13x", "\u0661-\u0662", "-"])
def test_b69_a_range_that_cannot_be_read_is_no_range_and_marked(text):
    facts = of_hl7(obx(f7=text))
    assert (facts.results[0].range_low, facts.results[0].range_high) == (None, None)
    assert Mark.RANGE_UNREADABLE in marks(facts)
    assert facts.results[0].problem is None


@pytest.mark.parametrize("letter", ["", "Q", "f f"])
def test_b70_an_unknown_status_is_preliminary_and_marked(letter):
    facts = of_hl7(obx(f11=letter))
    assert facts.results[0].status is Status.PRELIMINARY
    assert Mark.STATUS_LETTER_UNKNOWN in marks(facts)


# --- times


def test_b75_a_missing_time_is_taken_from_the_order_the_message_or_the_receipt_and_marked():
    untimed = ORDER.replace("20260301073000+0100", "")
    of_order = of_hl7(obx(f14=""))
    of_message = of_hl7(obx(f14=""), order=untimed)
    of_receipt = of_hl7(obx(f14=""), order=untimed, header=HEADER.replace("20260301081200+0100", ""))
    assert [facts.results[0].effective_at for facts in (of_order, of_message, of_receipt)] == [
        datetime(2026, 3, 1, 6, 30, tzinfo=UTC),
        datetime(2026, 3, 1, 7, 12, tzinfo=UTC),
        RECEIVED,
    ]
    assert Mark.TIME_FROM_ORDER in marks(of_order)
    assert Mark.TIME_FROM_MESSAGE in marks(of_message)
    assert Mark.TIME_FROM_RECEIPT in marks(of_receipt)


@pytest.mark.parametrize(
    "time", ["20240230", "202413", "2024", "20260301240000+0100", "20260228235960+0000", "yesterday"]
)
def test_b76_a_time_that_names_no_moment_is_not_replaced_and_waits_for_a_person(time):
    facts = of_hl7(obx(f14=time))
    assert (facts.results[0].effective_at, facts.results[0].problem) == (None, Unusable.NO_TIME)
    assert list_of(facts) == [("time-invalid", "OBX[1]-14")]


def test_b76_a_broken_time_of_the_order_is_found_where_it_stands():
    facts = of_hl7(obx(f14=""), order=ORDER.replace("20260301073000+0100", "2026030107300"))
    assert list_of(facts) == [("time-invalid", "OBX[1], OBR-7")]


@pytest.mark.parametrize("code", ["LOCAL7^Something of theirs^L", "2345-7^Glucose^LN"])
def test_b76_a_broken_time_of_a_result_that_is_none_of_ours_is_no_work_for_a_person(code):
    facts = of_hl7(obx(f3=code, f14="yesterday"))
    assert facts.results[0].problem is Unusable.CODE_UNKNOWN
    assert list_of(facts) == []


def test_b76_the_precision_of_a_time_is_respected():
    day = of_hl7(obx(f14="20260301"), zone=BERLIN)
    assert day.results[0].effective_at == datetime(2026, 2, 28, 23, 0, tzinfo=UTC)
    assert Mark.TIME_OF_DAY_MISSING in marks(day)
    minute = of_hl7(obx(f14="202603010000"), zone=BERLIN)
    assert minute.results[0].effective_at == datetime(2026, 2, 28, 23, 0, tzinfo=UTC)
    assert Mark.TIME_OF_DAY_MISSING not in marks(minute)


@pytest.mark.parametrize(
    ("time", "mark", "hours"),
    [
        ("2025-10-26T02:30:00", "hour-repeated", (0, 1)),
        ("2026-03-29T02:30:00", "hour-skipped", (1, 0)),
    ],
)
def test_b77_of_an_ambiguous_hour_both_moments_are_kept_and_marked(
    engine: Engine, time: str, mark: str, hours: tuple[int, int]
) -> None:
    (row,) = stored(
        engine, {**made_result("R1", "ferritin", "9"), "effective_at": time}, default_zone="Europe/Berlin"
    )
    assert (row.effective_at.hour, row.effective_other.hour) == hours
    assert row.effective_text == time
    assert mark in row.marks


def test_b78_a_specimen_of_five_years_ago_is_kept_and_counted_and_told_to_nobody(engine: Engine) -> None:
    from alerts.tables import ALERT

    old = (datetime.now(UTC) - timedelta(days=5 * 365)).isoformat()
    rows = stored(
        engine,
        {**made_result("R1", "ferritin", "9"), "effective_at": old},
        {**made_result("R2", "b12", "1450"), "effective_at": old},
    )
    assert all("specimen-old" in row.marks for row in rows)
    with reading(engine) as connection:
        assert connection.execute(select(ALERT.c.id)).all() == []


def test_b79_a_specimen_of_the_future_is_kept_and_marked_and_is_not_the_latest(engine: Engine) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    rows = stored(
        engine,
        made_result("R1", "ferritin", "9"),
        {**made_result("R2", "ferritin", "200"), "effective_at": ahead},
    )
    assert "specimen-future" in rows[1].marks
    with reading(engine) as connection:
        history = load(connection, [rows[0].patient_id])[rows[0].patient_id].history
        assert waiting(connection) == []
    seen = View(history, datetime.now(UTC) + timedelta(minutes=1))
    assert [one.id for one in seen.results("ferritin")] == ["R1"]


def test_b24_an_escaped_segment_end_in_a_value_stays_one_value():
    (one,) = decode("hl7", hl7(HEADER, PATIENT, ORDER, obx(r"9\X0D\OBX\|2", f2="ST")))
    assert len(one.report.results) == 1


def test_b42_an_identifier_without_authority_has_that_of_its_source():
    said = event_of(event(result()) | {"data": {**event(result())["data"], "patient": {"id": "1"}}})
    known = facts_of(said, zone=None, received_at=RECEIVED, arrival=1, dialect=Dialect(authority="urn:mrn:n"))
    assert known.patient.system == "urn:mrn:n"
    assert Mark.NO_AUTHORITY not in marks(known)
    unknown = facts_of(said, zone=None, received_at=RECEIVED, arrival=1)
    assert unknown.patient.system == "urn:ferrule:no-authority"
    assert Mark.NO_AUTHORITY in marks(unknown)
