"""The catalogue: codes, properties, factors between dimensions, plausible ranges."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.analytes import (
    CATALOGUE,
    analyte_by_loinc,
    catalogue_rows,
    dimensions_of,
    loinc_check_digit_ok,
    refuses_capped,
    to_canonical,
    why_unmapped,
)
from rules.units import unit_of


def in_canonical(name: str, value: str, unit: str) -> Decimal:
    known = unit_of(unit)
    found = to_canonical(CATALOGUE[name], Decimal(value) * known.factor, known.dimension)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("pmol", "pg"),
    [
        ("148", "200.6"), ("133", "180.3"), ("150", "203.3"), ("221", "299.5"), ("258", "349.7"),
        ("600", "813.2"), ("701", "950.1"), ("738", "1000.3"), ("800", "1084.3"), ("1000", "1355.4"),
        ("1476", "2000.5"),
    ],
)  # fmt: skip
def test_b12_anchor_pairs(pmol, pg):
    assert round(in_canonical("b12", pmol, "pmol/L"), 1) == Decimal(pg)


@pytest.mark.parametrize(
    ("name", "value", "unit", "canonical"),
    [
        ("b12", "132.9", "pmol/L", "180.128673"),
        ("b12", "0.14", "ng/mL", "140"),
        ("folate", "10", "nmol/L", "4.414"),
        ("rbc_folate", "906", "nmol/L", "399.9084"),
        ("ferritin", "9", "ng/mL", "9"),
        ("ferritin", "100", "pmol/L", "44.5"),
        ("mma", "620", "nmol/L", "0.62"),
        ("mma", "47", "ng/mL", "0.397996"),
        ("mma", "4.7", "ug/dL", "0.397996"),
        ("homocysteine", "2", "mg/L", "14.794"),
        ("iron", "100", "ug/dL", "17.907"),
        ("tibc", "300", "ug/dL", "53.721"),
        ("transferrin", "250", "mg/dL", "2.5"),
        ("transferrin", "30", "umol/L", "2.388"),
        ("hemoglobin", "6.9", "g/dL", "69"),
        ("hemoglobin", "4.2", "mmol/L", "67.6809"),
        ("mchc", "20", "mmol/L", "322.29"),
        ("mch", "1.8", "fmol", "29.0061"),
        ("ret_he", "1.8", "fmol", "29.0061"),
        ("crp", "18", "mg/dL", "180"),
        ("crp", "100", "nmol/L", "10.5"),
        ("gastrin", "100", "pmol/L", "209.8"),
        ("iga", "20", "mg/dL", "0.2"),
        ("iga", "10", "umol/L", "1.6"),
        ("creatinine", "1", "mg/dL", "88.4"),
        ("bilirubin", "1", "mg/dL", "17.1"),
        ("alt", "2", "ukat/L", "120"),
        ("alt", "40", "IU/L", "40"),
        ("tsh", "4.5", "uIU/mL", "4.5"),
        ("tsh", "4.5", "mU/L", "4.5"),
        ("tsat", "0.12", "1", "12"),
        ("hematocrit", "36", "%", "0.36"),
        ("platelets", "210", "K/uL", "210"),
        ("rbc", "6.3", "M/uL", "6.3"),
        ("holotranscobalamin", "25", "pmol/L", "25"),
        ("calprotectin", "50", "mg/kg", "50"),
        ("fit", "10000", "ng/g", "10"),
    ],
)
def test_conversion_to_the_canonical_unit_is_exact(name, value, unit, canonical):
    assert in_canonical(name, value, unit) == Decimal(canonical)


def test_a_kit_dependent_unit_has_no_factor():
    mass = unit_of("ng/mL")
    assert to_canonical(CATALOGUE["fit"], mass.factor, mass.dimension) is None
    assert to_canonical(CATALOGUE["stfr"], Decimal("1e-9"), "molar") is None


@pytest.mark.parametrize(
    "code", ["5140-4", "2501-6", "2974-0", "2276-5", "2276", "", "22764", "-4", "٢٢٧٦-4"]
)
def test_a_wrong_check_digit_is_seen(code):
    assert not loinc_check_digit_ok(code)


def test_every_code_of_the_catalogue_has_a_right_check_digit():
    codes = [c for a in CATALOGUE.values() for c in (*a.loinc, *a.panels, *a.unmapped)]
    assert len(codes) > 250
    assert [c for c in codes if not loinc_check_digit_ok(c)] == []


@given(st.sampled_from(sorted(c for a in CATALOGUE.values() for c in a.loinc)), st.integers(0, 9))
def test_no_other_last_digit_passes(code, digit):
    assert loinc_check_digit_ok(f"{code[:-1]}{digit}") == (code[-1] == str(digit))


@pytest.mark.parametrize(
    ("code", "name", "dimensions"),
    [
        ("2132-9", "b12", {"mass"}),
        ("16695-9", "b12", {"mass"}),
        ("14685-2", "b12", {"molar"}),
        ("35201-3", "b12", {"mass", "molar"}),
        ("72160-5", "holotranscobalamin", {"molar"}),
        ("14723-1", "ferritin", {"molar"}),
        ("59260-0", "hemoglobin", {"molar"}),
        ("2505-6", "tsat", {"fraction"}),
        ("21000-5", "rdw_sd", {"volume"}),
        ("788-0", "rdw", {"fraction"}),
        ("30522-7", "crp", {"mass"}),
        ("26969-6", "parietal_cell_ab", {"arbitrary"}),
        ("29771-3", "fit", {"presence"}),
    ],
)
def test_a_code_names_its_analyte_and_promises_its_property(code, name, dimensions):
    analyte, code_property = analyte_by_loinc(code)
    assert (analyte.name, dimensions_of(code_property)) == (name, dimensions)


def test_the_three_folates_stay_apart():
    assert [analyte_by_loinc(c)[0].name for c in ("2284-8", "2283-0", "2282-2")] == [
        "folate",
        "rbc_folate",
        "blood_folate",
    ]


@pytest.mark.parametrize(
    "code", ["15039-1", "13452-8", "14724-9", "18184-2", "16900-3", "28390-3", "11039-5"]
)
def test_a_look_alike_code_is_no_analyte_and_says_what_it_is(code):
    assert analyte_by_loinc(code) is None
    assert why_unmapped(code)


def test_only_high_sensitivity_codes_refuse_a_capped_value():
    refusing = {c for a in CATALOGUE.values() for c, p in a.loinc.items() if refuses_capped(p)}
    assert refusing == {"30522-7", "71426-1", "76486-0"}


def test_every_property_is_a_dimension_the_analyte_can_use():
    for analyte in CATALOGUE.values():
        for code_property in analyte.loinc.values():
            assert code_property
            if analyte.kind == "quantity" and code_property != "presence":
                assert dimensions_of(code_property) & analyte.crossings.keys() or analyte.name in {
                    "stfr", "haptoglobin", "fit", "calprotectin",
                }  # fmt: skip


def test_plausible_ranges_are_ranges():
    for analyte in CATALOGUE.values():
        if analyte.hard_low is not None:
            assert analyte.hard_low < analyte.hard_high


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("hemoglobin", 20, 250),
        ("b12", 30, 200000),
        ("ferritin", 1, 100000),
        ("tsat", 0, 110),
        ("mchc", 200, 400),
    ],
)
def test_plausible_range_is_the_specified_one(name, low, high):
    assert (CATALOGUE[name].hard_low, CATALOGUE[name].hard_high) == (low, high)


def test_crossings_are_exact_decimals():
    for analyte in CATALOGUE.values():
        for factor in analyte.crossings.values():
            assert isinstance(factor, Decimal)
            assert len(factor.as_tuple().digits) <= 7


def test_every_conversion_between_dimensions_says_how_sure_it_is():
    for analyte in CATALOGUE.values():
        for crossing in analyte.factors:
            assert crossing.checked in {"primary", "secondary", "no"}
            assert crossing.source


def test_the_table_for_people_has_every_analyte_once():
    rows = catalogue_rows()
    assert [row["analyte"] for row in rows] == sorted(CATALOGUE)
    b12 = next(row for row in rows if row["analyte"] == "b12")
    assert (b12["unit"], b12["plausible"], b12["window"]) == ("pg/mL", "30 to 200000", "90 d")
    assert "2132-9(N,mass)" in b12["loinc"]
