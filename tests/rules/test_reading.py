"""Readings: what is believed as received, and why the rest is not."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.analytes import CATALOGUE, analyte_by_loinc
from rules.facts import Coded, Comparator, Unusable
from rules.reading import MAX_DIGITS, Reading, Refusal, number, read


def reading(name, value, unit=None, **more):
    return read(CATALOGUE[name], value=value, unit=unit, **more)


def by_code(code, value, unit=None, **more):
    analyte, code_property = analyte_by_loinc(code)
    return read(analyte, value=value, unit=unit, code_property=code_property, **more)


def reason(answer):
    assert isinstance(answer, Refusal), answer
    return answer.reason


@pytest.mark.parametrize(
    "value",
    [
        "NaN", "nan", "Infinity", "-inf", "1e400", "1e3", "1E3", "5,3", "1,250", "1 250", "1.2.3", "١٢",
        "１２", "²", "-0", "-0.0", "9" * 40, "3-5", "1:80", "5.", ".", "", "   ", "<", "HEMOLYZED",
        "See note", "*", "QNS", "0x10", "1_000", "--5", "< <5", "5 ng/mL", "~5", "5*", "5 H", "+", "five",
        "GREATER THAN", "less than 5 ng/mL", "not less than 5", "greaterthan 5", "less than < 5", "greater 5",
    ],
)  # fmt: skip
def test_what_is_not_one_plain_decimal_number_is_refused(value):
    assert reason(reading("ferritin", value, "ng/mL")) is Unusable.NOT_NUMERIC


@pytest.mark.parametrize(
    ("value", "comparator", "amount"),
    [
        ("9", "=", "9"),
        (" 9 ", "=", "9"),
        ("+9", "=", "9"),
        ("9.50", "=", "9.50"),
        ("<150", "<", "150"),
        ("< 150", "<", "150"),
        ("<^150", "<", "150"),
        (">2000", ">", "2000"),
        (">^2000", ">", "2000"),
        ("≥5", ">=", "5"),
        ("<= 5", "<=", "5"),
        ("=5", "=", "5"),
        ("GREATER THAN 2000", ">", "2000"),
        ("less than 5.0", "<", "5.0"),
    ],
)
def test_a_number_keeps_its_sign_and_its_digits(value, comparator, amount):
    assert number(value) == (Comparator(comparator), Decimal(amount))
    assert str(number(value)[1]) == amount


@pytest.mark.parametrize("comparator", list(Comparator))
def test_a_comparator_beside_the_number_is_the_same_as_before_it(comparator):
    assert number("150", comparator) == number(f"{comparator}150") == (comparator, Decimal(150))


def test_two_comparators_that_agree_are_one_and_that_differ_are_none():
    assert number("<150", "<") == (Comparator.LT, Decimal(150))
    assert number("<150", ">") is None
    assert number("150", "ad") is None


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=4))
def test_a_printed_decimal_comes_back_digit_for_digit(amount):
    assert number(f"{amount:f}") == (Comparator.EQ, amount)


@given(st.text(max_size=30))
def test_no_text_makes_it_fail_and_what_it_takes_is_finite(text):
    found = number(text)
    assert found is None or (found[1].is_finite() and len(found[1].as_tuple().digits) <= MAX_DIGITS)


@pytest.mark.parametrize(
    ("code", "unit", "why"),
    [
        ("2132-9", None, Unusable.UNIT_MISSING),
        ("2132-9", " ", Unusable.UNIT_MISSING),
        ("2132-9", "furlong", Unusable.UNIT_UNKNOWN),
        ("2132-9", "pmol/L", Unusable.UNIT_PROPERTY_MISMATCH),
        ("16695-9", "pmol/L", Unusable.UNIT_PROPERTY_MISMATCH),
        ("14685-2", "pg/mL", Unusable.UNIT_PROPERTY_MISMATCH),
        ("788-0", "fL", Unusable.UNIT_PROPERTY_MISMATCH),
        ("21000-5", "%", Unusable.UNIT_PROPERTY_MISMATCH),
        ("718-7", "10*9/L", Unusable.UNIT_PROPERTY_MISMATCH),
        ("718-7", "G/L", Unusable.UNIT_PROPERTY_MISMATCH),
        ("2276-4", "ng/dL", Unusable.UNIT_UNKNOWN),
    ],
)
def test_a_unit_that_is_missing_unknown_or_foreign_is_refused(code, unit, why):
    assert reason(by_code(code, "100", unit)) is why


def test_a_mass_or_molar_code_takes_both():
    assert by_code("35201-3", "250", "pmol/L").quantity.dimension == "molar"
    assert by_code("35201-3", "250", "pg/mL").quantity.dimension == "mass"


@pytest.mark.parametrize("unit", ["pmol/L", "nmol/L", "fmol/mL", "pmol/mL", "umol/L"])
def test_a_molar_code_takes_every_molar_unit(unit):
    value = {"pmol/L": "250", "nmol/L": "0.25", "fmol/mL": "250", "pmol/mL": "0.25", "umol/L": "0.00025"}[
        unit
    ]
    assert by_code("14685-2", value, unit).quantity.base == Decimal("2.5e-10")


def test_the_unit_is_kept_as_its_ucum_spelling_and_the_number_as_printed():
    quantity = by_code("2132-9", "140.0", "pg/ml").quantity
    assert (str(quantity.value), quantity.unit, quantity.base) == ("140.0", "pg/mL", Decimal("1.4e-7"))


@pytest.mark.parametrize(
    ("name", "value", "unit", "believed"),
    [
        ("hemoglobin", "20", "g/L", True),
        ("hemoglobin", "19.9", "g/L", False),
        ("hemoglobin", "12.1", "g/L", False),
        ("hemoglobin", "250", "g/L", True),
        ("hemoglobin", "250.1", "g/L", False),
        ("hemoglobin", "6.9", "mmol/L", True),
        ("hemoglobin", "1.2", "mmol/L", False),
        ("b12", "<50", "pg/mL", True),
        ("b12", "<29", "pg/mL", False),
        ("b12", "22", "pmol/L", False),
        ("b12", "23", "pmol/L", True),
        ("b12", ">200000", "pg/mL", True),
        ("ferritin", "-5", "ng/mL", False),
        ("crp", "0", "mg/L", True),
        ("tsat", "110", "%", True),
        ("tsat", "1.11", "1", False),
        ("stfr", "-1", "nmol/L", False),
        ("stfr", "20", "nmol/L", True),
    ],
)
def test_the_hard_range_is_tested_on_the_printed_bound(name, value, unit, believed):
    answer = reading(name, value, unit)
    assert isinstance(answer, Reading) if believed else reason(answer) is Unusable.IMPLAUSIBLE


def test_a_saturation_ratio_is_its_percentage_exactly():
    assert by_code("2505-6", "0.12", "1").quantity.base == by_code("2502-3", "12", "%").quantity.base
    assert by_code("2505-6", "12", "%").quantity.base == by_code("2505-6", "0.12", "{ratio}").quantity.base


def test_a_capped_high_sensitivity_crp_does_not_stand_in_for_crp():
    assert reason(by_code("30522-7", ">10", "mg/L")) is Unusable.NOT_NUMERIC
    assert by_code("30522-7", "8.2", "mg/L").quantity.value == Decimal("8.2")
    assert by_code("1988-5", ">200", "mg/L").quantity.comparator is Comparator.GT


@pytest.mark.parametrize(
    ("low", "high", "kept"),
    [
        ("13", "150", (Decimal(13), Decimal(150))),
        (None, "771", (None, Decimal(771))),
        ("150", "13", (None, None)),
        ("0", "0", (None, None)),
        ("abc", "150", (None, Decimal(150))),
        ("-1", "150", (None, Decimal(150))),
        ("1e5", "NaN", (None, None)),
    ],
)
def test_limits_sent_are_kept_when_they_make_sense(low, high, kept):
    answer = reading("b12", "400", "pg/mL", range_low=low, range_high=high)
    assert (answer.range_low, answer.range_high) == kept


@pytest.mark.parametrize(
    ("value", "coded"),
    [
        ("positive", Coded.POSITIVE),
        ("Positive", Coded.POSITIVE),
        ("POS", Coded.POSITIVE),
        ("Reactive", Coded.POSITIVE),
        ("DETECTED", Coded.POSITIVE),
        ("A", Coded.POSITIVE),
        ("Non-Reactive", Coded.NEGATIVE),
        ("not  detected", Coded.NEGATIVE),
        ("NEG", Coded.NEGATIVE),
        ("Equivocal", Coded.EQUIVOCAL),
        ("borderline", Coded.EQUIVOCAL),
    ],
)
def test_a_worded_answer_needs_no_unit(value, coded):
    assert by_code("26969-6", value) == Reading(None, coded)


@pytest.mark.parametrize("value", ["", "see comment", "1:80", "hemolyzed", "not positive", "positive?"])
def test_a_word_that_is_no_answer_is_refused(value):
    assert reason(by_code("26969-6", value)) is Unusable.NOT_NUMERIC


@pytest.mark.parametrize(
    ("value", "flag", "coded"),
    [
        ("45", "H", Coded.POSITIVE),
        ("45", "POS", Coded.POSITIVE),
        ("3", "N", Coded.NEGATIVE),
        ("45", "NEG", Coded.NEGATIVE),
        ("12", "IND", Coded.EQUIVOCAL),
        ("1:80", "A", Coded.POSITIVE),
        ("", "POS", Coded.POSITIVE),
        ("Equivocal", "A", Coded.EQUIVOCAL),
        ("Equivocal", "POS", Coded.POSITIVE),
    ],
)
def test_an_antibody_is_judged_by_its_interpretation_first(value, flag, coded):
    assert by_code("31017-7", value, "U/mL", interpretation=flag, range_high="20").coded is coded


@pytest.mark.parametrize(
    ("value", "coded"),
    [
        ("20.1", Coded.POSITIVE),
        ("20", Coded.NEGATIVE),
        ("<20", Coded.NEGATIVE),
        ("<=20", Coded.NEGATIVE),
        ("<30", None),
        (">20", Coded.POSITIVE),
        (">=20", None),
        (">=21", Coded.POSITIVE),
        (">19", None),
    ],
)
@pytest.mark.parametrize("unit", ["U/mL", "CU", "arb units"])
def test_an_unflagged_antibody_is_judged_by_the_limit_sent_in_any_unit(value, coded, unit):
    assert by_code("31017-7", value, unit, range_high="20").coded is coded


def test_an_antibody_without_flag_or_limit_is_kept_but_unknown():
    answer = by_code("31017-7", "45", "U/mL")
    assert answer.coded is None
    assert answer.quantity.value == Decimal(45)


def test_an_antibody_number_without_unit_or_flag_is_refused():
    assert reason(by_code("31017-7", "45", range_high="20")) is Unusable.UNIT_MISSING


def test_a_multiple_of_the_limit_carries_its_limit():
    answer = by_code("31017-7", "4.0", "x ULN")
    assert (answer.coded, answer.range_high) == (Coded.POSITIVE, Decimal(1))


def test_a_worded_ferritin_is_no_number():
    assert reason(by_code("2276-4", "positive")) is Unusable.NOT_NUMERIC


def test_a_presence_code_of_a_measured_analyte_takes_a_word():
    assert by_code("29771-3", "Negative").coded is Coded.NEGATIVE
    assert reason(by_code("27396-1", "Negative", "ng/g")) is Unusable.NOT_NUMERIC


@given(value=st.text(max_size=12), unit=st.text(max_size=8), flag=st.text(max_size=4))
def test_a_refusal_never_repeats_the_value(value, unit, flag):
    marked = f"7731{value}7731"
    answer = by_code("2276-4", marked, unit, interpretation=flag)
    assert isinstance(answer, Reading) or "7731" not in answer.detail
